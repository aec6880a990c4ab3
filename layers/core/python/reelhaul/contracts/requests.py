"""What the two contracts accept when a download is asked for."""

from collections.abc import Mapping
from typing import Any, TypeVar

from pydantic import BaseModel, ConfigDict, ValidationError

from reelhaul.errors import InvalidRequest, NotSupported
from reelhaul.options import MAX_NAME_CHARS, DownloadRequest, clean_text
from reelhaul.sources import check_source

IDEMPOTENCY_HEADER = "Idempotency-Key"

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


class _Options(BaseModel):
    """`null` is the same as leaving a field out."""

    model_config = ConfigDict(extra="forbid", strict=True)

    url: str | None = None
    name: str | None = None
    quality: str | None = None
    download_type: str | None = None
    audio_format: Any = None
    container: Any = None
    subtitles: Any = None
    clip: Any = None
    playlist: Any = None
    playlist_limit: Any = None
    callback_url: Any = None
    retention_days: Any = None


class _Download(_Options):
    stream_link: str | None = None


_Model = TypeVar("_Model", bound=_Options)


def parse_download(body: Mapping[str, Any], headers: Mapping[str, str]) -> DownloadRequest:
    """`POST /download`. Raises `InvalidRequest` naming the field; `url` is another name of `stream_link`."""
    options = _validated(_Download, body)
    if None not in (options.stream_link, options.url) and options.stream_link != options.url:
        raise InvalidRequest("stream_link and url name different sources.", field="stream_link")
    field = "url" if options.stream_link is None and options.url is not None else "stream_link"
    return _request(options, headers, field=field, url=getattr(options, field), default_quality="best")


def parse_offline(body: Mapping[str, Any], headers: Mapping[str, str]) -> DownloadRequest:
    """`POST /api/download`. Raises `InvalidRequest` naming the field."""
    options = _validated(_Options, body)
    return _request(options, headers, field="url", url=options.url, default_quality="720p")


def _request(
    options: _Options, headers: Mapping[str, str], *, field: str, url: str | None, default_quality: str
) -> DownloadRequest:
    _refuse_later(options, headers)
    if url is None:
        raise InvalidRequest(f"{field} is required.", field=field)
    check_source(url, field=field)
    return DownloadRequest(
        url=url,
        name=_name(options.name),
        quality=default_quality if options.quality is None else options.quality,
        download_type="video" if options.download_type is None else options.download_type,
    )


def _validated(model: type[_Model], body: Mapping[str, Any]) -> _Model:
    try:
        return model.model_validate(body)
    except ValidationError as error:
        problems = error.errors(include_url=False, include_context=False, include_input=False)
    unknown = [_echo(problem["loc"][0]) for problem in problems if problem["type"] == "extra_forbidden"]
    if unknown:
        raise InvalidRequest(f"Unknown field: {', '.join(unknown)}.", field=unknown[0])
    field = str(problems[0]["loc"][0])
    raise InvalidRequest(f"{field} must be a string.", field=field)


def _echo(name: int | str) -> str:
    return clean_text(str(name))[:_MAX_ECHO_CHARS]


def _refuse_later(options: _Options, headers: Mapping[str, str]) -> None:
    for field, nothing in _LATER.items():
        if getattr(options, field) not in (None, nothing):
            raise NotSupported(f"{field} is not supported yet.", field=field)
    if headers.get(IDEMPOTENCY_HEADER):
        raise NotSupported(f"{IDEMPOTENCY_HEADER} is not supported yet.", field=IDEMPOTENCY_HEADER)


def _name(name: str | None) -> str | None:
    if name is not None and len(name) > MAX_NAME_CHARS:
        raise InvalidRequest(f"name is longer than {MAX_NAME_CHARS} characters.", field="name")
    return clean_text(name or "") or None
