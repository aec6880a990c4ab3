"""A proxy behind the egress proxy: what it is asked, and what becomes of its failures."""

import contextlib
import http.client
import socket
import ssl
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from reelhaul.egress import EgressProxy, Upstream
from tests.authority import Authority
from tests.connect_proxy import ConnectProxy
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
from tests.unit.reelhaul.egress.test_proxy import PUBLIC, Resolver

SECRET = "pr0xy-p4ss"
CREDENTIALS = f"user:{SECRET}"


@pytest.fixture(params=["http", "https"])
def tls(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> ssl.SSLContext | None:
    """What the upstream speaks: TLS of an authority that is trusted, or none."""
    if request.param == "http":
        return None
    authority = Authority(tmp_path / "authority")
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.roots))
    return authority.server_context()


@contextlib.contextmanager
def behind(upstream: ConnectProxy, *allowed: str, credentials: str | None = None, **how: Any) -> Iterator[EgressProxy]:
    """An egress proxy before `upstream`, with the right credentials or with others."""
    with a_proxy(*allowed, upstream=Upstream.parse(upstream.url(credentials)), **how) as proxy:
        yield proxy


# --- what is asked of it ---------------------------------------------------------------------------------------------


def test_plain_http_goes_through_a_tunnel_to_an_address(source: SourceServer, tls: ssl.SSLContext | None) -> None:
    with (
        ConnectProxy(credentials=CREDENTIALS, tls=tls) as upstream,
        behind(upstream, f"localhost:{source.server_address[1]}") as proxy,
    ):
        answer = get(proxy, f"http://localhost:{source.server_address[1]}/clip.mp4")
    assert answer.endswith((source.directory / "clip.mp4").read_bytes())
    assert upstream.targets == [source.origin]
    assert upstream.relayed_bytes > MIB // 100


def test_tls_to_the_source_goes_through_request_after_request(
    source: SourceServer, tls: ssl.SSLContext | None, tmp_path: Path
) -> None:
    source.socket = certified(tmp_path).wrap_socket(source.socket, server_side=True)
    clip = (source.directory / "clip.mp4").read_bytes()
    with (
        ConnectProxy(credentials=CREDENTIALS, tls=tls) as upstream,
        behind(upstream, source.origin) as proxy,
    ):
        client = http.client.HTTPSConnection("127.0.0.1", proxy.port, context=ssl._create_unverified_context())  # noqa: S323, SLF001
        client.set_tunnel("127.0.0.1", source.server_address[1], {"Proxy-Authorization": password(proxy)})
        for _ in range(3):
            client.request("GET", "/clip.mp4")
            assert client.getresponse().read() == clip
        client.close()
    assert upstream.targets == [source.origin]


def test_what_looks_the_name_up_is_this_side_alone() -> None:
    resolver = Resolver([PUBLIC], ["127.0.0.1"])
    with (
        ConnectProxy(answer="503 Service Unavailable") as upstream,
        behind(upstream, resolve=resolver) as proxy,
    ):
        get(proxy, "http://rebinding.example/")
    assert (upstream.targets, resolver.questions) == ([f"{PUBLIC}:80"], ["rebinding.example"])
    assert not [head for head in upstream.heads if "rebinding.example" in head]


def test_address_of_ipv6_is_written_in_brackets() -> None:
    with (
        ConnectProxy(answer="503 Service Unavailable") as upstream,
        behind(upstream, resolve=Resolver(["2606:2800::1"])) as proxy,
    ):
        get(proxy, "http://six.example/")
    assert upstream.targets == ["[2606:2800::1]:80"]


@pytest.mark.parametrize("request_line", ["CONNECT {}", "GET http://{}/clip.mp4"])
def test_inside_is_refused_before_anybody_is_asked(canary: SourceServer, request_line: str) -> None:
    with (
        ConnectProxy() as upstream,
        behind(upstream) as proxy,
    ):
        assert status(read_all(ask(proxy, request_line.format(canary.origin)))) == 403
        assert proxy.refused
    assert upstream.connections == 0


def test_password_may_hold_whatever_can_be_percent_encoded(source: SourceServer) -> None:
    with (
        ConnectProxy(credentials="us er:p@ss:w/rd") as upstream,
        behind(upstream, source.origin, credentials="us%20er:p%40ss%3Aw%2Frd") as proxy,
    ):
        assert status(get(proxy, source.url("page.html"))) == 200


def test_neither_side_sees_the_others_credentials(source: SourceServer) -> None:
    with (
        ConnectProxy(credentials=CREDENTIALS) as upstream,
        raw_source(b"HTTP/1.1 204 No\r\n\r\n") as (origin, requests),
        behind(upstream, origin) as proxy,
    ):
        answer = get(proxy, f"http://{origin}/")
        own = password(proxy)
    assert b"Proxy-Authorization" not in requests[0]
    assert b"X-By" not in answer
    assert own not in upstream.heads[0]


# --- how it ends -----------------------------------------------------------------------------------------------------


def test_credentials_that_are_refused_are_told_from_a_failure(source: SourceServer) -> None:
    with (
        ConnectProxy(credentials=CREDENTIALS) as upstream,
        behind(upstream, source.origin, credentials="user:wrong") as proxy,
    ):
        answer = get(proxy, source.url("clip.mp4"))
        assert proxy.upstream_error == "site.proxy_refused"
    assert status(answer) == 502
    assert b"407" not in answer
    assert source.connections == 0


@pytest.mark.parametrize(
    ("answer", "code"),
    [
        ("407 Proxy Authentication Required", "site.proxy_refused"),
        ("403 Forbidden", "site.proxy_refused"),
        ("402 Payment Required", "site.proxy_refused"),
        ("302 Found", "site.proxy_refused"),
        ("429 Too Many Requests", "site.proxy_failed"),
        ("502 Bad Gateway", "site.proxy_failed"),
        ("503 Service Unavailable", "site.proxy_failed"),
        ("no status", "site.proxy_failed"),
    ],
)
@pytest.mark.parametrize("request_line", ["CONNECT {}", "GET http://{}/clip.mp4"])
def test_answer_that_is_no_tunnel_has_its_code(source: SourceServer, answer: str, code: str, request_line: str) -> None:
    with (
        ConnectProxy(answer=answer) as upstream,
        behind(upstream, source.origin) as proxy,
    ):
        assert status(read_all(ask(proxy, request_line.format(source.origin)))) == 502
        assert (proxy.upstream_error, proxy.refused) == (code, False)
    assert source.connections == 0


def test_proxy_that_is_not_there_is_a_failure_and_not_gone_round(source: SourceServer) -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        port = gone.getsockname()[1]
    with a_proxy(source.origin, upstream=Upstream.parse(f"http://127.0.0.1:{port}")) as proxy:
        assert status(get(proxy, source.url("clip.mp4"))) == 502
        assert proxy.upstream_error == "site.proxy_failed"
    assert source.connections == 0


def test_proxy_whose_certificate_is_not_trusted_gets_no_password(source: SourceServer, tmp_path: Path) -> None:
    with (
        ConnectProxy(credentials=CREDENTIALS, tls=Authority(tmp_path).server_context()) as upstream,
        behind(upstream, source.origin) as proxy,
    ):
        assert status(get(proxy, source.url("clip.mp4"))) == 502
        assert proxy.upstream_error == "site.proxy_failed"
    assert (upstream.heads, source.connections) == ([], 0)


def test_of_several_addresses_one_that_can_be_reached_is_enough(source: SourceServer) -> None:
    port = source.server_address[1]
    resolver = Resolver(["127.0.0.9", "127.0.0.1"])
    with (
        ConnectProxy() as upstream,
        behind(upstream, f"two.example:{port}", resolve=resolver) as proxy,
    ):
        answer = get(proxy, f"http://two.example:{port}/page.html")
        assert proxy.upstream_error is None
    assert status(answer) == 200
    assert upstream.targets == [f"127.0.0.9:{port}", f"127.0.0.1:{port}"]


def test_truncated_answer_ends_in_a_reset_behind_a_proxy_too(tls: ssl.SSLContext | None) -> None:
    with (
        ConnectProxy(tls=tls) as upstream,
        raw_source(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nhalf") as (origin, _),
        behind(upstream, origin) as proxy,
        pytest.raises(ConnectionResetError),
    ):
        get(proxy, f"http://{origin}/")


def test_end_without_tls_goodbye_may_have_cut_something_off(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    authority = Authority(tmp_path)
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.roots))
    with (
        ConnectProxy(tls=authority.server_context(), is_polite=False) as upstream,
        raw_source(b"HTTP/1.0 200 OK\r\n\r\nuntil the end") as (origin, _),
        behind(upstream, origin) as proxy,
    ):
        with pytest.raises(ConnectionResetError):
            get(proxy, f"http://{origin}/")
        client = ask(proxy, f"CONNECT {origin}")  # in a tunnel, what is inside has its own idea of being complete
        client.recv(1000)
        client.sendall(b"GET / HTTP/1.0\r\n\r\n")
        assert read_all(client).endswith(b"until the end")


def test_byte_budget_holds_behind_a_proxy(source: SourceServer, tls: ssl.SSLContext | None) -> None:
    with (
        ConnectProxy(tls=tls) as upstream,
        behind(upstream, source.origin, max_bytes=MIB) as proxy,
    ):
        with pytest.raises(ConnectionResetError):
            get(proxy, source.url("endless.mp4"))
        assert proxy.verdict == "source.too_large"


def test_deadline_holds_while_a_proxy_says_nothing() -> None:
    silent = socket.create_server(("127.0.0.1", 0))
    upstream = Upstream.parse(f"http://127.0.0.1:{silent.getsockname()[1]}")
    with silent, a_proxy(resolve=Resolver([PUBLIC]), seconds=0.5, upstream=upstream) as proxy:
        with contextlib.suppress(ConnectionResetError):  # which of the two time-outs comes first is chance
            assert status(get(proxy, "http://slow.example/")) == 502
        assert proxy.verdict == "source.too_slow"


# --- how it is written -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("http://proxy.example:3128", Upstream(host="proxy.example", port=3128, is_encrypted=False)),
        ("HTTPS://proxy.example:443/", Upstream(host="proxy.example", port=443, is_encrypted=True)),
        ("http://[::1]:8080", Upstream(host="::1", port=8080, is_encrypted=False)),
        (
            "http://user:p%40ss@10.0.0.1:3128",
            Upstream(host="10.0.0.1", port=3128, is_encrypted=False, authorization="Basic dXNlcjpwQHNz"),
        ),
    ],
)
def test_url_of_a_proxy_is_understood(url: str, expected: Upstream) -> None:
    assert Upstream.parse(url) == expected


@pytest.mark.parametrize(
    "url",
    [
        "", "proxy.example:3128", "http://proxy.example", "http://:3128", "ftp://proxy.example:21",
        f"http://user:{SECRET}@proxy.example", f"http://user:{SECRET}@proxy.example:99999",
        f"http://user:{SECRET}#@proxy.example:3128", f"http://user:{SECRET}/x@proxy.example:3128",
        f"http://user:{SECRET}@proxy.example:3128/path", f"http://user:{SECRET}@proxy.example:3128?q",
        f"http://user:{SECRET} @proxy.example:3128", f"http://user:{SECRET}ü@proxy.example:3128",
        f"http://user:{SECRET}\r\nX: y@proxy.example:3128", f"http://user:{SECRET}@[proxy.example:3128",
        f"socks5://user:{SECRET}@proxy.example:1080",
    ],
)  # fmt: skip
def test_what_is_no_proxy_is_refused_without_showing_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"\.$") as caught:
        Upstream.parse(url)
    assert SECRET not in str(caught.value)
    assert caught.value.__cause__ is None
    assert caught.value.__suppress_context__ or caught.value.__context__ is None


def test_socks_is_named_as_what_is_not_spoken() -> None:
    with pytest.raises(ValueError, match="SOCKS"):
        Upstream.parse("socks5h://127.0.0.1:9050")


def test_password_is_not_in_what_a_proxy_looks_like() -> None:
    upstream = Upstream.parse(f"http://{CREDENTIALS}@proxy.example:3128")
    assert upstream.authorization is not None
    assert SECRET not in repr(upstream)
    assert upstream.authorization not in repr(upstream)
