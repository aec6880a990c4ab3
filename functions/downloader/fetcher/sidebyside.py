"""Picture and sound that come as two files, fetched side by side, and merged into an mp4 while they grow."""

import contextlib
import dataclasses
import threading
import time
from pathlib import Path
from typing import Any

from downloader.fetcher import patches, probe, recipes
from downloader.fetcher.finishing import Output
from downloader.fetcher.growth import Growth
from downloader.fetcher.probe import Probe
from downloader.fetcher.progress import Tracks
from downloader.fetcher.remux import PATIENCE_S, Remux, Track
from downloader.fetcher.request import Request
from downloader.fetcher.streaming import described, is_all_wanted
from downloader.fetcher.timing import Deadline
from reelhaul.errors import SourceInterrupted, SourceNotMedia, SourceTooLong

_PROTOCOLS = {"http", "https", "m3u8_native", "m3u8", "http_dash_segments"}
_LOOKS_BYTES = (256 * 1024, 1024**2, 4 * 1024**2)  # how much has to be there before it is looked at (again)
_POLL_S = 0.02


class _Stopped(Exception):
    """The other one has failed."""


def is_possible(info: dict[str, Any], request: Request) -> bool:
    """Whether there are a picture without sound and a sound without picture, and all of both is wanted in an mp4."""
    formats = info.get("requested_formats") or []
    kinds = [(one.get("vcodec") != "none", one.get("acodec") != "none") for one in formats]
    return (
        sorted(kinds) == [(False, True), (True, False)]
        and all(one.get("protocol") in _PROTOCOLS for one in formats)
        and is_all_wanted(request)
        and request.options.download_type == "video"
        and request.options.container == "mp4"
    )


def fetch(
    ydl: Any, info: dict[str, Any], request: Request, growth: Growth, tracks: Tracks, *, deadline: Deadline
) -> Output:
    """Raises `SourceError`, and whatever yt-dlp does."""
    tracks.expect(info)
    patches.given_up.clear()
    both = [_Half(ydl, info, one, request, n) for n, one in enumerate(info["requested_formats"])]
    ydl.add_progress_hook(lambda status: _hold(both, status))
    for half in both:
        half.thread.start()
    try:
        return _merged(both, request, growth, tracks, deadline)
    finally:
        for half in both:
            half.stop()


def _merged(both: "list[_Half]", request: Request, growth: Growth, tracks: Tracks, deadline: Deadline) -> Output:
    picture, sound = sorted(both, key=lambda half: not half.has_picture)
    seen, heard = (half.look(both, deadline) for half in (picture, sound))
    found = dataclasses.replace(heard, video=seen.video, lines=seen.lines, duration_s=None)
    if not found.video or not found.audio:
        raise SourceNotMedia
    wanted = recipes.recipe(found, request.options)
    files = [picture.track, sound.track]
    remux = Remux(files, request.directory / f"finished.{wanted.extension}", found, wanted, growth, sound_from=1)
    try:
        for half in both:
            half.remux = remux
        while any(half.thread.is_alive() for half in both):
            for half in both:
                half.end_if_there()
            _raise(both)
            remux.check()
            deadline.left()
            time.sleep(_POLL_S)
        _raise(both)
        for half in both:
            half.end_if_there()
        tracks.finishing()
        path = remux.finish(deadline=deadline)
    finally:
        remux.cancel()
    for half in both:
        half.path.unlink(missing_ok=True)
    found = dataclasses.replace(found, duration_s=remux.duration_s)
    if request.max_duration_s and remux.duration_s > request.max_duration_s:
        raise SourceTooLong
    return described(path, found, wanted, head_bytes=request.stream_above_bytes)


class _Half:
    """One of the two: a thread that fetches it, and the file that it grows in."""

    def __init__(self, ydl: Any, info: dict[str, Any], one: dict[str, Any], request: Request, number: int) -> None:
        self.path = request.directory / f"track-{number}.{one['ext']}"
        self._ahead_bytes = request.stream_above_bytes
        self.has_picture = one.get("vcodec") != "none"
        self.thread = threading.Thread(target=self._run, name=self.path.stem, daemon=True)
        self.remux: Remux | None = None
        self.error: BaseException | None = None
        self._track: Track | None = None
        self._is_whole = False  # it can only be read once all of it is there
        self._stopped = False
        self._ydl = ydl
        plain = {name: value for name, value in info.items() if name != "requested_formats"}
        self._info = {**plain, **one}

    @property
    def part(self) -> Path:
        """What it is called while it grows."""
        return self.path.with_name(self.path.name + ".part")

    @property
    def track(self) -> Track:
        """Once it has been looked at."""
        if self._track is None:
            raise SourceInterrupted
        return self._track

    def look(self, both: "list[_Half]", deadline: Deadline) -> Probe:
        """What is in it, as soon as that can be told. Raises `SourceNotMedia`, and what has gone wrong with either."""
        looks = list(_LOOKS_BYTES)
        while True:
            _raise(both)
            deadline.left()
            has_ended = not self.thread.is_alive()
            self._is_whole = has_ended or not looks
            if not has_ended and not (looks and self._come_bytes >= looks[0]):
                time.sleep(_POLL_S)
                continue
            looks = looks[1:]
            path = self.part if self.part.exists() else self.path
            found = probe.probe(path) if has_ended else probe.glance(path)
            if found is not None and (found.video or found.audio):
                path = path if path.exists() else self.path  # it may have been completed meanwhile
                self._track = Track(path, ahead_bytes=self._ahead_bytes, is_whole=self._is_whole)
                return found

    @property
    def _come_bytes(self) -> int:
        with contextlib.suppress(OSError):  # not there yet, or not any more
            return self.part.stat().st_size
        return 0

    def hold(self, *, at_all: bool) -> None:
        """Called as more of it comes: wait while it is too far ahead."""
        until = time.monotonic() + PATIENCE_S
        while at_all and self.remux is None and time.monotonic() < until and not self._stopped:
            if self._come_bytes <= self._ahead_bytes:
                break
            time.sleep(_POLL_S)
        if self._stopped:
            raise _Stopped
        if self.remux is not None:
            self.remux.hold(self.track)

    def end_if_there(self) -> None:
        if not self.thread.is_alive() and self.error is None:
            self.track.end()

    def stop(self) -> None:
        self._stopped = True

    @property
    def is_whole(self) -> bool:
        return self._is_whole

    def _run(self) -> None:
        try:
            done, _ = self._ydl.dl(str(self.path), self._info)
            self.error = None if done else SourceInterrupted()
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits for this
            self.error = error


def _hold(both: list[_Half], status: dict[str, Any]) -> None:
    """A progress hook."""
    for half in both:
        if status.get("filename") == str(half.path):
            half.hold(at_all=not any(one.is_whole for one in both))


def _raise(both: list[_Half]) -> None:
    errors = [half.error for half in both if half.error is not None and not isinstance(half.error, _Stopped)]
    if errors and isinstance(errors[0], ValueError) and patches.given_up:
        raise patches.given_up[0] from errors[0]  # of fragments side by side the first to fail closes it for the others
    if errors:
        raise errors[0]
