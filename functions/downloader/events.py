"""What a fetcher reports, read with suspicion: it has worked on a stranger's bytes, and may be theirs by now. Pure."""

import dataclasses
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from downloader import plausible, sightings
from downloader.content_types import CONTENT_TYPES, EXTRA_CONTENT_TYPES, SUBTITLES
from downloader.plausible import Implausible
from downloader.sightings import Inspected, Listed, Several
from reelhaul.errors import ExtractorBroken, SourceError, source_error
from reelhaul.findings import Format
from reelhaul.jobs import Media, Phase, Progress
from reelhaul.options import clean_text

MAX_EVENT_BYTES = 64 * 1024
MAX_EXTRAS = 50
MAX_DETAIL_CHARS = 500
MAX_MARK_CHARS = 300
MAX_TRACKS = 2
MAX_FILES = 8
MAX_RETRY_AFTER_S = 86_400.0

_EXTRACTOR = re.compile(r"[\w.:+-]{1,60}", re.ASCII)  # as yt-dlp names them: Youtube, twitch:vod
_DIGEST = re.compile(r"[0-9a-f]{1,64}")
_EXTENSION = re.compile(r"[A-Za-z0-9_]{1,20}")  # as yt-dlp has them: mp4, unknown_video
_FILE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A file beside the medium: `name` is that of a file in the fetcher's directory."""

    kind: str
    name: str
    extension: str
    content_type: str
    language: str | None = None


@dataclasses.dataclass(frozen=True, slots=True)
class Finished:
    """A fetcher's last word on success: `name` is that of a file in its directory."""

    name: str
    media: Media
    extras: tuple[Extra, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class Growing:
    """What is being written to the file `name`, from its first byte to its last, is the medium. Said once."""

    name: str
    media: Media


@dataclasses.dataclass(frozen=True, slots=True)
class Grown:
    """The first `final_bytes` of it stay as they are."""

    final_bytes: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """What a track has to be known by again, and how far it has come.

    Its format, as yt-dlp calls it, and of a plain file what the server says of it: then `place` is how many of its
    bytes have been used, and `next_box` where its next outermost box starts, `None` where that does not matter. Of one
    in fragments, `place` is how many of these have, `fragments` how many there are (0 as long as nobody knows), and
    `digest` is what their list is known by, in hexadecimal.
    """

    format_id: str
    total_bytes: int | None
    etag: str | None
    last_modified: str | None
    place: int
    next_box: int | None = None
    fragments: int | None = None
    digest: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """What there is to know of a medium that is the very file at the job's own address."""

    title: str
    extension: str


@dataclasses.dataclass(frozen=True, slots=True)
class Paused:
    """A fetcher's last word when its time is over: the first `bytes` of the medium are there, and the rest can come.

    Out of the `tracks`, in the order in which they were chosen. The `files` in its directory go along. `is_alone`: it
    has only one connection for each, as the source has objected to more. One that is `direct` need not be looked for.
    """

    bytes: int
    tracks: tuple[Source, ...]
    files: tuple[str, ...] = ()
    is_alone: bool = False
    direct: Direct | None = None

    @property
    def place(self) -> int:
        """How far it has come, to be compared with how far it had before."""
        return sum(track.place for track in self.tracks)


@dataclasses.dataclass(frozen=True, slots=True)
class Failed:
    """A fetcher's last word on failure. `detail` is for the log."""

    error: SourceError
    detail: str


LastWord = Finished | Several | Inspected | Failed | Paused
Event = Progress | Growing | Grown | Listed | Format | LastWord


def parse(line: bytes, *, directory: Path) -> Event:
    """One line of a fetcher's output. Raises `Implausible`."""
    try:
        fields = json.loads(line)
    except (ValueError, RecursionError) as error:
        raise Implausible("not JSON") from error
    if not isinstance(fields, dict):
        raise Implausible("not an object")
    kind = fields.get("event")
    if kind == "finished":
        return Finished(_name(fields, directory), _media(fields), _extras(fields, directory))
    if kind == "growing":
        return Growing(_name(fields, directory), _media(fields))
    parser = _PARSERS.get(kind) if isinstance(kind, str) else None
    if parser is None:
        raise Implausible("no such event")
    return parser(fields)


def _progress(fields: dict[str, Any]) -> Progress:
    try:
        phase = Phase(fields.get("phase", ""))
    except ValueError as error:
        raise Implausible("no such phase") from error
    return Progress(
        phase=phase,
        downloaded_bytes=plausible.whole(fields, "downloaded_bytes") or 0,
        total_bytes=plausible.whole(fields, "total_bytes"),
        speed=plausible.number(fields, "speed"),
        eta_s=plausible.number(fields, "eta_s"),
    )


def _grown(fields: dict[str, Any]) -> Grown:
    final_bytes = plausible.whole(fields, "bytes")
    if final_bytes is None:
        raise Implausible("grown to nothing")
    return Grown(final_bytes)


def _paused(fields: dict[str, Any]) -> Paused:
    come = plausible.whole(fields, "bytes")
    if come is None:
        raise Implausible("paused nowhere")
    tracks = fields.get("tracks")
    if not isinstance(tracks, list) or not 1 <= len(tracks) <= MAX_TRACKS:
        raise Implausible("no plausible tracks")
    is_alone = "is_alone" in fields and plausible.flag(fields, "is_alone")
    return Paused(come, tuple(_source(one) for one in tracks), _files(fields), is_alone, _direct(fields))


def _direct(fields: dict[str, Any]) -> Direct | None:
    found = fields.get("direct")
    if found is None:
        return None
    if not isinstance(found, dict):
        raise Implausible("not a file")
    extension = found.get("extension")
    if not isinstance(extension, str) or not _EXTENSION.fullmatch(extension):
        raise Implausible("not an extension")
    return Direct(title=plausible.title(found), extension=extension)


def _source(fields: Any) -> Source:
    if not isinstance(fields, dict):
        raise Implausible("not a track")
    place, total, fragments = (plausible.whole(fields, name) for name in ("place", "total_bytes", "fragments"))
    most = total if fragments is None else fragments or None
    if place is None or (most is not None and place > most):
        raise Implausible("paused nowhere")
    digest = None if fields.get("digest") is None else plausible.text(fields, "digest", most=64)
    if digest is not None and not _DIGEST.fullmatch(digest):
        raise Implausible("not a digest")
    etag, last_modified = (
        None if fields.get(name) is None else plausible.text(fields, name, most=MAX_MARK_CHARS)
        for name in ("etag", "last_modified")
    )
    return Source(
        format_id=plausible.text(fields, "format_id", most=MAX_MARK_CHARS), total_bytes=total, etag=etag,
        last_modified=last_modified, place=place, next_box=plausible.whole(fields, "next_box"), fragments=fragments,
        digest=digest,
    )  # fmt: skip


def _files(fields: dict[str, Any]) -> tuple[str, ...]:
    names = fields.get("files", [])
    if not isinstance(names, list) or len(names) > MAX_FILES:
        raise Implausible("no plausible files")
    if not all(isinstance(name, str) and _FILE_NAME.fullmatch(name) for name in names):
        raise Implausible("a file elsewhere")
    if len(set(names)) < len(names):
        raise Implausible("a file twice")
    return tuple(names)


def _media(fields: dict[str, Any]) -> Media:
    extension = plausible.text(fields, "extension", most=10)
    content_type = plausible.text(fields, "content_type", most=100)
    if CONTENT_TYPES.get(extension) != content_type:
        raise Implausible("not a type that is handed out")
    return Media(
        title=plausible.title(fields),
        extension=extension,
        content_type=content_type,
        duration_s=plausible.number(fields, "duration_s"),
        thumbnail=plausible.web_address(fields.get("thumbnail")),
        format_note=plausible.note(fields, "format_note"),
    )


def _extras(fields: dict[str, Any], directory: Path) -> tuple[Extra, ...]:
    found = fields.get("extras", [])
    if not isinstance(found, list) or len(found) > MAX_EXTRAS or not all(isinstance(one, dict) for one in found):
        raise Implausible("no plausible extras")
    extras = tuple(_extra(one, directory) for one in found)
    if len({(extra.kind, extra.language) for extra in extras}) < len(extras):
        raise Implausible("an extra twice")
    return extras


def _extra(fields: dict[str, Any], directory: Path) -> Extra:
    kind = plausible.text(fields, "kind", most=20)
    extension = plausible.text(fields, "extension", most=10)
    content_type = plausible.text(fields, "content_type", most=100)
    if kind not in EXTRA_CONTENT_TYPES or EXTRA_CONTENT_TYPES[kind].get(extension) != content_type:
        raise Implausible("not an extra that is handed out")
    language = plausible.text(fields, "language", most=100) if kind == SUBTITLES else None
    return Extra(
        kind=kind, name=_name(fields, directory), extension=extension, content_type=content_type, language=language
    )


def _name(fields: dict[str, Any], directory: Path) -> str:
    """The name of a file that lies in `directory` itself."""
    path = Path(plausible.text(fields, "path", most=4096))
    if path.parent != directory or not _FILE_NAME.fullmatch(path.name):
        raise Implausible("a file elsewhere")
    return path.name


def _failed(fields: dict[str, Any]) -> Failed:
    code = plausible.text(fields, "code", most=100)
    retry_after_s = plausible.number(fields, "retry_after_s")
    if retry_after_s is not None:
        retry_after_s = min(retry_after_s, MAX_RETRY_AFTER_S)
    detail = clean_text(plausible.text(fields, "detail", most=10_000))[:MAX_DETAIL_CHARS]
    error = source_error(code, retry_after_s=retry_after_s)
    if isinstance(error, ExtractorBroken):
        error.extractor = _extractor(fields)
    return Failed(error, detail)


def _extractor(fields: dict[str, Any]) -> str | None:
    """The name becomes that of a metric, so it had better be one."""
    if fields.get("extractor") is None:
        return None
    name = plausible.text(fields, "extractor", most=1000)
    return name if _EXTRACTOR.fullmatch(name) else None


_PARSERS: dict[str, Callable[[dict[str, Any]], Event]] = {
    "progress": _progress,
    "grown": _grown,
    "paused": _paused,
    "failed": _failed,
    **sightings.PARSERS,
}
