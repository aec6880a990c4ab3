"""What the two contracts accept when a download is asked for. Pure.

Checked by hand: to import pydantic and build one model takes half as long as `import boto3`, on each cold start of the
function that people wait for most.
"""

from collections.abc import Mapping
from typing import Any

from reelhaul.errors import InvalidRequest, NotSupported
from reelhaul.options import MAX_NAME_CHARS, DownloadRequest, clean_text
from reelhaul.sources import check_source

IDEMPOTENCY_HEADER = "Idempotency-Key"

_TEXTS = frozenset({"url", "name", "quality", "download_type"})
# Options of the contract that this version does not carry out yet, each with the value that asks for nothing.
_LATER: dict[str, object] = {
    "audio_format": "best",
    "container": "mp4",
    "subtitles": [],
    "clip": None,
    "playlist": "auto",
    "playlist_limit": None,
    "callback_url": None,
    "retention_days": None,
}
_MAX_ECHO_CHARS = 60  # of a field name that somebody made up


def parse_download(body: Mapping[str, Any], headers: Mapping[str, str]) -> DownloadRequest:
    """`POST /download`. Raises `InvalidRequest` naming the field; `url` is another name of `stream_link`."""
    texts = _texts(body, _TEXTS | {"stream_link"})
    links = {field: texts[field] for field in ("stream_link", "url") if field in texts}
    if len(set(links.values())) > 1:
        raise InvalidRequest("stream_link and url name different sources.", field="stream_link")
    return _request(body, headers, texts, url_field=next(iter(links), "stream_link"), default_quality="best")


def parse_offline(body: Mapping[str, Any], headers: Mapping[str, str]) -> DownloadRequest:
    """`POST /api/download`. Raises `InvalidRequest` naming the field."""
    return _request(body, headers, _texts(body, _TEXTS), url_field="url", default_quality="720p")


def _texts(body: Mapping[str, Any], known: frozenset[str]) -> dict[str, str]:
    """The fields that hold text. `null` is the same as leaving a field out."""
    unknown = [clean_text(field)[:_MAX_ECHO_CHARS] for field in body if field not in known and field not in _LATER]
    if unknown:
        raise InvalidRequest(f"Unknown field: {', '.join(unknown)}.", field=unknown[0])
    given = {field: body[field] for field in body if field in known and body[field] is not None}
    for field, value in given.items():
        if not isinstance(value, str):
            raise InvalidRequest(f"{field} must be a string.", field=field)
    return given


def _request(
    body: Mapping[str, Any],
    headers: Mapping[str, str],
    texts: Mapping[str, str],
    *,
    url_field: str,
    default_quality: str,
) -> DownloadRequest:
    _refuse_later(body, headers)
    if url_field not in texts:
        raise InvalidRequest(f"{url_field} is required.", field=url_field)
    check_source(texts[url_field], field=url_field)
    return DownloadRequest(
        url=texts[url_field],
        name=_name(texts.get("name", "")),
        quality=texts.get("quality", default_quality),
        download_type=texts.get("download_type", "video"),
    )


def _refuse_later(body: Mapping[str, Any], headers: Mapping[str, str]) -> None:
    for field, nothing in _LATER.items():
        if body.get(field) not in (None, nothing):
            raise NotSupported(f"{field} is not supported yet.", field=field)
    if headers.get(IDEMPOTENCY_HEADER):
        raise NotSupported(f"{IDEMPOTENCY_HEADER} is not supported yet.", field=IDEMPOTENCY_HEADER)


def _name(name: str) -> str | None:
    if len(name) > MAX_NAME_CHARS:
        raise InvalidRequest(f"name is longer than {MAX_NAME_CHARS} characters.", field="name")
    return clean_text(name) or None
