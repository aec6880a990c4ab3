"""What a fetcher is asked, and what it answers, checked for being an answer to just that."""

import dataclasses
import stat
from pathlib import Path

from downloader import events
from downloader.content_types import MAX_EXTRA_BYTES
from downloader.events import (
    Direct,
    Event,
    Extra,
    Failed,
    Finished,
    Growing,
    Grown,
    Paused,
    Source,
)
from downloader.plausible import Implausible
from downloader.sightings import Inspected, Listed, Several
from reelhaul.errors import WorkerCrashed
from reelhaul.findings import Entry, Format, Inspection
from reelhaul.jobs import Media
from reelhaul.options import Options
from reelhaul.sites.cookies import Cookie

MAX_FORMATS = 100


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Resume:
    """Where an earlier fetcher paused. The file `name` in the directory has the first `bytes`, as a hole for the most
    part, of what was told to be called so. Without a `name` nothing was told yet.

    The `files` that it wanted to go along lie there as they were. `is_alone` and `direct` as in `Paused`.
    """

    name: str | None
    bytes: int
    title: str | None
    extension: str | None
    tracks: tuple[Source, ...]
    files: tuple[str, ...] = ()
    is_alone: bool = False
    direct: Direct | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """What to fetch, or with `inspect` to look at only.

    `is_item`: it was found in a playlist, and is not expanded any further. `entry` asks for the medium with this
    number, from 1, of the several at `url`. `max_memory_bytes` bounds the fetcher's address space. `max_duration_s` is
    of the whole medium, also where a clip of it is wanted; 0 is no limit. `connections` is how many its tracks may have
    at once, all together; two that come side by side have one each at least, until the source objects. `cookies` go to
    their own domains and nowhere else. What is larger than `stream_above_bytes` may be handed over while it grows; so
    much of its beginning stays. With `pauses` it may end unfinished; one that goes on with that is told where to
    `resume`. All together may take `max_total_s`.
    """

    url: str
    options: Options = dataclasses.field(default_factory=Options)
    is_item: bool = False
    entry: int | None = None
    inspect: bool = False
    max_bytes: int
    cookies: tuple[Cookie, ...] = dataclasses.field(default=(), repr=False)
    max_duration_s: int = 0
    max_total_s: int = 0
    connections: int = 4
    stream_above_bytes: int = 8 * 1024**2
    pauses: bool = False
    resume: Resume | None = None
    max_memory_bytes: int = 1024**3  # leaves the parent room in 1.7 GB; 300 MB are enough for everyday media

    @property
    def wants_one(self) -> bool:
        """A playlist is an error."""
        return self.is_item or self.entry is not None or self.options.playlist == "false"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FetchedExtra:
    """A file beside the medium: `kind` is "subtitles", with the `language` that was asked for, or "thumbnail"."""

    kind: str
    path: Path
    extension: str
    content_type: str
    language: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    path: Path
    media: Media
    extras: tuple[FetchedExtra, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FoundPlaylist:
    """Instead of one medium there are several, in the order of the source. `truncated`: it had more than the limit."""

    title: str
    entries: tuple[Entry, ...]
    truncated: bool


Found = Fetched | FoundPlaylist | Inspection | Paused


class Answer:
    """What a fetcher has said so far, each time checked for being an answer to `request`."""

    def __init__(self, request: FetchRequest, directory: Path) -> None:
        self._request = request
        self._directory = directory
        self._last: Event | None = None
        self._number = 0
        self._entries: list[Entry] = []
        self._formats: list[Format] = []
        self._growing: Growing | None = None
        self._final_bytes = 0

    def take(self, line: bytes) -> Event:
        """Raises `Implausible`."""
        event = events.parse(line, directory=self._directory)
        if not self._is_answer(event):
            raise Implausible("not an answer to what it was asked")
        if isinstance(event, Listed):
            own = event.url is not None
            entry = Entry(url=event.url or self._request.url, title=event.title, entry=None if own else event.number)
            self._entries.append(entry)
            self._number = event.number
        if isinstance(event, Format):
            self._formats.append(event)
        if isinstance(event, Growing):
            self._growing = event
        if isinstance(event, Grown):
            self._final_bytes = event.final_bytes
        self._last = event
        return event

    def _is_answer(self, event: Event) -> bool:
        request = self._request
        match event:
            case Growing() | Grown() | Paused():
                return self._may_grow(event)
            case Finished(media=media, extras=extras):
                languages = {extra.language for extra in extras if extra.language is not None}
                fits = languages <= set(request.options.subtitles) and self._is_as_told(media)
                is_of_it = not self._has_begun or self._growing is not None  # else there are holes in it
                return not request.inspect and not self._entries and fits and is_of_it
            case Several():
                return not request.inspect and bool(self._entries)
            case Inspected():
                return request.inspect and event.is_playlist == bool(self._entries)
            case Listed():
                return not request.wants_one and self._number < event.number <= request.options.playlist_limit
        return not isinstance(event, Format) or (request.inspect and len(self._formats) < MAX_FORMATS)

    def _may_grow(self, event: Growing | Grown | Paused) -> bool:
        if isinstance(event, Paused):
            is_grown = self._growing is not None and event.bytes >= self._final_bytes
            is_in_files = event.bytes == 0 and not self._has_begun  # what has grown, if anything has, is given up
            return self._request.pauses and (is_grown or is_in_files) and not self._entries
        if isinstance(event, Grown):
            return self._growing is not None and event.final_bytes >= self._final_bytes
        resume = self._request.resume
        told = (resume.title, resume.extension) if resume and resume.name else None
        fits = told is None or told == (event.media.title, event.media.extension)
        return not self._request.inspect and self._growing is None and not self._entries and fits

    @property
    def _has_begun(self) -> bool:
        """Whether an earlier fetcher has told what it is."""
        return self._request.resume is not None and self._request.resume.name is not None

    def _is_as_told(self, media: Media) -> bool:
        """What is stored under a name cannot be called otherwise any more."""
        told = self._growing.media if self._growing else media
        return (told.title, told.extension) == (media.title, media.extension)

    @property
    def ends_well(self) -> bool:
        return isinstance(self._last, Finished | Several | Inspected | Paused)

    def outcome(self) -> Found | Failed | None:
        """What came of it, `None` without a last word. Raises `WorkerCrashed` for a file that is not there."""
        match self._last:
            case Finished(name, media, extras):
                files = tuple(_extra(extra, self._directory) for extra in extras)
                return Fetched(path=checked(self._directory / name), media=media, extras=files)
            case Several(title=title, truncated=truncated):
                return FoundPlaylist(title=title, entries=tuple(self._entries), truncated=truncated)
            case Inspected() as seen:
                return self._inspection(seen)
            case Failed() | Paused() as said:
                return said
        return None

    def _inspection(self, seen: Inspected) -> Inspection:
        return Inspection(
            url=self._request.url,
            webpage_url=seen.webpage_url,
            title=seen.title,
            uploader=seen.uploader,
            duration_s=seen.duration_s,
            thumbnail=seen.thumbnail,
            is_live=seen.is_live,
            formats=tuple(self._formats),
            subtitles=seen.subtitles,
            is_playlist=seen.is_playlist,
            entries=tuple(self._entries),
            entry_count=seen.entry_count,
        )


def _extra(extra: Extra, directory: Path) -> FetchedExtra:
    path = checked(directory / extra.name)
    if path.stat().st_size > MAX_EXTRA_BYTES[extra.kind]:
        raise WorkerCrashed
    return FetchedExtra(
        kind=extra.kind,
        path=path,
        extension=extra.extension,
        content_type=extra.content_type,
        language=extra.language,
    )


def checked(path: Path) -> Path:
    """A regular file, and not a link to somebody else's."""
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        raise WorkerCrashed from error
    if not stat.S_ISREG(mode):
        raise WorkerCrashed
    return path
