"""A proxy as one rents it: CONNECT only, with or without TLS and a password. Loopback only."""

import base64
import contextlib
import select
import socket
import ssl
import threading
from typing import Self

_BUFFER = 65_536


class ConnectProxy:
    """A context manager. `targets` are those that it was asked for, `connections` counts all that were made to it.

    `answer` is said to everybody instead, such as "503 Service Unavailable". `credentials` are USER:PASSWORD. With
    `tls` it speaks that, and says goodbye in it only if `is_polite`.
    """

    def __init__(
        self,
        *,
        credentials: str | None = None,
        answer: str | None = None,
        tls: ssl.SSLContext | None = None,
        is_polite: bool = True,
    ) -> None:
        self.targets: list[str] = []
        self.heads: list[str] = []
        self.connections = 0
        self.relayed_bytes = 0
        self.answer = answer
        self._credentials = credentials
        self._tls = tls
        self._is_polite = is_polite
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._threads: list[threading.Thread] = []
        self._closing = threading.Event()

    def url(self, credentials: str | None = None) -> str:
        """With its own credentials, or with others."""
        given = credentials if credentials is not None else self._credentials
        scheme = "https" if self._tls else "http"
        return f"{scheme}://{given + '@' if given else ''}127.0.0.1:{self.port}"

    @property
    def port(self) -> int:
        return int(self._listener.getsockname()[1])

    def __enter__(self) -> Self:
        self._start(threading.Thread(target=self._accept, name="connect-proxy"))
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _start(self, thread: threading.Thread) -> None:
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self.connections += 1
            self._start(threading.Thread(target=self._serve, args=(client,), name="connect-proxy"))

    def _serve(self, plain: socket.socket) -> None:
        plain.settimeout(20)
        with contextlib.suppress(OSError), contextlib.ExitStack() as exits:
            exits.enter_context(plain)
            client = exits.enter_context(self._tls.wrap_socket(plain, server_side=True)) if self._tls else plain
            self._converse(client)
            if self._is_polite and isinstance(client, ssl.SSLSocket):
                client.unwrap()

    def _converse(self, client: socket.socket) -> None:
        head = b""
        while not head.endswith(b"\r\n\r\n"):
            if not (byte := client.recv(1)):
                return
            head += byte
        self.heads.append(head.decode())
        method, target, _ = head.decode().split(" ", 2)
        self.targets.append(target)
        answer = self._answer(method, head.decode())
        if not answer.startswith("200"):
            _say(client, answer)
            return
        host, _, port = target.rpartition(":")
        try:
            source = socket.create_connection((host, int(port)), 10)
        except OSError:
            _say(client, "502 Bad Gateway")
            return
        with source:
            _say(client, answer)
            self._relay(client, source)

    def _answer(self, method: str, head: str) -> str:
        if self.answer is not None:
            return self.answer
        wanted = base64.b64encode((self._credentials or "").encode()).decode()
        if self._credentials and f"Proxy-Authorization: Basic {wanted}\r\n" not in head:
            return "407 Proxy Authentication Required"
        return "200 Connection established" if method == "CONNECT" else "405 Method Not Allowed"

    def _relay(self, client: socket.socket, source: socket.socket) -> None:
        other = {client: source, source: client}
        while not self._closing.is_set():
            pending = isinstance(client, ssl.SSLSocket) and client.pending()
            ready = [client] if pending else select.select(list(other), [], [], 0.1)[0]
            for reader in ready:
                data = reader.recv(_BUFFER)
                if not data:
                    return
                self.relayed_bytes += len(data) if reader is source else 0
                other[reader].sendall(data)


def _say(client: socket.socket, answer: str) -> None:
    client.sendall(f"HTTP/1.1 {answer}\r\nX-By: a proxy\r\n\r\n".encode())
