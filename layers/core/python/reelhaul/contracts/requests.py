"""What the two contracts accept when a download is asked for. Pure.

Checked by hand: to import pydantic and build one model takes half as long as `import boto3`, on each cold start of the
function that people wait for most. `reelhaul.options` knows which values an option may have; here is how it is written.
"""

import hashlib
import json
import re
from collections.abc import Mapping
from typing import Any

from reelhaul.contracts.replies import echo
from reelhaul.errors import InvalidRequest
from reelhaul.names import clean_title
from reelhaul.options import MAX_NAME_CHARS, MAX_PLAYLIST_ITEMS, Clip, DownloadRequest, Options, check_options
from reelhaul.site_policy import SitePolicy
from reelhaul.sources import check_source

IDEMPOTENCY_HEADER = "Idempotency-Key"

_TEXTS = ("url", "name", "quality", "download_type", "audio_format", "container", "callback_url")
_FIELDS = frozenset({*_TEXTS, "subtitles", "clip", "playlist", "playlist_limit", "retention_days"})
_CLIP_FIELDS = frozenset({"start", "end"})
_ALL_SITES = SitePolicy()
_KEY = re.compile(r"[ -~]{1,255}", re.ASCII)


def parse_download(
    body: Mapping[str, Any],
    *,
    max_retention_days: int,
    max_playlist_items: int = MAX_PLAYLIST_ITEMS,
    sites: SitePolicy = _ALL_SITES,
) -> DownloadRequest:
    """`POST /download`. `url` is another name of `stream_link`.

    Raises `InvalidRequest` naming the field, and `SiteNotAllowed`.
    """
    given = _given(body, _FIELDS | {"stream_link"})
    links = {field: _text(given, field) for field in ("stream_link", "url") if field in given}
    if len(set(links.values())) > 1:
        raise InvalidRequest("stream_link and url name different sources.", field="stream_link")
    url_field = next(iter(links), "stream_link")
    return _request(
        given,
        url_field=url_field,
        default_quality="best",
        max_retention_days=max_retention_days,
        max_playlist_items=max_playlist_items,
        sites=sites,
    )


def parse_offline(
    body: Mapping[str, Any],
    *,
    max_retention_days: int,
    max_playlist_items: int = MAX_PLAYLIST_ITEMS,
    sites: SitePolicy = _ALL_SITES,
) -> DownloadRequest:
    """`POST /api/download`. Raises `InvalidRequest` naming the field, and `SiteNotAllowed`."""
    given = _given(body, _FIELDS)
    return _request(
        given,
        url_field="url",
        default_quality="720p",
        max_retention_days=max_retention_days,
        max_playlist_items=max_playlist_items,
        sites=sites,
    )


def parse_retry(body: Mapping[str, Any]) -> None:
    """`POST /download/{id}`: the same once more, so there is nothing to be said. Raises `InvalidRequest`."""
    _given(body, frozenset())


def parse_info(body: Mapping[str, Any], *, sites: SitePolicy = _ALL_SITES) -> tuple[str, str]:
    """`POST /api/info`: the URL, and how a playlist is meant. Raises as `parse_offline` does."""
    given = _given(body, frozenset({"url", "playlist"}))
    if "url" not in given:
        raise InvalidRequest("url is required.", field="url")
    url = _text(given, "url")
    check_source(url)
    sites.check(url, field="url")
    options = Options(playlist=_playlist(given.get("playlist", "auto")))
    check_options(options)
    return url, options.playlist


def request_key(headers: Mapping[str, str]) -> str | None:
    """The request's idempotency key, if it has one. Raises `InvalidRequest` unless that is printable ASCII."""
    key = headers.get(IDEMPOTENCY_HEADER)
    if key is not None and not _KEY.fullmatch(key):
        sentence = f"{IDEMPOTENCY_HEADER} must be 1 to 255 printable ASCII characters."
        raise InvalidRequest(sentence, field=IDEMPOTENCY_HEADER)
    return key


def fingerprint(route: str, body: Mapping[str, Any]) -> str:
    """A hash by which a repeated request is known, however its JSON is written: SHA-256, in hexadecimal."""
    text = json.dumps([route, body], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def _given(body: Mapping[str, Any], known: frozenset[str], *, within: str = "") -> dict[str, Any]:
    """The fields that say something: `null` is the same as leaving a field out."""
    unknown = [within + echo(field) for field in body if field not in known]
    if unknown:
        raise InvalidRequest(f"Unknown field: {', '.join(unknown)}.", field=unknown[0])
    return {field: value for field, value in body.items() if value is not None}


def _request(
    given: Mapping[str, Any],
    *,
    url_field: str,
    default_quality: str,
    max_retention_days: int,
    max_playlist_items: int,
    sites: SitePolicy,
) -> DownloadRequest:
    if url_field not in given:
        raise InvalidRequest(f"{url_field} is required.", field=url_field)
    url = _text(given, url_field)
    check_source(url, field=url_field)
    sites.check(url, field=url_field)
    return DownloadRequest(
        url=url,
        name=_name(_text(given, "name", "")),
        options=_options(given, default_quality=default_quality, max_playlist_items=max_playlist_items),
        retention_days=_whole(given, "retention_days", None, high=max_retention_days),
        callback_url=_text(given, "callback_url") if "callback_url" in given else None,
    )


def _options(given: Mapping[str, Any], *, default_quality: str, max_playlist_items: int) -> Options:
    limit = _whole(given, "playlist_limit", max_playlist_items, high=max_playlist_items)
    return Options(
        quality=_text(given, "quality", default_quality),
        download_type=_text(given, "download_type", "video"),
        audio_format=_text(given, "audio_format", "best"),
        container=_text(given, "container", "mp4"),
        subtitles=_languages(given.get("subtitles", [])),
        clip=_clip(given.get("clip", {})),
        playlist=_playlist(given.get("playlist", "auto")),
        playlist_limit=limit or max_playlist_items,
    )


def _name(name: str) -> str | None:
    if len(name) > MAX_NAME_CHARS:
        raise InvalidRequest(f"name is longer than {MAX_NAME_CHARS} characters.", field="name")
    return clean_title(name) or None


def _text(given: Mapping[str, Any], field: str, default: str = "") -> str:
    value = given.get(field, default)
    if not isinstance(value, str):
        raise InvalidRequest(f"{field} must be a string.", field=field)
    return value


def _whole(given: Mapping[str, Any], field: str, default: int | None, *, high: int) -> int | None:
    """JSON knows one kind of number: 5.0 is as whole as 5. A boolean is none, whatever Python says."""
    if field not in given:
        return default
    value = given[field]
    is_whole = isinstance(value, int) or (isinstance(value, float) and value.is_integer())
    if not is_whole or isinstance(value, bool) or not 1 <= value <= high:
        raise InvalidRequest(f"{field} must be a whole number from 1 to {high}.", field=field)
    return int(value)


def _languages(value: object) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(language, str) for language in value):
        raise InvalidRequest("subtitles must be a list of language codes.", field="subtitles")
    return tuple(dict.fromkeys(value))


def _playlist(value: object) -> str:
    if isinstance(value, bool):
        return "true" if value else "false"
    if not isinstance(value, str):
        raise InvalidRequest('playlist must be "auto", true or false.', field="playlist")
    return value


def _clip(value: object) -> Clip | None:
    """`None` for a clip that leaves nothing out."""
    if not isinstance(value, dict):
        raise InvalidRequest('clip must be an object, as in {"start": 1.5, "end": 10}.', field="clip")
    given = _given(value, _CLIP_FIELDS, within="clip.")
    clip = Clip(start_s=_seconds(given, "start") or 0.0, end_s=_seconds(given, "end"))
    return None if clip == Clip() else clip


def _seconds(given: Mapping[str, Any], field: str) -> float | None:
    value = given.get(field)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidRequest(f"clip.{field} must be a number of seconds.", field="clip")
    try:
        return float(value)
    except OverflowError as error:
        raise InvalidRequest(f"clip.{field} is out of range.", field="clip") from error
