"""A proxy for plain HTTP, as `HTTP_PROXY` names one, that lets replies through slowly and remembers what was asked."""

import http.client
import http.server
import threading
import time
from typing import Any, Self
from urllib.parse import urlsplit

_PIECE = 8192


class _Handler(http.server.BaseHTTPRequestHandler):
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

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
        """Say nothing."""


class SlowProxy(http.server.ThreadingHTTPServer):
    """A context manager. `ranges` are the `Range` headers of all requests so far, `None` for one without."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, bytes_per_s: float) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.bytes_per_s = bytes_per_s
        self.ranges: list[str | None] = []

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients come and go as they please."""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
