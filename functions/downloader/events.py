"""What a fetcher reports, read with suspicion: it has worked on a stranger's bytes, and may be theirs by now. Pure."""

import dataclasses
import json
import re
import urllib.parse
from pathlib import Path
from typing import Any

from downloader.content_types import CONTENT_TYPES
from reelhaul.errors import SourceError, source_error
from reelhaul.jobs import Media, Phase, Progress
from reelhaul.options import clean_text

MAX_EVENT_BYTES = 64 * 1024
MAX_TITLE_CHARS = 300
MAX_THUMBNAIL_CHARS = 2048
MAX_NOTE_CHARS = 100
MAX_DETAIL_CHARS = 500
MAX_RETRY_AFTER_S = 86_400.0

_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


class Implausible(Exception):
    """Not something that our fetcher would say."""


@dataclasses.dataclass(frozen=True, slots=True)
class Finished:
    """A fetcher's last word on success: `name` is that of a file in its directory."""

    name: str
    media: Media


@dataclasses.dataclass(frozen=True, slots=True)
class Failed:
    """A fetcher's last word on failure. `detail` is for the log."""

    error: SourceError
    detail: str


Event = Progress | Finished | Failed


def parse(line: bytes, *, directory: Path) -> Event:
    """One line of a fetcher's output. Raises `Implausible`."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Implausible("not JSON") from error
    if not isinstance(fields, dict):
        raise Implausible("not an object")
    kind = fields.get("event")
    if kind == "progress":
        return _progress(fields)
    if kind == "finished":
        return _finished(fields, directory)
    if kind == "failed":
        return _failed(fields)
    raise Implausible("no such event")


def _progress(fields: dict[str, Any]) -> Progress:
    try:
        phase = Phase(fields.get("phase", ""))
    except ValueError as error:
        raise Implausible("no such phase") from error
    total = _number(fields, "total_bytes")
    return Progress(
        phase=phase,
        downloaded_bytes=int(_number(fields, "downloaded_bytes") or 0),
        total_bytes=None if total is None else int(total),
        speed=_number(fields, "speed"),
        eta_s=_number(fields, "eta_s"),
    )


def _finished(fields: dict[str, Any], directory: Path) -> Finished:
    path = Path(_text(fields, "path", most=4096))
    extension = _text(fields, "extension", most=10)
    content_type = _text(fields, "content_type", most=100)
    if path.parent != directory or not _FILE_NAME.fullmatch(path.name):
        raise Implausible("a file elsewhere")
    if CONTENT_TYPES.get(extension) != content_type:
        raise Implausible("not a type that is handed out")
    title = clean_text(_text(fields, "title", most=10_000))[:MAX_TITLE_CHARS].strip()
    media = Media(
        title=title,
        extension=extension,
        content_type=content_type,
        duration_s=_number(fields, "duration_s"),
        thumbnail=_web_address(fields.get("thumbnail")),
        format_note=clean_text(_text(fields, "format_note", most=1000))[:MAX_NOTE_CHARS].strip(),
    )
    return Finished(path.name, media)


def _failed(fields: dict[str, Any]) -> Failed:
    code = _text(fields, "code", most=100)
    retry_after_s = _number(fields, "retry_after_s")
    if retry_after_s is not None:
        retry_after_s = min(retry_after_s, MAX_RETRY_AFTER_S)
    detail = clean_text(_text(fields, "detail", most=10_000))[:MAX_DETAIL_CHARS]
    return Failed(source_error(code, retry_after_s=retry_after_s), detail)


def _text(fields: dict[str, Any], name: str, *, most: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) > most:
        raise Implausible(f"no plausible {name}")
    return value


def _number(fields: dict[str, Any], name: str) -> float | None:
    """A finite number of at least 0, or None. Bounded, so that it fits whatever it is stored in."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Implausible(f"{name} is not a number")
    if not 0 <= value < 2**53:  # which neither infinity nor NaN is
        raise Implausible(f"{name} is out of bounds")
    return float(value)


def _web_address(value: object) -> str | None:
    """A thumbnail's address if it is one that a browser may be given, else None: it is an ornament."""
    if not isinstance(value, str) or len(value) > MAX_THUMBNAIL_CHARS or not value.isprintable() or " " in value:
        return None
    try:
        parts = urllib.parse.urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme in {"http", "https"} and parts.hostname else None
