"""The egress proxy: what it passes on, how much, and how it ends."""

import http.client
import socket
import ssl
import threading
import time
from pathlib import Path

import pytest

from reelhaul.egress import relay
from tests.media import SourceServer
from tests.unit.reelhaul.egress.proxying import (
    MIB,
    a_proxy,
    ask,
    certified,
    get,
    password,
    raw_source,
    read_all,
    status,
)


def test_password_and_hop_by_hop_fields_stay_here() -> None:
    with raw_source(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok") as (origin, requests), a_proxy(origin) as proxy:
        fields = (
            "Connection: close, X-Mine",
            "X-Mine: 1",
            "Proxy-Connection: keep-alive",
            "Host: evil",
            "Range: bytes=0-",
        )
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


def test_tls_goes_through_a_tunnel_request_after_request(source: SourceServer, tmp_path: Path) -> None:
    source.socket = certified(tmp_path).wrap_socket(source.socket, server_side=True)
    clip = (source.directory / "clip.mp4").read_bytes()
    with a_proxy(source.origin) as proxy:
        client = http.client.HTTPSConnection("127.0.0.1", proxy.port, context=ssl._create_unverified_context())  # noqa: S323, SLF001
        client.set_tunnel("127.0.0.1", source.server_address[1], {"Proxy-Authorization": password(proxy)})
        for _ in range(3):
            client.request("GET", "/clip.mp4")
            assert client.getresponse().read() == clip
        client.close()
    assert source.connections == 1


# --- how much, and how it ends ---------------------------------------------------------------------------------------

TRUNCATED = {
    "length": b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nonly this",
    "chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n64\r\nonly this",
    "last chunk": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n",
    "trailer": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nonly\r\n0\r\n",
    "trailer without end": b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n"
    + b"X-More: x\r\n" * 10_000
    + b"\r\n",
    "head": b"HTTP/1.1 200 OK\r\nContent-Len",
    "everything": b"",
    "a line of the head": b"HTTP/1.1 200 OK\r\nX-More: x\r\n",
}


@pytest.mark.parametrize("answer", TRUNCATED.values(), ids=TRUNCATED.keys())
def test_answer_that_breaks_off_ends_in_a_reset(answer: bytes) -> None:
    with raw_source(answer) as (origin, _), a_proxy(origin) as proxy, pytest.raises(ConnectionResetError):
        get(proxy, f"http://{origin}/")


MALFORMED = {
    "not http": b"SSH-2.0-OpenSSH\r\n\r\n",
    "two lengths": b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 9\r\n\r\nonly this",
    "negative length": b"HTTP/1.1 200 OK\r\nContent-Length: -4\r\n\r\nonly this",
    "long header": b"HTTP/1.1 200 OK\r\nX-Long: " + b"x" * 100_000 + b"\r\n\r\n",
    "many headers": b"HTTP/1.1 200 OK\r\n" + b"X-More: x\r\n" * 200 + b"\r\n",
}


@pytest.mark.parametrize("answer", MALFORMED.values(), ids=MALFORMED.keys())
def test_answer_that_is_not_http_is_told_from_one_that_breaks_off(answer: bytes) -> None:
    with raw_source(answer) as (origin, _), a_proxy(origin) as proxy:
        passed_on = get(proxy, f"http://{origin}/")
    assert passed_on.startswith(b"HTTP/1.1 502 Egress protocol failure\r\nX-Egress-Error: protocol\r\n")


def test_size_of_a_chunk_that_is_none_is_not_passed_on() -> None:
    answer = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n-5\r\nbody\r\n0\r\n\r\n"
    received = bytearray()

    def read(client: socket.socket) -> None:
        while data := client.recv(65_536):
            received.extend(data)

    with raw_source(answer) as (origin, _), a_proxy(origin) as proxy, pytest.raises(ConnectionResetError):
        read(ask(proxy, f"GET http://{origin}/"))
    assert b"-5" not in received


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
        with pytest.raises(ConnectionResetError):
            get(proxy, source.url(path))
        assert proxy.verdict == "source.too_slow"


def test_deadline_resets_a_silent_source() -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    origin = f"127.0.0.1:{silent.getsockname()[1]}"
    with silent, a_proxy(origin, seconds=0.5) as proxy:
        with pytest.raises(ConnectionResetError):
            get(proxy, f"http://{origin}/")
        assert proxy.verdict == "source.too_slow"


@pytest.mark.parametrize(
    "head",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 1000000\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nf4240\r\n",
        b"HTTP/1.1 200 OK\r\n\r\n",
    ],
    ids=["length", "chunk", "until its end"],
)
def test_what_comes_together_with_the_head_is_passed_on_before_there_is_more(head: bytes) -> None:
    """As of a live source, or one that is slow: whoever reads would wait for what the proxy has already."""
    came = b"x" * 1000
    listener = socket.create_server(("127.0.0.1", 0))
    with listener, a_proxy(f"127.0.0.1:{listener.getsockname()[1]}") as proxy:
        client = ask(proxy, f"GET http://127.0.0.1:{listener.getsockname()[1]}/")
        source, _ = listener.accept()
        with source, client:
            source.recv(65_536)
            source.sendall(head + came)
            client.settimeout(20)
            received = b""
            while came not in received:
                piece = client.recv(65_536)
                assert piece, received[-200:]
                received += piece


def test_end_leaves_no_thread_and_no_socket(source: SourceServer) -> None:
    with a_proxy(source.origin) as proxy:
        tunnel = ask(proxy, f"CONNECT {source.origin}")
        tunnel.recv(1000)
        transfer = ask(proxy, f"GET {source.url('slow/clip.mp4?rate=10000')}")
        transfer.recv(1000)
        waiting = socket.create_connection(("127.0.0.1", proxy.port))
        port = proxy.port
    assert not [thread for thread in threading.enumerate() if thread.name == "egress"]
    with pytest.raises(ConnectionRefusedError):
        socket.create_connection(("127.0.0.1", port))
    for client in (tunnel, transfer, waiting):
        client.close()


def test_without_room_a_source_is_read_from_only_now_and_then() -> None:
    asked: list[bool] = []

    def has_room() -> bool:
        asked.append(len(asked) >= 3)
        return asked[-1]

    relay.Budget(max_bytes=1, deadline=time.monotonic() + 60, has_room=has_room).wait_for_room()

    assert asked == [False, False, False, True]


def test_wait_for_room_ends_with_the_time_that_there_is() -> None:
    budget = relay.Budget(max_bytes=1, deadline=time.monotonic() + 0.1, has_room=lambda: False)
    with pytest.raises(relay.BudgetSpent):
        budget.wait_for_room()


def test_wait_for_room_ends_when_the_other_side_would_give_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(relay, "BREATH_S", 0.1)
    relay.Budget(max_bytes=1, deadline=time.monotonic() + 60, has_room=lambda: False).wait_for_room()
