"""What has been fetched and lies in files, on its way from one worker to the next.

Each track is a file, whole or in part, until all of them have become one. In the next worker's directory they get the
names back that yt-dlp gives them, which is how it finds that they are there.
"""

import contextlib
import dataclasses
import os
from pathlib import Path
from typing import Any

from yt_dlp.utils import prepend_extension

from downloader.events import Source
from downloader.fetcher import fragments
from downloader.fetcher.fragments import Fragments, SoFar
from downloader.fetcher.live import RECORDED
from downloader.fetcher.marks import Watch, Watches
from downloader.fetcher.request import Request
from reelhaul.errors import SourceChanged, SourceTooSlow

_PLAIN = {"http", "https"}
_MOST_DESCRIPTORS = 1024  # as many as Lambda lets a process have
_WHOLE = "whole"
_NOTHING_SAID: dict[str, Any] = {"total_bytes": None, "etag": None, "last_modified": None}
_TRACK, _TRACK_PART = "track-{}", "track-{}.part"


class Carrying:
    """The tracks of the medium `info`, as they come, one after the other. Raises `SourceChanged`."""

    def __init__(self, ydl: Any, info: dict[str, Any], request: Request) -> None:
        self._directory = request.directory
        chosen = info.get("requested_formats") or [info]
        before = request.resume.tracks if request.resume else (None,) * len(chosen)
        if len(before) != len(chosen):
            raise SourceChanged
        several = len(chosen) > 1
        name = Path(ydl.prepare_filename(info))
        self.tracks = [
            _Track(one, _named(name, info, one) if several else name, source)
            for one, source in zip(chosen, before, strict=True)
        ]
        for track in self.tracks:
            track.show(info)
        self.whole: Path | None = None  # what has become of all of them

    @property
    def watch(self) -> Watches:
        return Watches(track.watch for track in self.tracks if track.watch is not None)

    @property
    def size(self) -> int:
        """How many bytes would have to go along."""
        files = [self.whole] if self.whole else [path for track in self.tracks for path in (track.path, track.part)]
        return sum(_size(path) for path in files)

    @property
    def is_complete(self) -> bool:
        return self.whole is not None or all(track.path.exists() for track in self.tracks)

    def lay_out(self, names: tuple[str, ...]) -> None:
        """What an earlier worker has sent along gets its name back."""
        if names == (_WHOLE,):
            self.whole = self._directory / _WHOLE
        for number, track in enumerate(self.tracks):
            if _TRACK.format(number) in names:
                (self._directory / _TRACK.format(number)).rename(track.path)
            if _TRACK_PART.format(number) in names:
                (self._directory / _TRACK_PART.format(number)).rename(track.part)

    def stop(self) -> None:
        """Nothing new is asked for. For any thread, and for a signal handler."""
        for track in self.tracks:
            if track.fragments is not None:
                track.fragments.stop()

    def paused(self) -> dict[str, Any]:
        """The fields of the event, for files that nobody writes to any more. Raises `SourceTooSlow`."""
        if self.whole is not None:
            size = _size(self.whole)
            name = self._sent(self.whole, _WHOLE)
            return self._fields([track.source(size, is_whole=True) for track in self.tracks], [name])
        sources, names = [], []
        for number, track in enumerate(self.tracks):
            is_part = not track.path.exists() and track.cut()
            is_whole = not is_part and track.path.exists()  # after that: it may have been completed meanwhile
            sources.append(track.source(is_whole=is_whole) if is_part or is_whole else track.nothing)
            if is_part or is_whole:
                path, name = (track.path, _TRACK) if is_whole else (track.part, _TRACK_PART)
                names.append(self._sent(path, name.format(number)))
        if not names:
            raise SourceTooSlow  # nothing has come
        return self._fields(sources, names)

    def _fields(self, tracks: list[Source], names: list[str]) -> dict[str, Any]:
        return {"bytes": 0, "tracks": [dataclasses.asdict(track) for track in tracks], "files": names}

    def _sent(self, path: Path, name: str) -> str:
        if not path.exists():
            raise SourceTooSlow  # it is being made into something else, and is gone already
        _detach(path)
        path.rename(self._directory / name)
        return name


class _Track:
    """One of them: `path` when it is whole, `part` until then."""

    def __init__(self, info: dict[str, Any], path: Path, before: Source | None) -> None:
        self.path, self.part = path, path.with_name(path.name + ".part")
        self._id = str(info.get("format_id"))
        self._before = before
        self._cut_at: int | None = None
        self._done: SoFar | None = None  # what that is of fragments
        begun = before if before is not None and before.place else None
        is_plain = info.get("protocol") in _PLAIN
        if begun is not None and is_plain != (begun.fragments is None):
            raise SourceChanged
        self.watch = Watch(str(info["url"]), begun) if is_plain else None
        self.fragments = None if is_plain else _fragments(begun)

    def show(self, info: dict[str, Any]) -> None:
        """Where yt-dlp looks for it."""
        if self.fragments is None:
            return
        info[fragments.KEY] = self.fragments  # of a medium with one format alone
        for one in [*(info.get("formats") or []), *(info.get("requested_formats") or [])]:
            if str(one.get("format_id")) == self._id:
                one[fragments.KEY] = self.fragments

    def cut(self) -> bool:
        """What is not to be gone on with goes. False where nothing is left."""
        if self.fragments is not None:  # before the look: of two tracks the other one may still be appended to
            self._done = self.fragments.so_far
        try:
            size = min(_size(self.part), self._done.bytes) if self._done else _size(self.part)
            _detach(self.part)
            os.truncate(self.part, size)
        except FileNotFoundError:  # it has none, or has just been completed, perhaps by one more
            self._done = None
            return False
        self._cut_at = size
        return size > 0

    @property
    def nothing(self) -> Source:
        """Of which nothing goes along."""
        return Source(format_id=self._id, place=0, **_NOTHING_SAID)

    def source(self, come: int | None = None, *, is_whole: bool = False) -> Source:
        """`come`: how many bytes are there, or all of it. Raises `SourceTooSlow` for what could not be known again.

        One whose length nobody has told may be gone by the time it `is_whole`, merged: what it is part of counts then.
        """
        come = come or self._cut_at
        if self.fragments is not None:
            return self._of_fragments(self.fragments, is_whole=is_whole)
        marks = self.watch.marks if self.watch else None
        if not is_whole and not come:
            return self.nothing
        if not is_whole and (marks is None or marks.total_bytes is None):
            raise SourceTooSlow
        said = _NOTHING_SAID if marks is None else dataclasses.asdict(marks)
        total = said["total_bytes"]
        place = (total or come or _size(self.path)) if is_whole else come or 0
        return Source(format_id=self._id, place=place if total is None else min(place, total), **said)

    def _of_fragments(self, come: Fragments, *, is_whole: bool) -> Source:
        if is_whole and self._before is not None and not come.total:  # it was so before
            return self._before
        so_far = self._done or come.so_far
        place = come.total if is_whole and come.total else so_far.done
        digest = so_far.digest or None
        return Source(format_id=self._id, place=place, fragments=come.total, digest=digest, **_NOTHING_SAID)


def _fragments(begun: Source | None) -> Fragments:
    if begun is None:
        return Fragments()
    return Fragments(start=begun.place, count=begun.fragments, digest=begun.digest)


def _named(name: Path, info: dict[str, Any], one: dict[str, Any]) -> Path:
    """As `YoutubeDL.process_info` has it for one of several that are merged afterwards.

    One that is recorded with others at a time is called as what becomes of them.
    """
    are_recorded = all(each.get("protocol") == RECORDED for each in info["requested_formats"])
    ext = info["ext"] if are_recorded else one["ext"]
    return Path(prepend_extension(str(name.with_suffix(f".{ext}")), f"f{one['format_id']}", ext))


def _detach(path: Path) -> None:
    """What somebody was writing when he was interrupted, and is still in a buffer, does not get there any more."""
    seen = path.stat()
    place = path.with_name("unwanted")
    unwanted = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC)
    place.unlink()
    try:
        for descriptor in range(3, _MOST_DESCRIPTORS):
            with contextlib.suppress(OSError):  # not open
                if os.path.samestat(os.fstat(descriptor), seen):
                    os.dup2(unwanted, descriptor, inheritable=False)
    finally:
        os.close(unwanted)


def _size(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError:
        return 0
