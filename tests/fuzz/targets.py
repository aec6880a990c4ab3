"""Each target takes what was sent and fails, as a test does, unless it is taken or refused as it should be."""

import unicodedata
from collections.abc import Callable
from typing import Any
from urllib.parse import urlsplit

from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from authorizer.handler import presented_key
from reelhaul import http
from reelhaul.contracts import downloads, offline, replies, requests
from reelhaul.errors import ReelhaulError
from reelhaul.items import from_item, to_item
from reelhaul.jobs import Job
from reelhaul.options import DownloadRequest
from reelhaul.sources import check_source
from reelhaul.steps import new
from reelhaul.tokens import read_token, token_key
from tests.events import HttpRequest

_KEY = token_key("a secret that no input knows")
_ID = "download-01k0000000zzzzzzzzzzzzzzzz"
# UAX #9, section 2: what changes the direction of what comes after it.
_BIDI = frozenset("\u061c\u200e\u200f\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
# "Forbidden host code points" of the URL standard, but for what an IPv6 address is written with.
_NO_HOST = frozenset(map(chr, range(0x21))) | frozenset("#/<>?@\\^|%\x7f")


def first_contract(sent: bytes) -> None:
    _a_download(sent, requests.parse_download)


def second_contract(sent: bytes) -> None:
    _a_download(sent, requests.parse_offline)


def info(sent: bytes) -> None:
    said = _taken(lambda: requests.parse_info(http.json_object(_event(sent))))
    if said is not None:
        assert_source(said[0])


def retry(sent: bytes) -> None:
    _taken(lambda: requests.parse_retry(http.json_object(_event(sent), required=False)))


def deletion(sent: bytes) -> None:
    """Both as a body and as a query string, with an id in the path and without."""
    for path_id in (None, _ID):
        _taken(lambda: downloads.parse_deletion(path_id, {}, http.json_object(_event(sent), required=False)))  # noqa: B023 - called at once
        _taken(lambda: downloads.parse_deletion(path_id, http.query(_event(b"", query=sent)), {}))  # noqa: B023 - the same


def listing(sent: bytes) -> None:
    wanted = _taken(lambda: downloads.parse_listing(http.query(_event(b"", query=sent))))
    if wanted is not None:
        assert 1 <= wanted.count <= 5000
        assert wanted.page_index >= 0
        assert wanted.status in (None, "processing", "done", "error")
    limit = _taken(lambda: offline.parse_limit(http.query(_event(b"", query=sent))))
    assert limit is None or 1 <= limit <= 1000


def token(sent: bytes) -> None:
    """None that we have not made is taken."""
    read = _taken(lambda: read_token(sent.decode("latin-1"), [_KEY], tenant="acme", status=None))
    assert read is None, "forged"


def source(sent: bytes) -> None:
    url = sent.decode("utf-8", "surrogateescape")

    def checked() -> bool:
        check_source(url)
        return True

    if _taken(checked):
        assert_source(url)


def headers(sent: bytes) -> None:
    """What a client says in headers that are read: its key, its host, its idempotency key and the type of its body."""
    text = sent.decode("latin-1")
    names = ("x-access-token", "authorization", "host", "x-forwarded-proto", "idempotency-key", "content-type")
    for name in names:
        event = _event(b"{}", headers={name: text})
        _taken(lambda: presented_key({name: text}))  # noqa: B023 - called at once
        _taken(lambda: requests.request_key(event.headers))  # noqa: B023 - the same
        _taken(lambda: http.json_object(event))  # noqa: B023 - the same
        origin = http.origin(event)
        assert origin.isprintable()
        assert urlsplit(origin).path == urlsplit(origin).query == ""
        assert " " not in origin


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (first_contract, second_contract, info, retry, deletion, listing, token, source, headers)
}


# --- what must hold ---------------------------------------------------------------------------------------------------


def assert_source(url: str) -> None:
    """It is plainly an address of the web, and reads the same to everybody."""
    assert len(url) <= 2048
    parts = urlsplit(url)
    assert parts.scheme.lower() in {"http", "https"}
    assert parts.hostname
    assert "@" not in parts.netloc
    assert url.isprintable()
    assert " " not in url
    assert not _NO_HOST & set(parts.hostname.strip("[]"))
    assert "__youtubedl_smuggle" not in url
    url.encode()


def assert_readable(text: str) -> None:
    """One line, that cannot make what stands around it read differently."""
    assert not _BIDI & set(text)
    assert not [char for char in text if unicodedata.category(char) in {"Cc", "Cs", "Zl", "Zp"}]


def _a_download(sent: bytes, parse: Callable[..., DownloadRequest]) -> None:
    request = _taken(lambda: parse(http.json_object(_event(sent)), max_retention_days=30))
    if request is None:
        return
    assert_source(request.url)
    if request.callback_url is not None:
        assert_source(request.callback_url)
        assert urlsplit(request.callback_url).scheme.lower() == "https"
    assert_readable(request.name or "")
    assert len(request.name or "") <= 300
    assert request.retention_days is None or 1 <= request.retention_days <= 30
    _assert_it_can_be_kept(request)


def _assert_it_can_be_kept(request: DownloadRequest) -> None:
    job: Job = new(
        job_id=_ID, tenant="acme", now=1.0, url=request.url, name=request.name, options=request.options,
        retention_days=request.retention_days or 7, callback_url=request.callback_url,
    )  # fmt: skip
    assert from_item(to_item(job)) == job
    replies.dumps(downloads.accepted(job, "https://host.example")).encode()


def _taken(parse: Callable[[], Any]) -> Any:
    """What was read, `None` where it was refused in our own words. Anything else that is raised fails."""
    try:
        return parse()
    except ReelhaulError as error:
        _assert_refusal(error)
        return None


def _assert_refusal(error: ReelhaulError) -> None:
    assert 400 <= replies.status_of(error) < 500, error.code
    said = replies.dumps(replies.error_body(error))
    said.encode()
    assert len(said) < 40_000  # the body that was refused has 16 KB at most, and is told twice
    assert_readable(str(error))


def _event(body: bytes, *, query: bytes = b"", headers: dict[str, str] | None = None) -> APIGatewayProxyEventV2:
    event = HttpRequest(method="POST", path="/download", body=body, headers=headers or {}).event()
    return APIGatewayProxyEventV2(event | {"rawQueryString": query.decode("latin-1")})
