"""The egress proxy: who may use it, and where it goes."""

import contextlib
import socket
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reelhaul.egress import EgressProxy
from tests.media import SourceServer
from tests.unit.reelhaul.egress.proxying import a_proxy, ask, get, password, read_all, status

PUBLIC = "93.184.216.34"


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


@pytest.mark.parametrize("request_line", ["GET http://{}/clip.mp4", "CONNECT {}"])
@pytest.mark.parametrize("host", ["denied.example", "WWW.Denied.example", "denied.example."])
def test_denied_site_is_not_even_looked_up(source: SourceServer, request_line: str, host: str) -> None:
    resolver, origin = Resolver(["127.0.0.1"]), f"{host}:{source.origin.rpartition(':')[2]}"
    denied = frozenset({"denied.example"})
    with a_proxy(origin, denied=denied, resolve=resolver) as proxy:  # opened by name, and denied all the same
        answer = read_all(ask(proxy, request_line.format(origin)))
        assert (status(answer), proxy.refused, proxy.refused_site) == (403, True, True)
    assert resolver.questions == []
    assert source.connections == 0


def test_what_only_ends_like_a_denied_site_is_served(source: SourceServer) -> None:
    port = source.origin.rpartition(":")[2]
    resolver = Resolver(["127.0.0.1"])
    with a_proxy(f"notdenied.example:{port}", denied=frozenset({"denied.example"}), resolve=resolver) as proxy:
        assert status(get(proxy, f"http://notdenied.example:{port}/page.html")) == 200
        assert not proxy.refused_site


# --- where it goes ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "host",
    ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "0177.0.0.1", "127.1", "0.0.0.0", "[::1]", "[::ffff:127.0.0.1]"],
)
@pytest.mark.parametrize("request_line", ["CONNECT {}", "GET http://{}/clip.mp4"])
def test_inside_is_refused_in_every_notation(canary: SourceServer, host: str, request_line: str) -> None:
    with a_proxy() as proxy:
        answer = read_all(ask(proxy, request_line.format(f"{host}:{canary.server_address[1]}")))
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
    monkeypatch.setattr(socket, "create_connection", _refusing(connected))
    with a_proxy(resolve=resolver) as proxy:
        answer = _without_connecting(proxy, "GET http://rebinding.example/")
    assert status(answer) == 502
    assert resolver.questions == ["rebinding.example"]
    assert connected == [(PUBLIC, 80)]


def test_each_judged_address_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    connected: list[tuple[str, int]] = []
    monkeypatch.setattr(socket, "create_connection", _refusing(connected))
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


# --- without a network -----------------------------------------------------------------------------------------------


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


def _refusing(connected: list[tuple[str, int]]) -> Callable[..., socket.socket]:
    def connect(address: tuple[str, int], timeout: float) -> socket.socket:
        connected.append(address)
        raise ConnectionRefusedError

    return connect


def _too_slow(address: tuple[str, int], timeout: float) -> socket.socket:
    raise TimeoutError


# --- when it fails ---------------------------------------------------------------------------------------------------


def no_more_threads(monkeypatch: pytest.MonkeyPatch) -> None:
    """As where a process has as many as it may."""

    def refuse(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", refuse)


def test_listener_that_dies_lets_nobody_through_and_says_so(
    source: SourceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    with a_proxy(source.origin) as proxy:
        port = proxy.port
        (listener,) = [thread for thread in threading.enumerate() if thread.name == "egress"]
        with monkeypatch.context() as patch:
            no_more_threads(patch)
            with pytest.raises(ConnectionResetError):
                get(proxy, source.url("clip.mp4"))
            listener.join()
        assert proxy.verdict == "job.crashed"
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(("127.0.0.1", port))
    assert source.connections == 0


def test_proxy_that_has_ended_as_it_should_has_no_verdict(source: SourceServer) -> None:
    with a_proxy(source.origin) as proxy:
        get(proxy, source.url("page.html"))
    assert proxy.verdict is None


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_thread_that_dies_ends_its_own_connection_with_a_reset_and_no_other(source: SourceServer) -> None:
    def resolve(host: str, *_: int) -> list[Any]:
        if host == "broken.example":
            raise ZeroDivisionError
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", ("127.0.0.1", source.server_address[1]))]

    with a_proxy(source.origin, resolve=resolve) as proxy:
        with pytest.raises(ConnectionResetError):
            get(proxy, "http://broken.example/")
        assert source.connections == 0
        assert status(get(proxy, source.url("page.html"))) == 200


# --- names with many addresses ---------------------------------------------------------------------------------------


@pytest.fixture
def deaf() -> Iterator[int]:
    """A port that nobody gets through to, at any address of the loopback: what may wait there is waiting already."""
    with contextlib.ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("0.0.0.0", 0), backlog=0))
        port = listener.getsockname()[1]
        for _ in range(3):
            waiting = stack.enter_context(socket.socket())
            waiting.settimeout(0)
            waiting.connect_ex(("127.0.0.1", port))
        yield port


def test_of_many_addresses_that_do_not_answer_only_some_are_tried(deaf: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reelhaul.egress.proxy.CONNECT_S", 0.05)
    tried: list[str] = []
    connect = socket.create_connection

    def noted(address: tuple[str, int], timeout_s: float) -> socket.socket:
        tried.append(address[0])
        return connect(address, timeout_s)

    monkeypatch.setattr("socket.create_connection", noted)
    with a_proxy(f"many.example:{deaf}", resolve=Resolver([f"127.0.1.{n}" for n in range(1, 31)])) as proxy:
        assert status(get(proxy, f"http://many.example:{deaf}/")) == 504
    assert tried == ["127.0.0.1", *(f"127.0.1.{n}" for n in range(1, 9))]  # the first is the client's


def test_end_gives_up_addresses_that_are_left_to_try(deaf: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reelhaul.egress.proxy.CONNECT_S", 1.0)
    tries = threading.Event()
    resolver = Resolver([f"127.0.1.{n}" for n in range(1, 9)])

    def resolve(*args: Any) -> list[Any]:
        tries.set()
        return resolver(*args)

    with a_proxy(f"many.example:{deaf}", resolve=resolve) as proxy:
        client = ask(proxy, f"GET http://many.example:{deaf}/")
        assert tries.wait(10)
    client.close()
    assert not [thread for thread in threading.enumerate() if thread.name == "egress"]
