"""Moving bytes between two sockets within a budget, and telling a complete answer from one that broke off."""

import contextlib
import io
import select
import socket
import ssl
import struct
import threading
import time
from collections.abc import Callable, Iterator
from typing import TypeVar

from reelhaul.egress import framing
from reelhaul.egress.framing import Ends, Head, MalformedHead
from reelhaul.errors import SourceTooLarge, SourceTooSlow

BUFFER = 256 * 1024  # few, large copies: a relay in Python then moves more than a Lambda's network does
LINE_BUFFER = 64 * 1024  # what is larger than this is read past the buffer, so with one copy less
IDLE_S = 60.0
GOODBYE_S = 1.0  # for the other side to take what was sent and close
BREATH_S = 5.0  # neither a source nor a client gives up on a connection that still moves this often
ROOM_CHECK_S = 0.02
MAX_INTERIM = 5  # "100 Continue" and the like before the response proper

T = TypeVar("T")

_RESET = struct.pack("ii", 1, 0)
_ORDERLY = struct.pack("ii", 0, 0)


class BudgetSpent(Exception):
    """No more bytes or no more time: every connection of the job ends now."""


class BrokenOff(Exception):
    """One side ended before its own announcement said so."""


class Budget:
    """Bytes and time that one job may use, and whether what it has received has gone on to where it belongs."""

    def __init__(self, *, max_bytes: int, deadline: float, has_room: Callable[[], bool] = lambda: True) -> None:
        self.received_bytes = 0
        self.closing = threading.Event()
        self._has_room = has_room
        self._max_bytes = max_bytes
        self._deadline = deadline
        self._lock = threading.Lock()
        self._verdict: str | None = None

    @property
    def verdict(self) -> str | None:
        """The code of the `SourceError` that ends the job, once its bytes or its time are spent; it stays."""
        with self._lock:
            if self._verdict is None and self.received_bytes > self._max_bytes:
                self._verdict = SourceTooLarge.code
            elif self._verdict is None and time.monotonic() >= self._deadline:
                self._verdict = SourceTooSlow.code
            return self._verdict

    def take(self, count: int) -> None:
        """Account for bytes received. Raises `BudgetSpent`."""
        with self._lock:
            self.received_bytes += count
        self.left_s()

    def wait_for_room(self) -> None:
        """Until there is room for more, but not for so long that one side would give up. Raises `BudgetSpent`."""
        until = time.monotonic() + BREATH_S
        while not self._has_room() and time.monotonic() < until and not self.closing.wait(ROOM_CHECK_S):
            self.left_s()

    def left_s(self) -> float:
        """Seconds left, more than 0. Raises `BudgetSpent`."""
        left = self._deadline - time.monotonic()
        if self.verdict or left <= 0:
            raise BudgetSpent
        return left


@contextlib.contextmanager
def reset_unless_ended(sock: socket.socket) -> Iterator[None]:
    """Closes the socket with a reset, unless `end` was called for it: no reader may take what it got for complete."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RESET)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    with contextlib.closing(sock):
        yield


def end(sock: socket.socket) -> None:
    """An orderly end: everything sent arrives, then a FIN."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ORDERLY)
    until = time.monotonic() + GOODBYE_S
    with contextlib.suppress(OSError):
        sock.shutdown(socket.SHUT_WR)
        sock.settimeout(GOODBYE_S)
        while time.monotonic() < until and sock.recv(BUFFER):  # closing with something unread would be a reset
            pass


class Exchange:
    """One plain HTTP request and its response."""

    def __init__(self, client: socket.socket, upstream: socket.socket, budget: Budget) -> None:
        self._client, self._upstream, self._budget = client, upstream, budget
        self._source = io.BufferedReader(upstream.makefile("rb", buffering=0), LINE_BUFFER)
        self._view = memoryview(bytearray(BUFFER))
        self._is_behind_lines = False
        self._patience_s = 0.0

    def send_request(self, head: bytes, body: io.BufferedReader, length: int) -> None:
        """Pass on the head, and `length` bytes of the client's body."""
        self._limit_waiting()
        self._upstream.sendall(head)
        while length:
            got = body.readinto1(self._view[:length])
            if not got:
                raise BrokenOff
            self._upstream.sendall(self._view[:got])
            length -= got

    def pass_response(self, method: str) -> None:
        """Pass on head and body and end the client's connection. Raises unless all that was announced has come."""
        head = self._final_head()
        status, reason = status_of(head)
        length = framing.response_length(head, status=status, method=method)
        fields = head.passed_on()
        if length is Ends.CHUNKED:  # that is what counts then, so a length beside it is dropped (RFC 9112, 6.3)
            fields = [(name, value) for name, value in fields if name.lower() != "content-length"]
        self._limit_waiting()
        self._client.sendall(framing.write_head(f"HTTP/1.1 {status} {reason}", [*fields, ("Connection", "close")]))
        self._pass_body(length)
        end(self._client)

    def _final_head(self) -> Head:
        for _ in range(MAX_INTERIM):
            self._limit_waiting()
            head = framing.read_head(self._source)
            self._is_behind_lines = True
            if head is None:
                raise BrokenOff
            self._budget.take(head.size)
            if status_of(head)[0] >= 200:
                return head
        raise MalformedHead("only interim responses")

    def _pass_body(self, length: int | Ends) -> None:
        if length is Ends.CHUNKED:
            self._pass_chunks()
        elif isinstance(length, int):
            self._pass_exactly(length)
        else:
            while got := self._read(BUFFER):
                self._client.sendall(self._view[:got])

    def _pass_exactly(self, length: int) -> None:
        while length:
            got = self._read(min(length, BUFFER))
            if not got:
                raise BrokenOff
            self._client.sendall(self._view[:got])
            length -= got

    def _pass_chunks(self) -> None:
        while size := self._pass_line(_chunk_size):
            self._pass_exactly(size + len(b"\r\n"))
        for _ in range(framing.MAX_HEADERS):  # a trailer, up to an empty line
            if not self._pass_line(bytes.strip):
                return
        raise BrokenOff

    def _pass_line(self, read: Callable[[bytes], T]) -> T:
        """What `read` makes of the next line, which is not passed on if that raises."""
        self._limit_waiting()
        line = self._source.readline(framing.MAX_LINE)
        self._is_behind_lines = True
        self._budget.take(len(line))
        if not line.endswith(b"\n"):
            raise BrokenOff
        found = read(line)
        self._client.sendall(line)
        return found

    def _read(self, most: int) -> int:
        self._budget.wait_for_room()
        self._limit_waiting()
        if self._is_behind_lines:  # asked for more than its buffer could hold, readinto1 waits with what came with them
            held = len(self._source.peek())
            self._is_behind_lines = held > most
            most = min(most, held)
        got = self._source.readinto1(self._view[:most])
        self._budget.take(got)
        return got

    def _limit_waiting(self) -> None:
        patience_s = min(IDLE_S, self._budget.left_s())
        if patience_s != self._patience_s:
            self._upstream.settimeout(patience_s)
            self._client.settimeout(patience_s)
            self._patience_s = patience_s


def status_of(head: Head) -> tuple[int, str]:
    """Status and reason of a response. Raises `MalformedHead`."""
    version, _, rest = head.start.partition(" ")
    code, _, reason = rest.partition(" ")
    if not version.startswith("HTTP/1.") or len(code) != 3 or not (code.isascii() and code.isdigit()):
        raise MalformedHead("not a status line")
    return int(code), reason


def _chunk_size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    if not digits or len(digits) > 15 or digits.strip(b"0123456789abcdefABCDEF"):
        raise BrokenOff
    return int(digits, 16)


def _received(reader: socket.socket, view: memoryview) -> int | None:
    """What a socket that is ready has to give, 0 at its end; None if that was of TLS alone, or half a record.

    An end without TLS's own goodbye, as proxies are used to, is one like any other: see `tunnel`.
    """
    if not isinstance(reader, ssl.SSLSocket):
        return reader.recv_into(view)
    reader.settimeout(0)
    try:
        return reader.recv_into(view)
    except ssl.SSLWantReadError:
        return None
    except ssl.SSLEOFError:
        return 0


def tunnel(client: socket.socket, upstream: socket.socket, budget: Budget) -> None:
    """Pass bytes both ways until one side ends. What is inside (TLS) has its own idea of being complete.

    A source's end is passed on in order; a client that has gone has no use for what the source still sends.
    """
    view = memoryview(bytearray(BUFFER))
    other = {client.fileno(): (client, upstream), upstream.fileno(): (upstream, client)}
    poll = select.poll()
    for number in other:
        poll.register(number, select.POLLIN)
    while True:
        patience_s = min(IDLE_S, budget.left_s())
        ready = poll.poll(patience_s * 1000)
        if not ready:
            raise BrokenOff
        for number, _ in ready:
            reader, writer = other[number]
            if reader is upstream:
                budget.wait_for_room()
            writer.settimeout(patience_s)
            got = _received(reader, view)
            if got is None:
                continue
            if reader is upstream:
                budget.take(got)
            if not got:
                if reader is upstream:
                    end(client)
                return
            writer.sendall(view[:got])
