"""One of two tracks that are fetched side by side: a thread that fetches it, and the file that it grows in."""

import contextlib
import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from downloader.events import Source
from downloader.fetcher import fragments, probe
from downloader.fetcher.bounds import Bounds, InFragments, in_pieces
from downloader.fetcher.feeding import Track
from downloader.fetcher.fragments import Fragments, Stopped
from downloader.fetcher.marks import Watch
from downloader.fetcher.probe import Probe
from downloader.fetcher.remux import PATIENCE_S, Remux
from downloader.fetcher.request import Request
from reelhaul.errors import SourceChanged, SourceInterrupted, SourceTooSlow

_PLAIN = {"http", "https"}
_LOOKS_BYTES = (256 * 1024, 1024**2, 4 * 1024**2)  # how much has to be there before it is looked at (again)
_LOOK_S = 2.0  # of a source that is slow, whatever has come is looked at as often
_POLL_S = 0.02


class _Stopped(Exception):
    """The other one has failed, or there is no more time."""


class Half:
    """The track `one` of the medium `info`. `before` and `head`: of an earlier fetcher, behind which it goes on."""

    def __init__(
        self, ydl: Any, info: dict[str, Any], one: dict[str, Any], request: Request, number: int, *,
        before: Source | None, head: bytes,
    ) -> None:  # fmt: skip
        self.number = number
        self.path = request.directory / f"track-{number}.{one['ext']}"
        self.part = self.path.with_name(self.path.name + ".part")  # what it is called while it grows
        self.has_picture = one.get("vcodec") != "none"
        self.remux: Remux | None = None
        self.error: BaseException | None = None
        self._ahead_bytes = request.stream_above_bytes
        self._thread = threading.Thread(target=self._run, name=self.path.stem, daemon=True)
        self._track: Track | None = None
        self._is_whole = False  # it can only be read once all of it is there
        self._stopped = self._is_draining = False
        self._ydl = ydl
        self._head = head
        self._before = before
        plain = {name: value for name, value in info.items() if name != "requested_formats"}
        self._info = {**plain, **one}
        is_plain = one.get("protocol") in _PLAIN
        if before is not None and is_plain != (before.fragments is None):
            raise SourceChanged
        begun = before if before is not None and before.place else None
        self._start = begun.place if begun and is_plain else 0
        self.watch = Watch(str(one["url"]), begun) if is_plain else None
        self._fragments = None if is_plain else _fragments(begun)
        self._info[fragments.KEY] = self._fragments

    def start(self) -> None:
        if self._start:
            with self.part.open("xb") as file:  # yt-dlp goes on where it ends
                file.truncate(self._start)
        self._thread.start()

    @property
    def is_running(self) -> bool:
        return self._thread.is_alive()

    @property
    def track(self) -> Track:
        """Once it has been looked at."""
        if self._track is None:
            raise SourceInterrupted
        return self._track

    @property
    def head(self) -> bytes:
        return self._track.head if self._track else self._head

    def look(self, check: Callable[[], object]) -> Probe:
        """What is in it, as soon as that can be told. `check` is called meanwhile, and may raise.

        Raises `SourceNotMedia`.
        """
        looks, looked_at, seen_bytes = list(_LOOKS_BYTES), time.monotonic(), 0
        while True:
            has_ended = not self.is_running  # before it is said why: what has failed since is no medium
            check()
            self._is_whole = has_ended or not looks
            come_bytes = self._come_bytes
            is_enough = bool(looks) and come_bytes >= looks[0]
            is_slow = bool(looks) and come_bytes > seen_bytes and time.monotonic() - looked_at > _LOOK_S
            if not has_ended and not is_enough and not is_slow:
                time.sleep(_POLL_S)
                continue
            looks, looked_at, seen_bytes = looks[is_enough:], time.monotonic(), come_bytes
            try:
                found = self._seen(has_ended=has_ended)
                if found is not None and (found.video or found.audio):
                    self._begin(found)
                    return found
            except FileNotFoundError:  # completed just now, and so renamed: it is looked at once more
                if has_ended:
                    raise
                continue
            if found is None and come_bytes > self._ahead_bytes:
                looks = []  # as of an mp4 with its index at its end: it does not tell before all of it is there

    @property
    def _there(self) -> Path:
        return self.part if self.part.exists() else self.path  # it may have been completed meanwhile

    def _begin(self, found: Probe) -> None:
        """Raises `FileNotFoundError` if it is renamed just now."""
        self._is_whole = self._is_whole and not self._is_in_pieces(found)
        self._track = Track(
            self._there, ahead_bytes=self._ahead_bytes, is_whole=self._is_whole, start=self._start, bounds=self._bounds
        )

    def _seen(self, *, has_ended: bool) -> Probe | None:
        """Raises as `_begin`."""
        path = self._there
        if not self._start:
            return probe.probe(path) if has_ended else probe.glance(path)
        beginning = path.with_name(f"beginning-{self.number}")
        with path.open("rb") as file:
            file.seek(self._start)
            beginning.write_bytes(self._head + file.read(_LOOKS_BYTES[-1]))
        try:
            return probe.glance(beginning)
        finally:
            beginning.unlink()

    def _is_in_pieces(self, found: Probe) -> bool:
        return self._fragments is not None or self._start > 0 or found.fragmented or found.webm

    def _bounds(self, descriptor: int) -> Bounds:
        if self._fragments is not None:
            return InFragments(self._fragments)
        return in_pieces(descriptor, self._start, head=self._head)

    @property
    def _come_bytes(self) -> int:
        with contextlib.suppress(OSError):  # not there yet, or not any more
            return self.part.stat().st_size - self._start
        return 0

    def hold(self, *, at_all: bool) -> None:
        """Called as more of it comes: wait while it is too far ahead, unless nothing can be done before it is whole."""
        until = time.monotonic() + PATIENCE_S
        while at_all and self._may_still_tell and time.monotonic() < until and not self._is_stopping:
            if self._come_bytes <= self._ahead_bytes:
                break
            time.sleep(_POLL_S)
        if self._stopped or (self._is_draining and self._fragments is None):
            raise _Stopped
        if self.remux is not None and not self._is_draining:
            self.remux.hold(self.track)

    @property
    def _may_still_tell(self) -> bool:
        """What it is, so that it can be merged as it comes."""
        return self.remux is None and not self._is_whole

    @property
    def _is_stopping(self) -> bool:
        return self._stopped or self._is_draining

    def end_if_there(self) -> None:
        if not self.is_running and self.error is None:
            self.track.end()

    def drain(self) -> None:
        """Nothing new is asked for."""
        self._is_draining = True
        if self._fragments is not None:
            self._fragments.stop()

    def stop(self) -> None:
        self._stopped = True

    @property
    def is_whole(self) -> bool:
        return self._is_whole

    def source(self, place: int | None) -> Source:
        """By what to know it again, to go on from that place, or not at all. Raises `SourceTooSlow`."""
        format_id = str(self._info.get("format_id"))
        if self._track is None and self._before is not None:  # it had ended before
            return self._before
        if self._fragments is not None:
            come = self._fragments
            if not come.is_resumable:
                raise SourceTooSlow
            return Source(
                format_id=format_id, total_bytes=None, etag=None, last_modified=None,
                place=come.total if place is None else place, fragments=come.total, digest=come.digest,
            )  # fmt: skip
        marks = self.watch.marks if self.watch else None
        if marks is None or marks.total_bytes is None:
            raise SourceTooSlow
        return Source(
            format_id=format_id, place=marks.total_bytes if place is None else place, **dataclasses.asdict(marks)
        )

    def _run(self) -> None:
        try:
            done, _ = self._ydl.dl(str(self.path), self._info)
            self.error = None if done else SourceInterrupted()
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits for this
            self.error = error


def _fragments(begun: Source | None) -> Fragments:
    if begun is None:
        return Fragments()
    return Fragments(start=begun.place, count=begun.fragments, digest=begun.digest)


def hold(halves: list[Half], status: dict[str, Any]) -> None:
    """A progress hook."""
    for half in halves:
        if status.get("filename") == str(half.path):
            half.hold(at_all=not any(one.is_whole for one in halves))


def errors_of(halves: list[Half]) -> None:
    """Raises what has gone wrong with any."""
    errors = [half.error for half in halves if half.error and not isinstance(half.error, _Stopped | Stopped)]
    if errors:
        raise errors[0]
