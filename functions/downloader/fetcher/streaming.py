"""Handing over a medium while it comes, out of one file: as it is, if that is what was asked for, or remade on the way.

The verdict is that of `finishing`, made on the beginning, which stays on the disk. What cannot be told from that, as of
an mp4 with its index at the end, is finished once it is there.
"""

import dataclasses
import threading
from pathlib import Path
from typing import Any

from downloader.answers import Resume
from downloader.content_types import CONTENT_TYPES
from downloader.fetcher import finishing, recipes, structure
from downloader.fetcher.aside import Aside
from downloader.fetcher.bounds import Bounds, InFragments, in_pieces
from downloader.fetcher.feeding import Track
from downloader.fetcher.finishing import Output
from downloader.fetcher.fragments import Fragments
from downloader.fetcher.growth import Growth
from downloader.fetcher.probe import Probe, glance
from downloader.fetcher.recipes import Recipe
from downloader.fetcher.remux import EXTENSIONS, Begun, Remux
from downloader.fetcher.request import Request
from downloader.fetcher.structure import Walk
from downloader.fetcher.timing import Deadline
from reelhaul.errors import SourceChanged, SourceInterrupted, SourceTooLong, SourceTooSlow
from reelhaul.options import Clip

TAIL_BYTES = 256 * 1024  # stay until the end: what Ogg tells its length by


class Streaming:
    """A progress hook for one file. Once more than `head_bytes` have come it is decided, once, what is done with it."""

    def __init__(self, request: Request, growth: Growth, *, head_bytes: int) -> None:
        self._request, self._growth, self._head_bytes = request, growth, head_bytes
        self._lock = threading.Lock()
        self._is_decided = False
        self._found: Probe | None = None
        self._as_it_is: _AsItIs | None = None
        self._remade: tuple[Remux, Track] | None = None
        self._before: tuple[Aside, Path, int, int] | None = None  # what, into which file, from which place, how far
        self.fragments: Fragments | None = None  # of a playlist or a manifest, if what comes is of one

    def __call__(self, status: dict[str, Any]) -> None:
        """Raises `SourceTooLong`, and `SourceInterrupted` where the source has begun anew what was handed over."""
        if status.get("status") != "downloading" or not status.get("tmpfilename"):
            return
        path = Path(str(status["tmpfilename"]))
        with self._lock:  # fragments come side by side
            if not self._is_decided and path.is_file() and path.stat().st_size > self._head_bytes:
                self._is_decided = True
                self._decide(path)
            if self._before is not None and self._remade is None and path.is_file():
                self._make_on(path)
            if self._as_it_is is not None:
                self._as_it_is.extend(self.fragments)
        if self._remade is not None:
            remux, track = self._remade
            remux.hold(track)

    def go_on(self, path: Path, resume: Resume) -> None:
        """What an earlier fetcher handed over as it came lies there, with a hole. Raises `SourceChanged`."""
        self._is_decided = True
        found = glance(path)
        if found is None:
            raise SourceChanged
        walk = Walk(resume.tracks[0].next_box) if found.is_read_by("mov") else None
        self._found, self._as_it_is = found, _AsItIs(path, found, self._growth, walk)
        assert resume.extension is not None  # noqa: S101 - for the type checker: with a name it has this, too
        self._growth.go_on(path, resume.extension, resume.bytes)

    def make_on(self, aside: Aside, target: Path, resume: Resume) -> None:
        """What an earlier fetcher has made of what came lies there, with a hole, and is gone on with."""
        self._is_decided, self._found = True, aside.found
        (track,) = resume.tracks
        self._before = aside, target, 0 if track.fragments is not None else track.place, resume.bytes

    @property
    def is_remade(self) -> bool:
        return self._remade is not None or self._before is not None

    def pause(self, directory: Path, *, deadline: Deadline) -> tuple[int, int, list[str]]:
        """How much of what is made there is, from which place on the source is left, and the files that go along.

        Raises `SourceError`.
        """
        if self._remade is None or self._found is None:
            raise SourceTooSlow
        remux, track = self._remade
        remux.settle(deadline)
        (place,) = remux.cut()
        if place is None:
            raise SourceInterrupted  # it came to its end just now
        made_bytes, state = remux.pause(deadline=deadline)
        aside = Aside(found=self._found, starts_s=(), ends_s=(), has_ended=(False,), heads=(track.head,), state=state)
        return made_bytes, place, [aside.write(directory)]

    def settle(self) -> None:
        """What is not handed over as it comes by now is not any more. Waits for a thread that is just finding out."""
        with self._lock:
            self._is_decided = True

    @property
    def has_begun(self) -> bool:
        """Whether it is handed over as it comes."""
        return self._found is not None

    @property
    def told_bytes(self) -> int:
        return self._growth.told_bytes

    @property
    def is_declined(self) -> bool:
        """Whether it will not be: all of it has to be there first."""
        return self._is_decided and self._found is None

    def place(self, path: Path) -> tuple[int, int | None] | None:
        """How far the file that is handed over as it comes has come, and where its next box starts."""
        return None if self._as_it_is is None else self._as_it_is.place(path)

    def output(self, path: Path, *, deadline: Deadline) -> Output | None:
        """What came, when all of it has; `None` if nothing was done with it yet. Raises `SourceError`."""
        if self._found is None:
            return None
        found, start_s = self._found, None
        if self._before is not None and self._remade is None:
            self._make_on(path)
        if self._remade is not None:
            remux, track = self._remade
            track.end()
            remux.finish(deadline=deadline)
            path.unlink()
            start_s = found.start_s if found.is_read_by("mpegts") else None
            path, found = remux.target, dataclasses.replace(found, duration_s=remux.duration_s)
        elif self._as_it_is is not None:
            found = self._as_it_is.whole(path)
        self._check_duration(found)
        wanted = recipes.recipe(found, self._request.options)
        return described(path, found, wanted, head_bytes=self._head_bytes, source_start_s=start_s)

    def _decide(self, path: Path) -> None:
        found = glance(path)
        if found is None or not (found.video or found.audio) or (self._request.wants_audio and not found.audio):
            return
        self._check_duration(found)
        wanted = recipes.recipe(found, self._request.options)
        if recipes.is_already(wanted, found):
            walk = Walk() if found.is_read_by("mov") else None
            self._as_it_is = _AsItIs(path, found, self._growth, walk)
            self._growth.begin(path, wanted.extension)
        elif wanted.extension in EXTENSIONS and (self._request.resume is None or self._is_in_pieces(found)):
            track = Track(path, ahead_bytes=self._head_bytes, bounds=self._bounds)
            target = path.with_name(f"finished.{wanted.extension}")
            self._remade = Remux([track], target, found, wanted, self._growth), track
        else:
            return
        self._found = found

    def _is_in_pieces(self, found: Probe) -> bool:
        """Whether it can be cut. What cannot has to fit one invocation, else it lies in files from the second on."""
        return self.fragments is not None or found.fragmented or found.webm

    def _make_on(self, path: Path) -> None:
        assert self._before is not None  # noqa: S101 - for the type checker
        aside, target, place, made_bytes = self._before

        def bounds(descriptor: int) -> Bounds:
            if self.fragments is not None:
                return InFragments(self.fragments)
            return in_pieces(descriptor, place, head=aside.heads[0])

        track = Track(path, ahead_bytes=self._head_bytes, start=place, bounds=bounds)
        begun = Begun(final_bytes=made_bytes, state=aside.state, delays_s=[0.0])
        wanted = recipes.recipe(aside.found, self._request.options)
        self._remade = Remux([track], target, aside.found, wanted, self._growth, begun=begun), track

    def _bounds(self, descriptor: int) -> Bounds:
        if self.fragments is not None:
            return InFragments(self.fragments)
        return in_pieces(descriptor, 0)

    def _check_duration(self, found: Probe) -> None:
        if self._request.max_duration_s and (found.duration_s or 0) > self._request.max_duration_s:
            raise SourceTooLong


class _AsItIs:
    """The file at `path` as it comes."""

    def __init__(self, path: Path, found: Probe, growth: Growth, walk: Walk | None) -> None:
        self._path, self._found, self._growth, self._walk = path, found, growth, walk
        self._file = path.open("rb")

    def extend(self, fragments: Fragments | None) -> None:
        """Tell what is final: of `fragments` those that count as done, behind which another can go on."""
        size = self._path.stat().st_size
        if size < self._growth.told_bytes:
            raise SourceInterrupted
        final = self._walk.advance(self._file, size) if self._walk else size
        done = size if fragments is None else fragments.done_bytes
        self._growth.extend(min(final, size - TAIL_BYTES, done))

    def place(self, path: Path) -> tuple[int, int | None]:
        size = path.stat().st_size
        if self._walk is None:
            return size, None
        self._walk.advance(self._file, size)
        start = self._walk.next
        return (size, None) if start is None else (min(size, start), start)  # of a header all is there, or nothing

    def whole(self, path: Path) -> Probe:
        """What it was, all in all; it may be called otherwise by now. Raises `SourceInterrupted`."""
        size = path.stat().st_size
        if self._walk:
            self._walk.advance(self._file, size)
        self._file.close()
        if self._walk.is_cut_short(size) if self._walk else structure.is_cut_short(path):
            raise SourceInterrupted
        found = self._found
        if not self._walk:
            seen = glance(path) or found  # of some kinds only the end tells how long they play
            found = dataclasses.replace(found, duration_s=seen.duration_s)
        bits_per_s = round(size * 8 / found.duration_s) if found.duration_s else None
        return dataclasses.replace(found, bits_per_s=bits_per_s)


def described(
    path: Path, found: Probe, wanted: Recipe, *, head_bytes: int, source_start_s: float | None = None
) -> Output:
    """The file at `path`, of which only the first `head_bytes` are sure to be on the disk."""
    as_audio = wanted.video is None
    return Output(
        path=path,
        extension=wanted.extension,
        content_type=CONTENT_TYPES[wanted.extension],
        duration_s=found.duration_s,
        format_note=finishing.note(found, as_audio=as_audio),
        has_video=not as_audio,
        source_start_s=source_start_s,
        clip_start_s=None,
        reach_s=(found.duration_s or 0.0) * min(1.0, head_bytes / path.stat().st_size) / 2,
    )


def is_all_wanted(request: Request) -> bool:
    """Whether nothing is cut out of it, for which all of it would have to be there."""
    return request.options.clip in {None, Clip()}
