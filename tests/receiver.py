"""A receiver of webhooks as receivers are: HTTPS, with a certificate that is trusted or not. Loopback only."""

import contextlib
import dataclasses
import json
import threading
from email.message import Message
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self

from tests.authority import HOST, Authority

DRIP_S = 0.1


@dataclasses.dataclass(frozen=True, slots=True)
class Received:
    path: str
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def event(self) -> tuple[str, str]:
        """What happened to which job."""
        return self.json["type"], self.json["data"]["id"]


class _Handler(BaseHTTPRequestHandler):
    server: "Receiver"
    timeout = 20

    def setup(self) -> None:
        self.request.do_handshake()  # here and not where connections are accepted: there it would hold up the others
        super().setup()

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(Received(self.path, _lower(self.headers), body))
        answer = self.server.next_answer()
        if answer == "hang":
            self.server.ended.wait(20)
        elif answer == "drip":
            self._drip(b"HTTP/1.1 200 OK\r\n" + b"X-Slow: yes\r\n" * 200 + b"\r\n")
        elif answer == "drip the body":
            self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n")
            self._drip(b"x" * 1000)
        elif answer == "nonsense":
            self.wfile.write(b"I do not speak HTTP\r\n\r\n")
        elif answer == "flood":
            self.wfile.write(b"HTTP/1.1 200 OK\r\n" + b"X-Long: " + b"x" * 10_000_000 + b"\r\n\r\n")
        elif answer != "close":
            self._answer(answer)

    def _answer(self, answer: Any) -> None:
        status, headers = answer if isinstance(answer, tuple) else (answer, {})
        self.send_response(status)
        for name, value in {"Content-Length": "0", **headers}.items():
            self.send_header(name, value)
        self.end_headers()

    def _drip(self, text: bytes) -> None:
        for number in range(len(text)):
            self.wfile.write(text[number : number + 1])
            if self.server.ended.wait(DRIP_S):
                return

    def log_message(self, *_: object) -> None:
        pass


def _lower(headers: Message) -> dict[str, str]:
    return {name.lower(): value for name, value in headers.items()}


class Receiver(ThreadingHTTPServer):
    """Answers as told by `answers`, one after the other and the last one again and again.

    An answer is a status, a status with headers, or one of "hang", "drip" (one byte of the head every `DRIP_S`),
    "drip the body", "nonsense", "flood", "close". `connections` counts whoever connects, whatever comes of it.
    """

    daemon_threads = True

    def __init__(self, authority: Authority, *answers: Any) -> None:
        self._answers = list(answers or (200,))
        self.received: list[Received] = []
        self.connections = 0
        self.ended = threading.Event()
        super().__init__((HOST, 0), _Handler)
        self.socket = authority.server_context().wrap_socket(
            self.socket, server_side=True, do_handshake_on_connect=False
        )

    @property
    def origin(self) -> str:
        return f"{HOST}:{self.server_port}"

    def url(self, path: str = "/hook") -> str:
        return f"https://{self.origin}{path}"

    def next_answer(self) -> Any:
        return self._answers.pop(0) if len(self._answers) > 1 else self._answers[0]

    def get_request(self) -> Any:
        accepted = super().get_request()
        self.connections += 1
        return accepted

    def handle_error(self, *_: object) -> None:
        """A client that does not trust us, or loses its patience, breaks off. That is what is tested."""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.ended.set()
        self.shutdown()
        self._thread.join()
        with contextlib.suppress(OSError):
            self.server_close()
