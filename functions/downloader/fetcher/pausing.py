"""Stopping in time for the next worker to go on, and going on where an earlier one has stopped.

Either with the end of what is handed over as it comes, or with all that lies in files. Everything about the medium is
found out anew, its addresses among it, which may have expired; the formats and the files have to be those of before.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from downloader.answers import Resume
from downloader.events import Source
from downloader.fetcher import aside, extract, timing
from downloader.fetcher.carrying import Carrying
from downloader.fetcher.fragments import Stopped
from downloader.fetcher.request import Request
from downloader.fetcher.samples import Malformed
from downloader.fetcher.streaming import Streaming
from downloader.fetcher.timing import Deadline, TimeUp
from reelhaul.errors import SourceChanged, SourceTooSlow

STOP_S, STOP_SHARE = 10.0, 0.3  # of the time for the fetch: what it takes to stop
_IN_FRAGMENTS = {"m3u8", "m3u8_native", "http_dash_segments", "http_dash_segments_generator"}  # appended by our rules
DRAIN_S, DRAIN_SHARE = 5.0, 0.1  # before that: for what is under way
_CARRIED_BYTES_PER_S = 32 * 1024**2  # at the least, from a Lambda function's disk to S3, checksums and all


class Pause(Exception):
    """All has been done that there was time for. `fields` are those of the `paused` event."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__()
        self.fields = fields


def same_again(info: dict[str, Any], request: Request) -> dict[str, Any]:
    """The medium with the formats that were begun with, if any were. Raises `SourceChanged` where one is gone."""
    if request.resume is None:
        return info
    wanted = [track.format_id for track in request.resume.tracks]
    chosen = info.get("requested_formats") or [info]
    if [str(one.get("format_id")) for one in chosen] == wanted:
        return info
    there = {str(one.get("format_id")): one for one in info.get("formats") or []}
    if not there.keys() >= set(wanted):
        raise SourceChanged
    formats = [there[format_id] for format_id in wanted]
    plain = {name: value for name, value in info.items() if name != "requested_formats"}
    if len(formats) == 1:
        return {**plain, **formats[0], "formats": formats}
    return {**plain, "formats": formats, "requested_formats": formats}


def afresh(info: dict[str, Any]) -> Pause:
    """Nothing of this medium can be gone on with as it was begun: the next one begins again, and keeps it in files."""
    tracks = [
        Source(format_id=str(one.get("format_id")), total_bytes=None, etag=None, last_modified=None, place=0)
        for one in info.get("requested_formats") or [info]
    ]
    return Pause({"bytes": 0, "tracks": [dataclasses.asdict(track) for track in tracks], "files": []})


class Pausing:
    """A fetch that may have to stop: of what is handed over by `stream`, if that has begun, else of files.

    Raises `SourceChanged`.
    """

    def __init__(
        self, ydl: extract.Extractor, info: dict[str, Any], request: Request, stream: Streaming | None
    ) -> None:
        self._ydl, self._info, self._request, self._stream = ydl, info, request, stream
        self._carrying = Carrying(ydl, info, request)
        resume = request.resume
        if resume is not None and resume.name is not None:
            if stream is None or len(self._carrying.tracks) > 1:
                raise SourceChanged
            (part,) = (track.part for track in self._carrying.tracks)
            if aside.NAME in resume.files:
                _make_on(stream, part, request.directory, resume)
            else:
                (request.directory / resume.name).rename(part)
                stream.go_on(part, resume)
        elif resume is not None:
            self._carrying.lay_out(resume.files)
        self._was_complete = self._carrying.is_complete
        if stream is not None and info.get("protocol") in _IN_FRAGMENTS:
            stream.fragments = self._carrying.tracks[0].fragments

    @property
    def whole(self) -> Path | None:
        """What all that was fetched has become, if an earlier worker came that far."""
        return self._carrying.whole

    def fetched(self, path: Path) -> None:
        """All of it is there, merged if it was in parts."""
        self._carrying.whole = path

    def leaving_time(self, deadline: Deadline) -> Deadline:
        """By when the work on what was fetched has to be done, so that it can be sent off."""
        return Deadline(deadline.seconds - self._carrying.size / _CARRIED_BYTES_PER_S)

    @contextlib.contextmanager
    def in_time(self, deadline: Deadline) -> Iterator[None]:
        """Around what takes its time. Raises `Pause` within when that is up, and `SourceError` where it cannot be done.

        Not where all had been fetched before: what has to be done then, none has more time for than this one.
        """
        self._ydl.watch = self._carrying.watch
        try:
            with timing.until(lambda: self._is_over(deadline)):
                yield
        except (TimeUp, Stopped):
            if not self._may_pause:
                raise SourceTooSlow from None
            raise Pause(self._paused(Deadline(min(deadline.seconds, STOP_S)))) from None
        finally:
            self._ydl.watch = None

    @property
    def _may_pause(self) -> bool:
        return self._request.pauses and not self._was_complete

    def _is_over(self, deadline: Deadline) -> bool:
        seconds = self._request.seconds
        left_s = deadline.seconds
        if not self._is_streamed:
            left_s -= self._carrying.size / _CARRIED_BYTES_PER_S
        if not self._may_pause:
            return left_s <= 0
        left_s -= min(STOP_S, STOP_SHARE * seconds)
        if left_s <= min(DRAIN_S, DRAIN_SHARE * seconds):
            self._carrying.stop()
        return left_s <= 0

    @property
    def _is_streamed(self) -> bool:
        return self._stream is not None and self._stream.has_begun

    def _paused(self, deadline: Deadline) -> dict[str, Any]:
        if self._stream is not None:
            self._stream.settle()
        if self._stream is None or not self._stream.has_begun:
            return self._carrying.paused()
        (track,) = self._carrying.tracks
        if self._stream.is_remade:
            return self._paused_making(self._stream, deadline)
        path = track.path if track.path.exists() else track.part
        place = self._stream.place(path)
        if place is None:
            raise SourceTooSlow
        come, next_box = place
        source = track.source(come, is_whole=track.fragments is not None and path == track.path)
        if track.fragments is None:
            source = dataclasses.replace(source, place=come, next_box=next_box)
        elif next_box is None:
            come = min(come, track.fragments.done_bytes)
        if (track.fragments is not None and next_box is not None) or come < self._stream.told_bytes:
            raise SourceTooSlow
        return {"bytes": come, "tracks": [dataclasses.asdict(source)], "files": []}

    def _paused_making(self, stream: Streaming, deadline: Deadline) -> dict[str, Any]:
        (track,) = self._carrying.tracks
        if track.fragments is not None and not track.fragments.is_resumable:
            raise SourceTooSlow
        try:
            made_bytes, place, files = stream.pause(self._request.directory, deadline=deadline)
        except SourceTooSlow:
            if self._request.resume is not None:
                raise
            raise afresh(self._info) from None
        source = dataclasses.replace(track.source(place), place=place)
        return {"bytes": made_bytes, "tracks": [dataclasses.asdict(source)], "files": files}


def _make_on(stream: Streaming, part: Path, directory: Path, resume: Resume) -> None:
    """What was made lies there, and what it is made of is as long as before, if there is one file of it: a hole."""
    (track,) = resume.tracks
    if resume.name is None or resume.extension is None:
        raise SourceChanged
    try:
        before = aside.Aside.read(directory)
    except Malformed as error:
        raise SourceChanged from error
    target = (directory / resume.name).rename(directory / f"finished.{resume.extension}")
    if track.fragments is None:
        with part.open("xb") as file:
            file.truncate(track.place)
    stream.make_on(before, target, resume)
