"""A proxy for plain HTTP, as `HTTP_PROXY` names one, that lets replies through slowly and remembers what was asked."""

import http.client
import time
from urllib.parse import urlsplit

from tests.loopback import Loopback, QuietHandler

_PIECE = 8192


class _Handler(QuietHandler):
    server: "SlowProxy"

    def forward(self) -> None:
        parts = urlsplit(self.path)
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        headers = {name: value for name, value in self.headers.items() if not name.lower().startswith("proxy-")}
        connection = http.client.HTTPConnection(parts.netloc, timeout=60)
        connection.request(self.command, parts._replace(scheme="", netloc="").geturl(), body, headers)
        reply = connection.getresponse()
        self.server.ranges.append(self.headers.get("Range"))
        self.send_response(reply.status)
        for name, value in reply.getheaders():
            if name.lower() not in {"transfer-encoding", "connection"}:
                self.send_header(name, value)
        self.end_headers()
        while data := reply.read(_PIECE):
            self.wfile.write(data)
            if len(data) == _PIECE:  # only what is long takes its time
                time.sleep(_PIECE / self.server.bytes_per_s)
        self.close_connection = True

    do_GET = do_POST = do_DELETE = forward  # noqa: N815 - named by the base class


class SlowProxy(Loopback):
    """A context manager. `ranges` are the `Range` headers of all requests so far, `None` for one without."""

    def __init__(self, bytes_per_s: float) -> None:
        super().__init__(_Handler)
        self.bytes_per_s = bytes_per_s
        self.ranges: list[str | None] = []
