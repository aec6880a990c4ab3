"""The only way out for a fetcher: a filtering HTTP proxy on the loopback, one per job.

It resolves a name once, judges every address of the answer, and connects to the very address it judged, so that a
second, different answer has no chance. It counts bytes and time. Whatever goes wrong ends in a reset (RST), never in a
FIN, since a FIN makes a truncated file look complete.
"""

import base64
import contextlib
import hmac
import io
import secrets
import socket
import threading
import time
import urllib.parse
from collections.abc import Callable, Iterator
from typing import Any, Self

from reelhaul.addresses import WEB_PORTS, is_public
from reelhaul.egress import framing, relay
from reelhaul.egress.framing import Head, HeadBrokenOff, HeadTooLarge, MalformedHead
from reelhaul.egress.upstream import Upstream, UpstreamFailed
from reelhaul.errors import WorkerCrashed
from reelhaul.site_policy import is_within, plain_host

Resolve = Callable[[str, int, int, int], list[Any]]

CONNECT_S = 10.0
_MAX_TRIED = 8  # addresses of a name, each for as long as that
UPSTREAM_S = 20.0  # until a proxy behind this one has connected, or says why not
HEAD_S = 10.0  # for our own child to say what it wants
CLOSE_S = 5.0

_USER = "fetcher"


class _Answer(Exception):
    """Instead of the source, the proxy itself has something to say. Never with an address in it."""

    def __init__(self, status: int, reason: str, *fields: tuple[str, str]) -> None:
        super().__init__(reason)
        closing = [*fields, ("Content-Length", "0"), ("Connection", "close")]
        self.head = framing.write_head(f"HTTP/1.1 {status} {reason}", closing)


# Who asked for a tunnel sees no header of a refusal, only its status line: so the reason says it, too.
def _denied() -> _Answer:
    return _Answer(403, "Egress denied", ("X-Egress-Denied", "address"))


def _failed(status: int, kind: str) -> _Answer:
    return _Answer(status, f"Egress {kind} failure", ("X-Egress-Error", kind))


class EgressProxy:
    """A context manager that closes everything it opened.

    `allowed_origins` are HOST:PORT as they stand in URLs: these may resolve to anything and have any port. `deadline`
    is a time of `time.monotonic()`. `refused` tells whether a connection was denied by policy, `refused_site` whether
    one was for being to one of `denied_sites` (as in `reelhaul.site_policy`) or below it. With an `upstream` all
    connections go through that, and `upstream_error` is the code of the `SourceError` for the last one that did not.
    While there is no `has_room`, which any thread asks, sources are read from as often as keeps them from giving up.
    """

    def __init__(
        self,
        *,
        allowed_origins: frozenset[str] = frozenset(),
        denied_sites: frozenset[str] = frozenset(),
        max_bytes: int,
        deadline: float,
        resolve: Resolve = socket.getaddrinfo,
        upstream: Upstream | None = None,
        has_room: Callable[[], bool] = lambda: True,
    ) -> None:
        self.deadline = deadline
        self.refused = self.refused_site = False
        self.upstream_error: str | None = None
        self._upstream = upstream
        self._denied_sites = denied_sites
        self._allowed_origins = frozenset(origin.lower() for origin in allowed_origins)
        self._resolve = resolve
        self._budget = relay.Budget(max_bytes=max_bytes, deadline=deadline, has_room=has_room)
        self._password = secrets.token_urlsafe(24)
        self._authorization = "Basic " + base64.b64encode(f"{_USER}:{self._password}".encode()).decode()
        self._listener: socket.socket | None = None
        self._sockets: set[socket.socket] = set()
        self._threads: set[threading.Thread] = set()
        self._lock = threading.Lock()
        self._closing = self._is_deaf = False

    @property
    def port(self) -> int:
        if self._listener is None:
            raise RuntimeError("the proxy has not been entered")
        return int(self._listener.getsockname()[1])

    @property
    def url(self) -> str:
        """Where to reach it, with the password that keeps other local processes out."""
        return f"http://{_USER}:{self._password}@127.0.0.1:{self.port}"

    @property
    def received_bytes(self) -> int:
        return self._budget.received_bytes

    @property
    def verdict(self) -> str | None:
        """The code of the `SourceError` that ends the job: its bytes or its time are spent, or nobody listens here."""
        return self._budget.verdict or (WorkerCrashed.code if self._is_deaf else None)

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self._listener.settimeout(1.0)  # where a shutdown does not wake accept(), this does
        self._start(self._accept, self._listener)
        return self

    def __exit__(self, *_: object) -> None:
        self._budget.closing.set()
        with self._lock:
            self._closing = True
            open_sockets = list(self._sockets)
        for each in open_sockets:
            with contextlib.suppress(OSError):
                socket.socket.shutdown(each, socket.SHUT_RDWR)  # TLS's own would have what is left read as it is
        until = time.monotonic() + CLOSE_S  # a look-up by the system's resolver cannot be interrupted, all else was
        for _round in range(2):  # whoever was accepted at the last moment is there once the listener's thread has ended
            with self._lock:
                threads = list(self._threads)
            for thread in threads:
                thread.join(max(0.0, until - time.monotonic()))

    def _start(self, work: Callable[[socket.socket], None], sock: socket.socket) -> None:
        def run() -> None:
            try:
                with self._tracked(sock):
                    work(sock)
            finally:
                with self._lock:
                    self._threads.discard(thread)

        thread = threading.Thread(target=run, name="egress", daemon=True)
        with self._lock:  # a thread that `__exit__` sees has been started: it could not be joined before
            thread.start()
            self._threads.add(thread)

    @contextlib.contextmanager
    def _tracked(self, sock: socket.socket) -> Iterator[None]:
        """Known to `__exit__` while open, which is until the end of the block."""
        with contextlib.closing(sock):
            with self._lock:
                self._sockets.add(sock)
                if self._closing:
                    sock.close()
            try:
                yield
            finally:
                with self._lock:
                    self._sockets.discard(sock)

    def _accept(self, listener: socket.socket) -> None:
        """Until the end. Should it come too early, nothing is let through any more, and the job is told why."""
        try:
            while not self._closing:
                with contextlib.suppress(TimeoutError):
                    self._admit(listener.accept()[0])
        except (OSError, RuntimeError):  # no descriptor left, or no thread
            pass
        finally:
            self._is_deaf = not self._closing

    def _admit(self, client: socket.socket) -> None:
        try:
            self._start(self._serve, client)
        except RuntimeError:
            with relay.reset_unless_ended(client):
                raise

    def _serve(self, client: socket.socket) -> None:
        # An OSError is a reset, a time-out or the end of the proxy: each of them ends the client with a reset, too.
        ends = (OSError, relay.BudgetSpent, relay.BrokenOff, MalformedHead)
        with contextlib.suppress(*ends), relay.reset_unless_ended(client):
            try:
                self._converse(client)
            except _Answer as answer:
                client.sendall(answer.head)
                relay.end(client)

    def _converse(self, client: socket.socket) -> None:
        client.settimeout(min(HEAD_S, self._budget.left_s()))
        with client.makefile("rb") as stream:  # as long as that is open the socket is, too, whoever closes it
            head = self._read_request(stream)
            if head is None:
                return
            method, target = self._authorized(head)
            if method == "CONNECT":
                self._tunnel(client, target)
            else:
                self._exchange(client, stream, head, method, target)

    def _read_request(self, stream: io.BufferedReader) -> Head | None:
        try:
            return framing.read_head(stream)
        except HeadTooLarge as error:
            raise _Answer(431, "Request header fields too large") from error
        except MalformedHead as error:
            raise _Answer(400, "Bad request") from error

    def _authorized(self, head: Head) -> tuple[str, str]:
        given = head.get("proxy-authorization") or ""
        if not hmac.compare_digest(given.encode("latin-1"), self._authorization.encode()):
            raise _Answer(407, "Proxy authentication required", ("Proxy-Authenticate", 'Basic realm="egress"'))
        parts = head.start.split(" ")
        if len(parts) != 3 or not parts[0].isalpha():
            raise _Answer(400, "Bad request")
        return parts[0], parts[1]

    def _tunnel(self, client: socket.socket, target: str) -> None:
        host, port = _host_and_port(f"//{target}", default_port=None)
        upstream = self._connect(host, port)
        with self._tracked(upstream), relay.reset_unless_ended(upstream):
            client.sendall(framing.write_head("HTTP/1.1 200 Connection established", []))
            relay.tunnel(client, upstream, self._budget)

    def _exchange(self, client: socket.socket, stream: io.BufferedReader, head: Head, method: str, target: str) -> None:
        if not target.lower().startswith("http://"):  # no ftp://, no https in the clear, no file://
            raise _denied()
        host, port = _host_and_port(target, default_port=80)
        try:
            length = framing.request_length(head)
        except MalformedHead as error:
            raise _Answer(411, "Length required") from error
        upstream = self._connect(host, port)
        with self._tracked(upstream), relay.reset_unless_ended(upstream):
            exchange = relay.Exchange(client, upstream, self._budget)
            exchange.send_request(_rewritten(head, method, target), stream, length)
            try:
                exchange.pass_response(method)
            except HeadBrokenOff:
                raise
            except MalformedHead as error:  # nothing has been passed on by then
                raise _failed(502, "protocol") from error

    def _connect(self, host: str, port: int) -> socket.socket:
        """A connection to one of the addresses of `host`, each of which has been judged. Raises `_Answer`."""
        if is_within(plain_host(host), self._denied_sites):
            self.refused = self.refused_site = True
            raise _denied()
        failure = _failed(502, "connect")
        upstream_error = None
        for address in self._judged(host, port)[:_MAX_TRIED]:
            if self._closing:
                break
            try:
                return self._open(address, port)
            except TimeoutError:
                failure = _failed(504, "timeout")
            except OSError:
                failure = _failed(502, "connect")
            except UpstreamFailed as error:
                upstream_error = error.code
                if error.is_final:
                    break
        if upstream_error:
            self.upstream_error = upstream_error
        raise failure

    def _open(self, address: str, port: int) -> socket.socket:
        if self._upstream is None:
            return socket.create_connection((address, port), min(CONNECT_S, self._budget.left_s()))
        return self._upstream.connect(address, port, within_s=min(UPSTREAM_S, self._budget.left_s()))

    def _judged(self, host: str, port: int) -> list[str]:
        exempt = _origin(host, port) in self._allowed_origins
        if not exempt and port not in WEB_PORTS:
            self.refused = True
            raise _denied()
        try:
            answers = self._resolve(host, port, socket.AF_UNSPEC, socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise _failed(502, "dns") from error
        addresses = list(dict.fromkeys(str(answer[4][0]) for answer in answers))
        if not exempt and not all(is_public(address, port) for address in addresses):
            self.refused = True  # one bad answer spoils the name: it would be the one that a rebinding attack is after
            raise _denied()
        return addresses


def _origin(host: str, port: int) -> str:
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _host_and_port(url: str, *, default_port: int | None) -> tuple[str, int]:
    try:
        parts = urllib.parse.urlsplit(url)
        host, port = parts.hostname, parts.port or default_port
    except ValueError as error:
        raise _Answer(400, "Bad request") from error
    if not host or not port or not url.isascii() or not url.isprintable():
        raise _Answer(400, "Bad request")
    return host, port


def _rewritten(head: Head, method: str, target: str) -> bytes:
    """The request in origin form, with the Host that was judged and not the one the client wrote (RFC 9112, 3.2.2)."""
    parts = urllib.parse.urlsplit(target)
    path = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    host = parts.netloc.rpartition("@")[2]
    fields = [(name, value) for name, value in head.passed_on() if name.lower() != "host"]
    return framing.write_head(f"{method} {path} HTTP/1.1", [("Host", host), *fields, ("Connection", "close")])
