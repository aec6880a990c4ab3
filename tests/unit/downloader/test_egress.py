"""The egress proxy: who may use it, where it goes, how much it lets through, and how it ends."""

import base64
import contextlib
import socket
import threading
import time
from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlsplit

import pytest

from downloader.egress import EgressProxy
from tests.media import SourceServer

PUBLIC = "93.184.216.34"
MIB = 1024**2


class Resolver:
    """Answers with what it is told to, and remembers the questions."""

    def __init__(self, *answers: list[str]) -> None:
        self._answers = list(answers)
        self.questions: list[str] = []

    def __call__(self, host: str, port: int, family: int, kind: int) -> list[Any]:
        self.questions.append(host)
        addresses = self._answers.pop(0) if self._answers else []
        if not addresses:
            raise socket.gaierror(socket.EAI_NONAME, "unknown")
        return [(socket.AF_INET6 if ":" in one else socket.AF_INET, kind, 6, "", (one, port)) for one in addresses]


@contextlib.contextmanager
def a_proxy(
    *allowed: str, max_bytes: int = 100 * MIB, seconds: float = 20, resolve: Any = socket.getaddrinfo
) -> Iterator[EgressProxy]:
    deadline = time.monotonic() + seconds
    with EgressProxy(
        allowed_origins=frozenset(allowed), max_bytes=max_bytes, deadline=deadline, resolve=resolve
    ) as proxy:
        yield proxy


def password(proxy: EgressProxy) -> str:
    parts = urlsplit(proxy.url)
    return "Basic " + base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()


def ask(proxy: EgressProxy, request_line: str, *fields: str, auth: str | None = None) -> socket.socket:
    """Send a request as it is written here, and return the connection."""
    client = socket.create_connection(("127.0.0.1", proxy.port), 10)
    given = password(proxy) if auth is None else auth
    lines = [f"{request_line} HTTP/1.1", f"Proxy-Authorization: {given}", *fields, "", ""]
    client.sendall("\r\n".join(lines).encode("latin-1"))
    return client


def read_all(client: socket.socket) -> bytes:
    with client:
        return b"".join(iter(lambda: client.recv(65_536), b""))


def get(proxy: EgressProxy, url: str, *fields: str) -> bytes:
    return read_all(ask(proxy, f"GET {url}", *fields))


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@contextlib.contextmanager
def raw_source(answer: bytes, *, reset: bool = False) -> Iterator[tuple[str, list[bytes]]]:
    """A source that says exactly `answer` to every connection. Yields its origin and the requests it got."""
    requests: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                requests.append(client.recv(65_536))
                client.sendall(answer)
                client.shutdown(socket.SHUT_WR)
                while client.recv(65_536):
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}", requests
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


# --- who may use it --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("auth", ["", "Basic bm86Ym9keQ==", "Bearer x", "Basic \xff"])
def test_without_the_password_nothing_is_connected(source: SourceServer, auth: str) -> None:
    with a_proxy(source.origin) as proxy:
        answer = read_all(ask(proxy, f"GET {source.url('clip.mp4')}", auth=auth))
    assert status(answer) == 407
    assert source.connections == 0


def test_tunnel_needs_the_password_too(source: SourceServer) -> None:
    with a_proxy(source.origin) as proxy:
        assert status(read_all(ask(proxy, f"CONNECT {source.origin}", auth="Basic eDp5"))) == 407
    assert source.connections == 0


def test_allowed_origin_is_served(source: SourceServer) -> None:
    with a_proxy(source.origin) as proxy:
        answer = get(proxy, source.url("page.html"))
    assert status(answer) == 200
    assert answer.endswith((source.directory / "page.html").read_bytes())


# --- where it goes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"],
)
@pytest.mark.parametrize("tunnel", [False, True])
def test_inside_is_refused_in_every_notation(canary: SourceServer, host: str, tunnel: bool) -> None:
    origin = f"{host}:{canary.server_address[1]}"
    with a_proxy() as proxy:
        answer = read_all(ask(proxy, f"CONNECT {origin}")) if tunnel else get(proxy, f"http://{origin}/clip.mp4")
        assert proxy.refused
    assert status(answer) == 403
    assert b"X-Egress-Denied: address" in answer
    assert b"127.0.0.1" not in answer


@pytest.mark.parametrize("address", ["127.0.0.1", "169.254.169.254", "10.0.0.1", "fd00:ec2::254", "::ffff:10.0.0.1"])
def test_name_that_leads_inside_is_refused(address: str) -> None:
    with a_proxy(resolve=Resolver([address])) as proxy:
        answer = get(proxy, "http://innocent.example/")
        assert proxy.refused
    assert status(answer) == 403
    assert address.encode() not in answer


def test_one_inside_address_among_public_ones_spoils_the_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", _no_connection)
    with a_proxy(resolve=Resolver([PUBLIC, "127.0.0.1"])) as proxy:
        answer = _without_connecting(proxy, "GET http://mixed.example/")
    assert status(answer) == 403


def test_port_that_is_not_the_webs_is_refused_before_any_look_up() -> None:
    resolver = Resolver([PUBLIC])
    with a_proxy(resolve=resolver) as proxy:
        assert status(get(proxy, "http://public.example:22/")) == 403
    assert resolver.questions == []


def test_name_is_looked_up_once_and_the_judged_address_is_connected(monkeypatch: pytest.MonkeyPatch) -> None:
    resolver = Resolver([PUBLIC], ["127.0.0.1"])  # the second answer is the one that rebinding is about
    connected: list[tuple[str, int]] = []
    monkeypatch.setattr(socket, "create_connection", lambda address, timeout: _refusing(connected, address))
    with a_proxy(resolve=resolver) as proxy:
        answer = _without_connecting(proxy, "GET http://rebinding.example/")
    assert status(answer) == 502
    assert resolver.questions == ["rebinding.example"]
    assert connected == [(PUBLIC, 80)]


def test_each_judged_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[tuple[str, int]] = []
    monkeypatch.setattr(socket, "create_connection", lambda address, timeout: _refusing(connected, address))
    with a_proxy(resolve=Resolver([PUBLIC, "2606:4700::1"])) as proxy:
        answer = _without_connecting(proxy, "CONNECT two.example:443")
        assert not proxy.refused
    assert status(answer) == 502
    assert b"X-Egress-Error: connect" in answer
    assert connected == [(PUBLIC, 443), ("2606:4700::1", 443)]


def test_timed_out_connection_is_told_from_a_refused_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "create_connection", _too_slow)
    with a_proxy(resolve=Resolver([PUBLIC])) as proxy:
        answer = _without_connecting(proxy, "GET http://slow.example/")
    assert status(answer) == 504
    assert b"X-Egress-Error: timeout" in answer


def test_unknown_name_is_told_from_a_refused_one() -> None:
    with a_proxy(resolve=Resolver([])) as proxy:
        answer = get(proxy, "http://nowhere.example/")
        assert not proxy.refused
    assert status(answer) == 502
    assert b"X-Egress-Error: dns" in answer


def test_allowed_origin_is_meant_literally(canary: SourceServer) -> None:
    port = canary.server_address[1]
    with a_proxy(f"source.example:{port}") as proxy:
        assert status(get(proxy, f"http://127.0.0.1:{port}/")) == 403


def test_allowed_name_may_resolve_to_anything(source: SourceServer) -> None:
    port = source.server_address[1]
    with a_proxy(f"source.example:{port}", resolve=Resolver(["127.0.0.1"])) as proxy:
        assert status(get(proxy, f"http://source.example:{port}/page.html")) == 200


@pytest.mark.parametrize("url", ["ftp://127.0.0.1/x", "https://example.com/", "file:///etc/passwd", "/etc/passwd"])
def test_only_plain_http_is_fetched(url: str) -> None:
    with a_proxy() as proxy:
        assert status(get(proxy, url)) == 403


# --- what is passed on -----------------------------------------------------------------------------------------------


def test_password_and_hop_by_hop_fields_stay_here() -> None:
    with raw_source(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as (origin, requests), a_proxy(origin) as proxy:
        fields = ("Connection: close, X-Mine", "X-Mine: 1", "Proxy-Connection: keep-alive", "Host: evil", "Range: bytes=0-")
        get(proxy, f"http://{origin}/a?b=c", *fields)
    head = requests[0].decode()
    assert head.startswith("GET /a?b=c HTTP/1.1\r\n")
    assert f"Host: {origin}" in head
    assert "Range: bytes=0-" in head
    assert not any(word in head.lower() for word in ("proxy-", "x-mine", "evil", "keep-alive"))


def test_source_cannot_speak_for_the_proxy() -> None:
    answer = b"HTTP/1.1 403 No\r\nX-Egress-Denied: address\r\nContent-Length: 0\r\n\r\n"
    with raw_source(answer) as (origin, _), a_proxy(origin) as proxy:
        passed_on = get(proxy, f"http://{origin}/")
    assert status(passed_on) == 403
    assert b"X-Egress" not in passed_on


def test_request_body_is_passed_on() -> None:
    with raw_source(b"HTTP/1.1 204 OK\r\n\r\n") as (origin, requests), a_proxy(origin) as proxy:
        client = ask(proxy, f"POST http://{origin}/", "Content-Length: 5")
        client.sendall(b"hello")
        assert status(read_all(client)) == 204
    assert b"".join(requests).startswith(b"POST / ")


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ([f"X-{number}: 1" for number in range(200)], 431),
        (["X: " + "x" * 20_000], 431),
        (["X: " + "x" * 10_000] * 10, 431),
        (["no colon"], 400),
        (["Transfer-Encoding: chunked"], 411),
        (["Content-Length: 1", "Content-Length: 2"], 411),
    ],
)
def test_unreasonable_request_is_refused(source: SourceServer, fields: list[str], expected: int) -> None:
    with a_proxy(source.origin) as proxy:
        assert status(get(proxy, source.url("page.html"), *fields)) == expected
    assert source.connections == 0


def test_tunnel_passes_bytes_both_ways() -> None:
    with raw_source(b"\x16\x03\x01 pong") as (origin, requests), a_proxy(origin) as proxy:
        client = ask(proxy, f"CONNECT {origin}")
        assert client.recv(1000).startswith(b"HTTP/1.1 200 ")
        client.sendall(b"\x16\x03\x01 ping")
        assert read_all(client) == b"\x16\x03\x01 pong"
        assert proxy.received_bytes == 8
    assert requests == [b"\x16\x03\x01 ping"]


# --- how much, and how it ends ---------------------------------------------------------------------------------------

TRUNCATED = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this",
    "last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n",
    "trailer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n0\r\n",
    "head": b"HTTP/1.1 200 OK\r\nContent-Len",
    "everything": b"",
    "not http": b"SSH-2.0-OpenSSH\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 9\r\n\r\nonly this",
}


@pytest.mark.parametrize("answer", TRUNCATED.values(), ids=TRUNCATED.keys())
def test_answer_that_breaks_off_ends_in_a_reset(answer: bytes) -> None:
    with raw_source(answer) as (origin, _), a_proxy(origin) as proxy, pytest.raises(ConnectionResetError):
        get(proxy, f"http://{origin}/")


COMPLETE = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
    "chunks": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4;x=y\r\nbody\r\n0\r\nTrailer: x\r\n\r\n",
    "until close": b"HTTP/1.0 200 OK\r\n\r\nbody",
    "interim": b"HTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nbody",
}


@pytest.mark.parametrize("answer", COMPLETE.values(), ids=COMPLETE.keys())
def test_complete_answer_ends_in_order(answer: bytes) -> None:
    with raw_source(answer) as (origin, _), a_proxy(origin) as proxy:
        passed_on = get(proxy, f"http://{origin}/")
    assert passed_on.startswith(b"HTTP/1.1 200 OK\r\n")
    assert b"body" in passed_on
    assert b"Connection: close" in passed_on


def test_spent_byte_budget_resets_and_is_remembered(source: SourceServer) -> None:
    with a_proxy(source.origin, max_bytes=MIB) as proxy:
        with pytest.raises(ConnectionResetError):
            get(proxy, source.url("endless.mp4"))
        assert proxy.verdict == "source.too_large"
        assert proxy.received_bytes < 3 * MIB
        with pytest.raises(ConnectionResetError):
            get(proxy, source.url("clip.mp4"))


def test_byte_budget_counts_all_connections_together(source: SourceServer) -> None:
    size = (source.directory / "clip.mp4").stat().st_size
    with a_proxy(source.origin, max_bytes=size * 5 // 2) as proxy:
        assert len(get(proxy, source.url("clip.mp4"))) > size
        assert len(get(proxy, source.url("clip.mp4"))) > size
        assert proxy.verdict is None
        with pytest.raises(ConnectionResetError):
            get(proxy, source.url("clip.mp4"))
        assert proxy.verdict == "source.too_large"


def test_byte_budget_holds_in_a_tunnel(source: SourceServer) -> None:
    with a_proxy(source.origin, max_bytes=MIB) as proxy:
        client = ask(proxy, f"CONNECT {source.origin}")
        client.recv(1000)
        client.sendall(b"GET /endless.mp4 HTTP/1.1\r\nHost: x\r\n\r\n")
        with pytest.raises(ConnectionResetError):
            read_all(client)
        assert proxy.verdict == "source.too_large"


@pytest.mark.parametrize("path", ["slow/clip.mp4?rate=10000", "endless.mp4"])
def test_deadline_resets_a_transfer_that_is_under_way(source: SourceServer, path: str) -> None:
    with a_proxy(source.origin, seconds=0.5, max_bytes=10**12) as proxy:
        started = time.monotonic()
        with pytest.raises(ConnectionResetError):
            get(proxy, source.url(path))
        assert time.monotonic() - started < 3
        assert proxy.verdict == "source.too_slow"


def test_deadline_resets_a_silent_source() -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    origin = f"127.0.0.1:{silent.getsockname()[1]}"
    with silent, a_proxy(origin, seconds=0.5) as proxy:
        with pytest.raises(ConnectionResetError):
            get(proxy, f"http://{origin}/")
        assert proxy.verdict == "source.too_slow"


def test_end_leaves_no_thread_and_no_socket(source: SourceServer) -> None:
    with a_proxy(source.origin) as proxy:
        tunnel = ask(proxy, f"CONNECT {source.origin}")
        tunnel.recv(1000)
        transfer = ask(proxy, f"GET {source.url('slow/clip.mp4?rate=10000')}")
        transfer.recv(1000)
        waiting = socket.create_connection(("127.0.0.1", proxy.port))
        port = proxy.port
        started = time.monotonic()
    assert time.monotonic() - started < 3
    assert not [thread for thread in threading.enumerate() if thread.name == "egress"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    for client in (tunnel, transfer, waiting):
        client.close()


# --- without a network -----------------------------------------------------------------------------------------------

_connect: Callable[..., socket.socket] = socket.create_connection


def _without_connecting(proxy: EgressProxy, request_line: str) -> bytes:
    """Ask while `socket.create_connection` is replaced."""
    client = socket.socket()
    client.settimeout(10)
    client.connect(("127.0.0.1", proxy.port))
    head = f"{request_line} HTTP/1.1\r\nProxy-Authorization: {password(proxy)}\r\n\r\n"
    client.sendall(head.encode())
    return read_all(client)


def _no_connection(address: tuple[str, int], timeout: float) -> socket.socket:
    pytest.fail("connected")


def _refusing(connected: list[tuple[str, int]], address: tuple[str, int]) -> socket.socket:
    connected.append(address)
    raise ConnectionRefusedError


def _too_slow(address: tuple[str, int], timeout: float) -> socket.socket:
    raise TimeoutError
