"""Events of a fetcher that has only looked at media, or found several: read as `downloader.events` are. Pure."""

import dataclasses
from collections.abc import Callable
from typing import Any

from downloader import plausible
from reelhaul.errors import InvalidRequest
from reelhaul.findings import Format
from reelhaul.options import clean_text
from reelhaul.sources import check_source

MAX_LANGUAGES = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listed:
    """One of several media: `number` counts from 1 as the source does, `url` is its own address, if it has one."""

    number: int
    title: str
    url: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """A fetcher's last word on a playlist, after all that is `Listed`. `truncated`: the source had more."""

    title: str
    truncated: bool


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Inspected:
    """A fetcher's last word on a look, after every `Listed` or every `Format`. As in `reelhaul.findings.Inspection`."""

    title: str
    webpage_url: str | None
    uploader: str
    thumbnail: str | None
    duration_s: float | None
    is_live: bool
    subtitles: tuple[str, ...]
    is_playlist: bool
    entry_count: int | None


def _listed(fields: dict[str, Any]) -> Listed:
    number, url = plausible.whole(fields, "number"), fields.get("url")
    if number is None:
        raise plausible.Implausible("an entry without a number")
    if url is not None:
        url = plausible.text(fields, "url", most=10_000)
        try:
            check_source(url)
        except InvalidRequest as error:
            raise plausible.Implausible("not an address that we go to") from error
    return Listed(number=number, url=url, title=plausible.title(fields))


def _format(fields: dict[str, Any]) -> Format:
    return Format(
        format_id=plausible.note(fields, "format_id"),
        extension=plausible.note(fields, "extension"),
        format_note=plausible.note(fields, "format_note"),
        height=plausible.whole(fields, "height"),
        width=plausible.whole(fields, "width"),
        fps=plausible.number(fields, "fps"),
        video_codec=plausible.codec(fields, "video_codec"),
        audio_codec=plausible.codec(fields, "audio_codec"),
        filesize=plausible.whole(fields, "filesize"),
        bitrate=plausible.number(fields, "bitrate"),
        has_video=plausible.flag(fields, "has_video"),
        has_audio=plausible.flag(fields, "has_audio"),
    )


def _several(fields: dict[str, Any]) -> Several:
    return Several(title=plausible.title(fields), truncated=plausible.flag(fields, "truncated"))


def _inspected(fields: dict[str, Any]) -> Inspected:
    is_playlist = plausible.flag(fields, "is_playlist")
    return Inspected(
        title=plausible.title(fields),
        webpage_url=plausible.web_address(fields.get("webpage_url")),
        uploader=plausible.note(fields, "uploader"),
        thumbnail=plausible.web_address(fields.get("thumbnail")),
        duration_s=None if is_playlist else plausible.number(fields, "duration_s"),
        is_live=not is_playlist and plausible.flag(fields, "is_live"),
        subtitles=() if is_playlist else _languages(fields),
        is_playlist=is_playlist,
        entry_count=plausible.whole(fields, "count") if is_playlist else None,
    )


def _languages(fields: dict[str, Any]) -> tuple[str, ...]:
    names = fields.get("subtitles")
    if not isinstance(names, list) or len(names) > MAX_LANGUAGES or not all(isinstance(name, str) for name in names):
        raise plausible.Implausible("no plausible subtitles")
    return tuple(clean_text(name)[: plausible.MAX_NOTE_CHARS] for name in names)


PARSERS: dict[str, Callable[[dict[str, Any]], Listed | Format | Several | Inspected]] = {
    "entry": _listed,
    "format": _format,
    "playlist": _several,
    "inspected": _inspected,
}
