"""Both contracts' parsers and the source check, with whatever hypothesis thinks of. See `tests.fuzz.targets`."""

import json
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from reelhaul import errors
from reelhaul.contracts import requests
from tests.fuzz import targets

# What has broken parsers elsewhere: line ends, JSON in strings, terminals, directions, halves of characters, numbers.
NASTY = st.sampled_from([
    "a\r\nSet-Cookie: a=b", "\n", "\x00", "\x1b[31m", '","tenant":"acme', '{"$ne": 0}', "\u202egnp.exe",
    "\u2066", "\u2028",
    "\ud800", "\ufeff", "\u200b", "../../etc/passwd", "${jndi:ldap://a}", "{{7*7}}", "%0d%0a", "A" * 3000, "é" * 400,
])  # fmt: skip
ADDRESSES = st.sampled_from([
    "https://media.example/a.mp4", "HTTP://MEDIA.EXAMPLE", "https://media.example\\@inside/", "https://a@b@c/", "http://[::1]:80/",
    "http://[::1%25eth0]/", "https:///media.example/", "https:/\\media.example/", "http://media.example:80:80/", "http://1.2.3/",
    "https://media.example%2f@inside/", "http://media.example\u3002inside/", "http://\uff11\uff12\uff17.0.0.1/",
    "http://media.example/#__youtubedl_smuggle=%7B%22a%22%3A1%7D", "ytsearch:cats", "file:///etc/passwd", "http://a\tb/",
])  # fmt: skip
TEXTS = st.text(max_size=60) | NASTY | ADDRESSES
LEAVES = (
    TEXTS | st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from([10**400, -0.0, 1e308, 2**63])
)
VALUES = st.recursive(
    LEAVES, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4), max_leaves=12
)
FIELDS = st.sampled_from([
    "url", "stream_link", "name", "quality", "download_type", "audio_format", "container", "callback_url", "subtitles",
    "clip", "playlist", "playlist_limit", "retention_days", "download_id", "tenant",
])  # fmt: skip
CLIPS = st.dictionaries(st.sampled_from(["start", "end", "length"]), LEAVES, max_size=3)
BODIES = st.dictionaries(FIELDS, VALUES | CLIPS, max_size=6).map(
    lambda body: {"url": "https://media.example/a.mp4"} | body
)
SENT = BODIES.map(lambda body: json.dumps(body).encode()) | VALUES.map(lambda value: json.dumps(value).encode())
RAW = st.binary(max_size=200)
URLS = (
    TEXTS
    | st.from_regex(r"https?://[^/]{1,40}(/.{0,40})?", fullmatch=True)
    | st.builds(lambda scheme, rest: f"{scheme}://{rest}", st.sampled_from(["http", "https", "HTTPS", "ftp"]), TEXTS)
).map(lambda text: text.encode("utf-8", "surrogatepass"))
QUERIES = st.lists(
    st.tuples(st.sampled_from(["count", "page_index", "status", "next_token", "limit", "download_id"]), TEXTS),
    max_size=4,
).map(lambda pairs: "&".join(f"{name}={value}" for name, value in pairs).encode("utf-8", "surrogatepass"))


@given(SENT | RAW)
@example(b'{"url": "https://media.example/", "clip": {"start": 1e999}}')
@example(b"[" * 16_000)
@example(b'{"a":' * 3_000)
@example(b'{"url": ' + b"9" * 10_000 + b"}")
@pytest.mark.parametrize("target", [targets.first_contract, targets.second_contract, targets.info])
def test_a_body_is_taken_whole_or_refused_in_our_own_words(target: Any, sent: bytes) -> None:
    target(sent)


@given(SENT | RAW | QUERIES)
@pytest.mark.parametrize("target", [targets.retry, targets.deletion, targets.listing])
def test_what_names_jobs_is_taken_whole_or_refused_in_our_own_words(target: Any, sent: bytes) -> None:
    target(sent)


@given(URLS)
@example(b"http://media.example\\@inside/")
@example(b"http://inside\\.media.example/")
@example("http://\uff45xample.com\uff0f.media.example/".encode())
def test_a_source_is_plainly_an_address_of_the_web_or_refused(sent: bytes) -> None:
    targets.source(sent)


@given(RAW | st.text("ABCDEFabcdef0123456789-_=", max_size=80).map(str.encode))
def test_no_token_but_our_own_leads_anywhere(sent: bytes) -> None:
    targets.token(sent)


@given(st.text(max_size=80).map(lambda text: text.encode("latin-1", "replace")) | RAW)
@example(b"media.example/a\r\nx: y")
def test_headers_are_taken_whole_or_left_alone(sent: bytes) -> None:
    targets.headers(sent)


# --- the targets can fail ---------------------------------------------------------------------------------------------


def test_control_a_source_check_that_lets_everything_pass_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(targets, "check_source", lambda _url: None)
    with pytest.raises(AssertionError):
        targets.source(b"file:///etc/passwd")


def test_control_a_parser_that_crashes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "check_source", lambda url, **_: url.index("?"))
    with pytest.raises(ValueError, match="substring"):
        targets.first_contract(b'{"stream_link": "https://media.example/"}')


def test_control_a_name_that_is_taken_as_it_comes_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(requests, "clean_title", lambda name: name)
    with pytest.raises(AssertionError):
        targets.second_contract(json.dumps({"url": "https://media.example/", "name": "\u202egnp.exe"}).encode())


def test_control_an_error_of_ours_is_no_refusal(monkeypatch: pytest.MonkeyPatch) -> None:
    def break_down(*_: object, **__: object) -> None:
        raise errors.ServiceUnavailable

    monkeypatch.setattr(requests, "parse_retry", break_down)
    with pytest.raises(AssertionError):
        targets.retry(b"{}")
