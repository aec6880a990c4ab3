"""One POST: where it goes, whom it trusts, how long it takes, and what it makes of the answer."""

import datetime
import time
from collections.abc import Callable, Iterator
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import pytest

from deliver_webhooks.post import Poster
from reelhaul.webhooks.schedule import Outcome
from tests.authority import Authority
from tests.receiver import Receiver

HEADERS = {"Content-Type": "application/json", "webhook-id": "msg_1"}
BODY = '{"title": "文字"}'.encode()
DEADLINE_S = 1.5
LATE = "The target did not answer in time."
REFUSED = "This service does not connect to the address that the target is at."
UNTRUSTED = "The TLS certificate of the target is not trusted."
BROKEN = "The target could not be reached, or broke off."
NO_HTTPS = "What the target is, or answered, is not HTTPS."


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def trusted(authority: Authority, monkeypatch: pytest.MonkeyPatch) -> None:
    """As an operator would have it: by the variable that OpenSSL reads."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.roots))


@pytest.fixture
def answering(authority: Authority, trusted: None) -> Iterator[Callable[..., Receiver]]:
    """Starts receivers: `answering(500, 200)`."""
    started: list[Receiver] = []

    def start(*answers: Any) -> Receiver:
        started.append(Receiver(authority, *answers).__enter__())
        return started[-1]

    yield start
    for receiver in started:
        receiver.__exit__()


@pytest.fixture
def canary(authority: Authority) -> Iterator[Receiver]:
    """A neighbour on the inside. No connection may ever reach it."""
    with Receiver(authority) as receiver:
        yield receiver
        assert receiver.connections == 0


def post(receiver: Receiver, path: str = "/hook", *, deadline_s: float = DEADLINE_S) -> Outcome:
    poster = Poster(allowed_origins=frozenset({receiver.origin}), deadline_s=deadline_s)
    return poster.post(receiver.url(path), HEADERS, BODY)


@pytest.mark.parametrize("status", [200, 204, 404, 410, 500])
def test_status_is_what_the_target_says(answering: Any, status: int) -> None:
    receiver = answering(status)
    assert post(receiver) == Outcome(status=status)
    [received] = receiver.received
    assert received.body == BODY
    assert received.headers["webhook-id"] == "msg_1"
    assert received.headers["content-type"] == "application/json"
    assert received.headers["host"] == receiver.origin
    assert not any(name.startswith("proxy-") for name in received.headers)


@pytest.mark.parametrize(
    ("path", "sent"),
    [
        ("", "/"),
        ("?a=1", "/?a=1"),
        ("/a%20b/c?x=%2F&y=z", "/a%20b/c?x=%2F&y=z"),
        ("/ü?n=文", "/%C3%BC?n=%E6%96%87"),
        ("/a#part", "/a"),
    ],
)
def test_path_and_query_arrive_as_they_were_meant(answering: Any, path: str, sent: str) -> None:
    receiver = answering(200)
    assert post(receiver, path).status == 200
    assert receiver.received[0].path == sent


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_redirect_is_not_followed(answering: Any, canary: Receiver, status: int) -> None:
    receiver = answering((status, {"Location": canary.url()}))
    poster = Poster(allowed_origins=frozenset({receiver.origin, canary.origin}))
    assert poster.post(receiver.url(), HEADERS, BODY) == Outcome(status=status)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost", "2130706433", "0x7f.1", "[::1]", "[::ffff:127.0.0.1]"])
def test_inside_is_refused_in_every_notation(trusted: None, canary: Receiver, host: str) -> None:
    for port in (443, canary.server_port):
        assert Poster().post(f"https://{host}:{port}/", HEADERS, BODY).status is None


def test_refused_address_is_told(trusted: None, canary: Receiver) -> None:
    assert Poster().post(canary.url(), HEADERS, BODY) == Outcome(error=REFUSED)
    assert Poster().post("https://127.0.0.1/", HEADERS, BODY) == Outcome(error=REFUSED)


def test_certificate_that_nobody_vouches_for_is_refused(authority: Authority, monkeypatch: Any) -> None:
    monkeypatch.delenv("SSL_CERT_FILE", raising=False)
    with Receiver(authority) as receiver:
        assert post(receiver) == Outcome(error=UNTRUSTED)
    assert receiver.received == []


def test_certificate_for_another_name_is_refused(answering: Any) -> None:
    receiver = answering(200)
    name = f"localhost:{receiver.server_port}"
    poster = Poster(allowed_origins=frozenset({name}))
    assert poster.post(f"https://{name}/", HEADERS, BODY) == Outcome(error=UNTRUSTED)
    assert receiver.received == []


@pytest.mark.parametrize("answer", ["hang", "drip"])
def test_target_that_takes_its_time_is_left_in_time(answering: Any, answer: str) -> None:
    receiver = answering(answer)
    assert post(receiver) == Outcome(error=LATE)
    assert len(receiver.received) == 1


def test_body_is_not_waited_for(answering: Any) -> None:
    started = time.monotonic()
    assert post(answering("drip the body"), deadline_s=60) == Outcome(status=200)
    assert time.monotonic() - started < 50  # the body takes 100 s


@pytest.mark.parametrize(
    ("answer", "errors"),
    [
        ("nonsense", {NO_HTTPS}),
        ("close", {BROKEN}),
        ("flood", {NO_HTTPS, BROKEN}),  # whichever comes first: that a line is too long, or the end of the connection
    ],
)
def test_answer_that_is_none_is_a_failure(answering: Any, answer: str, errors: set[str]) -> None:
    outcome = post(answering(answer))
    assert outcome == Outcome(error=outcome.error)
    assert outcome.error in errors


def test_nobody_there_is_a_failure(answering: Any) -> None:
    receiver = answering(200)
    receiver.__exit__()
    assert post(receiver) == Outcome(error=BROKEN)


@pytest.mark.parametrize("url", ["http://127.0.0.1/", "https://", "https://a..b/", "https://[::1/", "https://x:99999/"])
def test_what_is_no_https_address_is_a_failure(trusted: None, url: str) -> None:
    outcome = Poster().post(url, HEADERS, BODY)
    assert (outcome.status, outcome.error) == (None, NO_HTTPS)


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("7", 7.0), ("0", 0.0), ("99999999999999999999", 999_999_999.0), ("soon", None), ("-1", None), ("", None),
     ("Sun, 06 Nov 99999 08:49:37 GMT", None), ("Sun, 06 Nov 1994 08:49:37 GMT", 0.0)],
)  # fmt: skip
def test_retry_after_is_read_or_ignored(answering: Any, text: str, seconds: float | None) -> None:
    assert post(answering((503, {"Retry-After": text}))) == Outcome(status=503, retry_after_s=seconds)


def test_retry_after_may_be_a_date(answering: Any) -> None:
    at = datetime.datetime.now(datetime.UTC) + datetime.timedelta(seconds=60)
    outcome = post(answering((429, {"Retry-After": format_datetime(at, usegmt=True)})))
    assert 55 < (outcome.retry_after_s or 0) <= 60


def test_nothing_of_the_system_leads_around_the_proxy(answering: Any, monkeypatch: Any, canary: Receiver) -> None:
    for name in ("HTTPS_PROXY", "https_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, canary.url())
    assert post(answering(200)).status == 200


def test_roots_file_can_be_elsewhere(authority: Authority, tmp_path: Path, monkeypatch: Any) -> None:
    moved = tmp_path / "roots.pem"
    moved.write_bytes(authority.roots.read_bytes())
    monkeypatch.setenv("SSL_CERT_FILE", str(moved))
    with Receiver(authority) as receiver:
        assert post(receiver).status == 200
