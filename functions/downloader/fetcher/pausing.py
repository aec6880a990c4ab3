"""Stopping in time for the next worker to go on, and going on where an earlier one has stopped.

For one plain file over HTTP that is handed over as it comes. Everything about it is found out anew, its address among
it, which may have expired; the format and the file have to be those of before.
"""

import contextlib
import dataclasses
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from downloader.events import Source
from downloader.fetcher import extract
from downloader.fetcher.marks import Watch
from downloader.fetcher.request import Request
from downloader.fetcher.streaming import Streaming
from downloader.fetcher.timing import Deadline, TimeUp, at_most
from reelhaul.errors import SourceChanged, SourceTooSlow

_PROTOCOLS = {"http", "https"}
_MOST_S, _SHARE = 10.0, 0.3  # of the time for the fetch: what it takes to stop


class Pause(Exception):
    """All has been done that there was time for. `fields` are those of the `paused` event."""

    def __init__(self, fields: dict[str, Any]) -> None:
        super().__init__()
        self.fields = fields


def same_again(info: dict[str, Any], request: Request) -> dict[str, Any]:
    """The medium with the format that was begun with, if one was. Raises `SourceChanged` where it is gone."""
    if request.resume is None:
        return info
    wanted = request.resume.tracks[0].format_id
    if str(info.get("format_id")) == wanted and not info.get("requested_formats"):
        return info
    for one in info.get("formats") or []:
        if str(one.get("format_id")) == wanted:
            plain = {name: value for name, value in info.items() if name != "requested_formats"}
            return {**plain, **one, "formats": [one]}
    raise SourceChanged


@contextlib.contextmanager
def pausing(
    ydl: extract.Extractor, info: dict[str, Any], request: Request, stream: Streaming, *, deadline: Deadline
) -> Iterator[None]:
    """Around a download. Raises `Pause` within when the time is up, and `SourceError` where that cannot be done."""
    if info.get("protocol") not in _PROTOCOLS or not (request.pauses or request.resume):
        if request.resume:
            raise SourceChanged
        yield
        return
    path = Path(ydl.prepare_filename(info))
    part = path.with_name(path.name + ".part")
    if request.resume is not None:
        if request.resume.name is None:
            raise SourceChanged
        (request.directory / request.resume.name).rename(part)
        stream.go_on(part, request.resume)
    ydl.watch = watch = Watch(str(info["url"]), request.resume.tracks[0] if request.resume else None)
    try:
        with at_most(deadline.seconds - min(_MOST_S, _SHARE * request.seconds)):
            yield
    except TimeUp:
        raise Pause(_paused(watch, stream, info, path if path.exists() else part)) from None
    finally:
        ydl.watch = None


def _paused(watch: Watch, stream: Streaming, info: dict[str, Any], path: Path) -> dict[str, Any]:
    place = stream.place(path)
    if place is None or watch.marks is None or watch.marks.total_bytes is None:
        raise SourceTooSlow
    come, next_box = place
    track = Source(
        format_id=str(info.get("format_id")), place=come, next_box=next_box, **dataclasses.asdict(watch.marks)
    )
    return {"bytes": come, "tracks": [dataclasses.asdict(track)], "files": []}
