"""Picture and sound that come as two files, fetched side by side, and merged into an mp4 while they grow."""

import dataclasses
import time
from typing import Any

from downloader.fetcher import aside, failures, objections, recipes
from downloader.fetcher.aside import Aside
from downloader.fetcher.finishing import Output
from downloader.fetcher.growth import Growth
from downloader.fetcher.halves import Half, errors_of, hold
from downloader.fetcher.marks import Watches
from downloader.fetcher.pausing import DRAIN_S, DRAIN_SHARE, STOP_S, STOP_SHARE, Pause, afresh
from downloader.fetcher.probe import Probe
from downloader.fetcher.progress import Tracks
from downloader.fetcher.recipes import Recipe
from downloader.fetcher.remux import Begun, Remux
from downloader.fetcher.request import Request
from downloader.fetcher.samples import Malformed
from downloader.fetcher.streaming import described, is_all_wanted
from downloader.fetcher.timing import Deadline
from reelhaul.errors import (
    SourceChanged,
    SourceNotMedia,
    SourceRateLimited,
    SourceRefused,
    SourceTooLong,
    SourceTooSlow,
)

_PROTOCOLS = {"http", "https", "m3u8_native", "m3u8", "http_dash_segments"}
_POLL_S = 0.02
_LAST_LOOK_SHARE = 0.1  # of the time for stopping: enough to say that nothing is left
_KINDS = (b"vide", b"soun")


def is_possible(info: dict[str, Any], request: Request) -> bool:
    """Whether there are a picture without sound and a sound without picture, and all of both is wanted in an mp4.

    Not if an earlier fetcher has begun otherwise.
    """
    formats = info.get("requested_formats") or []
    kinds = [(one.get("vcodec") != "none", one.get("acodec") != "none") for one in formats]
    return (
        sorted(kinds) == [(False, True), (True, False)]
        and all(one.get("protocol") in _PROTOCOLS for one in formats)
        and is_all_wanted(request)
        and request.options.download_type == "video"
        and request.options.container == "mp4"
        and (request.resume is None or aside.NAME in request.resume.files)
    )


def fetch(
    ydl: Any, info: dict[str, Any], request: Request, growth: Growth, tracks: Tracks, *, deadline: Deadline
) -> Output:
    """Raises `SourceError`, whatever yt-dlp does, and `Pause`.

    That, too, where the source refuses the one while the other comes: the next one fetches one after the other.
    """
    tracks.expect(info)
    before = _before(request)
    sources = request.resume.tracks if request.resume else (None, None)
    both = [
        Half(ydl, info, one, request, n, before=source, head=before.heads[n] if before else b"")
        for n, (one, source) in enumerate(zip(info["requested_formats"], sources, strict=True))
    ]
    left = [half for half in both if before is None or not before.has_ended[half.number]]
    ydl.add_progress_hook(lambda status: hold(left, status))
    ydl.watch = Watches(half.watch for half in left if half.watch is not None)
    for half in left:
        half.start()
    merge = _Merge(info, both, left, request, growth, before=before, deadline=deadline, params=ydl.params)
    try:
        return merge.output(tracks)
    finally:
        ydl.watch = None
        for half in both:
            half.stop()
        merge.cancel()


def _before(request: Request) -> Aside | None:
    if request.resume is None:
        return None
    try:
        before = Aside.read(request.directory)
    except Malformed as error:
        raise SourceChanged from error
    if len(request.resume.tracks) != len(_KINDS) or len(before.has_ended) != len(_KINDS):
        raise SourceChanged
    return before


class _Merge:
    """Of `both`, of which those that are `left` are still fetched."""

    def __init__(
        self, info: dict[str, Any], both: list[Half], left: list[Half], request: Request, growth: Growth, *,
        before: Aside | None, deadline: Deadline, params: dict[str, Any],
    ) -> None:  # fmt: skip
        self._params, self._info = params, info
        self._both, self._request, self._growth, self._before = both, request, growth, before
        self._deadline = deadline
        self._picture, self._sound = sorted(both, key=lambda half: not half.has_picture)
        self._left = [half for half in (self._picture, self._sound) if half in left]
        self._remux: Remux | None = None

    def cancel(self) -> None:
        if self._remux is not None:
            self._remux.cancel()

    def output(self, tracks: Tracks) -> Output:
        found, starts_s = self._look()
        wanted = recipes.recipe(found, self._request.options)
        self._remux = remux = self._begun(found, wanted, starts_s)
        for half in self._left:
            half.remux = remux
        while any(half.is_running for half in self._left):
            self._check(remux)
            if self._request.pauses and self._left_s <= self._drain_s:
                self._drain(remux)
                self._pause_unless_ended(remux, found, starts_s)
                break
            time.sleep(_POLL_S)
        self._check(remux)
        tracks.finishing()
        path = remux.finish(deadline=self._deadline)
        for half in self._left:
            half.path.unlink(missing_ok=True)
        found = dataclasses.replace(found, duration_s=remux.duration_s)
        if self._request.max_duration_s and remux.duration_s > self._request.max_duration_s:
            raise SourceTooLong
        return described(path, found, wanted, head_bytes=self._request.stream_above_bytes)

    def _check(self, remux: Remux) -> None:
        for half in self._left:
            half.end_if_there()
        self._check_halves()
        remux.check()
        self._deadline.left()

    def _look(self) -> tuple[Probe, dict[int, float]]:
        """What there is in both together, and when each that is left starts on its own clock."""
        looks = {half.number: half.look(self._check_looking) for half in self._left}
        starts_s = {number: found.start_s for number, found in looks.items()}
        if self._before is not None:
            return self._before.found, starts_s
        seen, heard = looks[self._picture.number], looks[self._sound.number]
        found = dataclasses.replace(heard, video=seen.video, lines=seen.lines, duration_s=None)
        if not found.video or not found.audio:
            raise SourceNotMedia
        return found, starts_s

    def _check_looking(self) -> None:
        """Raises what has gone wrong, and `Pause` where there is no more time, and nothing yet to go on with.

        As long as there is any, what comes may tell: to begin again costs more than to stop late.
        """
        self._check_halves()
        self._deadline.left()
        is_over = self._deadline.seconds <= self._stop_s * _LAST_LOOK_SHARE
        if is_over and self._request.pauses and self._request.resume is None:
            raise afresh(self._info)

    def _check_halves(self) -> None:
        """Raises what has gone wrong with any; `Pause` where that is the company of the other one."""
        try:
            errors_of(self._left)
        except Exception as error:
            said = failures.verdict(error)
            is_other_there = any(half.is_running and half.error is None for half in self._left)
            if isinstance(said, SourceRefused) or not objections.is_one(error) or not is_other_there:
                raise
            objections.heed(self._params)
            if self._request.pauses and self._request.resume is None:
                raise afresh(self._info) from error
            raise SourceRateLimited(retry_after_s=said.retry_after_s) from error

    def _begun(self, found: Probe, wanted: Recipe, starts_s: dict[int, float]) -> Remux:
        target = self._request.directory / f"finished.{wanted.extension}"
        begun = None
        if self._before is not None:
            resume = self._request.resume
            if resume is None or resume.name is None:
                raise SourceChanged
            (self._request.directory / resume.name).rename(target)
            delays_s = self._before.delays_s(starts_s)
            begun = Begun(final_bytes=resume.bytes, state=self._before.state, delays_s=delays_s)
        if self._picture not in self._left:
            wanted = dataclasses.replace(wanted, video=None)
        if self._sound not in self._left:
            wanted = dataclasses.replace(wanted, audio=())
        files = [half.track for half in self._left]
        sound_from = len(files) - 1
        return Remux(files, target, found, wanted, self._growth, sound_from=sound_from, begun=begun)

    @property
    def _left_s(self) -> float:
        """Until it has to stop."""
        return self._deadline.seconds - self._stop_s

    @property
    def _stop_s(self) -> float:
        return min(STOP_S, STOP_SHARE * self._request.seconds)

    @property
    def _drain_s(self) -> float:
        return min(DRAIN_S, DRAIN_SHARE * self._request.seconds)

    def _drain(self, remux: Remux) -> None:
        """Nothing new is asked for, and what is under way comes, if it does in time."""
        for half in self._left:
            half.drain()
        while any(half.is_running for half in self._left) and self._left_s > 0:
            self._check(remux)
            time.sleep(_POLL_S)
        self._check(remux)
        remux.settle(Deadline(min(self._deadline.seconds, STOP_S) / 2))

    def _pause_unless_ended(self, remux: Remux, found: Probe, starts_s: dict[int, float]) -> None:
        """Raises `Pause`, or returns if just now all has come."""
        try:
            places = dict(zip([half.number for half in self._left], remux.cut(), strict=True))
        except SourceTooSlow:
            if self._request.resume is not None:
                raise
            raise afresh(self._info) from None
        if all(place is None for place in places.values()):
            return
        made_bytes, state = remux.pause(deadline=self._deadline)
        begins_s = self._before.starts_s if self._before else tuple(starts_s[half.number] for half in self._both)
        left = Aside(
            found=found, starts_s=begins_s, ends_s=self._ends_s(remux), state=state,
            has_ended=tuple(places.get(half.number) is None for half in self._both),
            heads=tuple(half.head for half in self._both),
        )  # fmt: skip
        sources = [half.source(places.get(half.number)) for half in self._both]
        files = [left.write(self._request.directory)]
        raise Pause({"bytes": made_bytes, "tracks": [dataclasses.asdict(one) for one in sources], "files": files})

    def _ends_s(self, remux: Remux) -> tuple[float, ...]:
        ends_s = [remux.ends_s.get(kind) for kind in _KINDS]
        if None in ends_s:
            raise SourceTooSlow
        by_kind = dict(zip((self._picture.number, self._sound.number), ends_s, strict=True))
        return tuple(by_kind[half.number] or 0.0 for half in self._both)
