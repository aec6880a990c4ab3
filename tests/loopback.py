"""What servers of tests on the loopback have in common."""

import http.server
import threading
from typing import Any, Self

_POLL_S = 0.02


class Loopback(http.server.ThreadingHTTPServer):
    """A context manager; `url` is where it is, on a port of its own."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, handler: type["QuietHandler"]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients come and go as they please."""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(_POLL_S,), daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()


class QuietHandler(http.server.BaseHTTPRequestHandler):
    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
        """Say nothing."""
