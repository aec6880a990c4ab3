"""What comes in fragments (HLS, DASH): fetched side by side, appended in order, never far ahead, and stopped in time.

yt-dlp's own pool of threads is given the whole list at once, and runs ahead of what is appended without limit. What it
can go on with is of no use here: it leaves out what was under way when it was stopped.
"""

import functools
import hashlib
import json
import os
import re
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any, NamedTuple

from downloader.fetcher.live import Place, Recording
from downloader.fetcher.objections import Heeding, connections
from downloader.fetcher.window import Stopped, Task, Window
from reelhaul.errors import SourceChanged

__all__ = ["KEY", "Fragments", "Stopped"]

KEY = "_reelhaul_fragments"  # in the info dict of a track, and of a format that is to become one
AHEAD_BYTES = 32 * 1024**2  # fetched and not appended yet
_POLL_S = 0.05
_SECONDS = re.compile(r"^#EXTINF:([\d.]{1,20})", re.MULTILINE | re.ASCII)


class SoFar(NamedTuple):
    """At one time: how many fragments lie in the file whole, the file's size then, and by what the list is known.

    The number has those before `start` in it. What is behind the size does not count.
    """

    done: int
    bytes: int
    digest: str


class Fragments:
    """The fragments of one track, which the downloader finds as `info[KEY]`; there it need not be.

    With `start` it goes on behind that many fragments of a list with that `count` and `digest`: at the end of the file
    that is there, or else in a new one, which begins with the list's init segment (EXT-X-MAP, DASH's initialization),
    if it has one. What raises in the thread that downloads is `SourceChanged` if the list is not that of before, and
    `Stopped`.
    """

    def __init__(self, *, start: int = 0, count: int | None = None, digest: str | None = None) -> None:
        self.total = 0  # while it is not known, and for live streams
        self._begun = (start, count, digest)
        self._so_far = SoFar(start, 0, "")
        self._size = 0
        self._recording: Recording | None = None
        self._heads = 0  # fragments at the beginning of the file that are there for the second time
        self._has_head: bool | None = None
        self._seconds: list[str] = []
        self._is_stopping = False

    @property
    def done(self) -> int:
        return self.so_far.done

    @property
    def done_bytes(self) -> int:
        return self.so_far.bytes

    @property
    def digest(self) -> str:
        return self.so_far.digest

    @property
    def so_far(self) -> SoFar:
        """For any thread. The last of all fragments counts only when the track is complete."""
        return self._so_far

    @property
    def is_resumable(self) -> bool:
        """Whether it can be gone on with in a new file: it is known how that would begin."""
        return self._recording is not None or (bool(self.total) and self._has_head is not None)

    @property
    def is_stopping(self) -> bool:
        return self._is_stopping

    def stop(self) -> None:
        """For any thread, and for a signal: nothing new is asked for.

        `Stopped` is raised once what is under way has been appended, unless nothing was left to ask for.
        """
        self._is_stopping = True

    def read(self, playlist: str, *, discontinuity: int | None) -> None:
        """A media playlist (RFC 8216) says how long the segments are, and what they begin with."""
        self._seconds = _SECONDS.findall(playlist)
        parts = re.split(r"^#EXT-X-DISCONTINUITY.*$", playlist, flags=re.MULTILINE)
        wanted = parts if discontinuity is None else parts[discontinuity : discontinuity + 1]
        self._has_head = any(re.search(r"^\s*#EXT-X-MAP", part, re.MULTILINE) for part in wanted)

    def chosen(self, listed: Iterator[dict[str, Any]], durations: Any, *, there_bytes: int) -> Iterator[dict[str, Any]]:
        """Of a list that is known as a whole, those that have to be fetched. Raises `SourceChanged`."""
        entries = list(listed)
        start, count, digest = self._begun
        if self._has_head is None:
            self._has_head = _has_head(durations)
        self.total, known = len(entries), _digest(entries, self._seconds or durations)
        self._so_far = self._so_far._replace(digest=known)
        most = self.total if there_bytes else self.total - 1  # of a file that is there, nothing may be left
        if start and ((count, digest) != (self.total, known) or start > most):
            raise SourceChanged
        if start and not there_bytes and self._has_head is None:
            raise SourceChanged
        self._heads = 1 if start and not there_bytes and self._has_head else 0
        self._so_far, self._size = SoFar(start, there_bytes, known), there_bytes
        return iter([*entries[: self._heads], *entries[start:]])

    def unlisted(
        self, named: Iterator[dict[str, Any]], recording: Recording | None, *, there_bytes: int
    ) -> Iterator[dict[str, Any]]:
        """Those that are named one after the other, by `recording` if that does it. Raises `SourceChanged`."""
        start, _, digest = self._begun
        if start:
            if recording is None:
                raise SourceChanged
            recording.go_on(start, digest or "", has_beginning=bool(there_bytes))
            self._so_far = SoFar(start, there_bytes, digest or "")
        elif recording is not None:
            self._so_far = self._so_far._replace(digest=recording.place.digest)
        self._recording = recording
        return named

    def appended(self, size: int) -> None:
        """One more is in the file, which has that size now."""
        self._size = size
        if self._recording is not None:
            self._recorded(self._recording.appended(), size)
        elif self._heads:
            self._heads -= 1
            self._so_far = self._so_far._replace(bytes=size)
        elif self.done + 1 != self.total:
            self._so_far = self._so_far._replace(done=self.done + 1, bytes=size)

    def _recorded(self, place: Place, size: int) -> None:
        """What segments begin with does not count without one that does."""
        if place.number != self.done:
            self._so_far = SoFar(place.number, size, place.digest)

    def completed(self) -> None:
        self._so_far = self._so_far._replace(done=self.total or self.done, bytes=self._size)


def bounded(original: Any) -> Any:
    """`FragmentFD.download_and_append_fragments`, with a pool of threads that knows when it is enough."""

    def download_and_append_fragments(self: Any, ctx: Any, fragments: Any, info_dict: Any, **options: Any) -> Any:
        ours = info_dict.get(KEY) or Fragments()
        file = ctx["dest_stream"]
        ctx["dest_stream"] = _Closed(file)
        try:
            if ctx["live"] or ctx.get("total_frags") is None:
                named = info_dict.get("fragments")
                recording = named if isinstance(named, Recording) else None
                chosen = ours.unlisted(fragments, recording, there_bytes=_size(file))
            else:
                chosen = ours.chosen(fragments, info_dict.get("fragments"), there_bytes=_size(file))
            ctx["dl"].ydl = Heeding(ctx["dl"].ydl, self.params)
            with _window(ours, file, width=lambda: connections(self.params)) as window:
                ctx["dl"]._progress_hooks.insert(0, window.check)  # noqa: SLF001 - before the one that reports
                done = original(self, ctx, chosen, info_dict, **{**options, "tpe": window})
            if done:
                ours.completed()
            return done
        finally:
            file.close()

    return download_and_append_fragments


def side_by_side(self: Any, *tracks: Any, **options: Any) -> bool:
    """`FragmentFD.download_and_append_fragments_multiple`, whose pools of threads are waited for, whatever they do.

    Here nobody waits for the others once one has failed. Raises that, and `Stopped` once all have stopped, or have
    ended.
    """
    one = functools.partial(self.download_and_append_fragments, **options)
    if len(tracks) == 1:
        return bool(one(*tracks[0]))
    tasks = [Task(one, *track) for track in tracks]
    while not all(task.has_ended for task in tasks):
        failed = [task for task in tasks if task.error is not None and not isinstance(task.error, Stopped)]
        if failed:
            failed[0].result()
        time.sleep(_POLL_S)
    tasks.sort(key=lambda task: isinstance(task.error, Stopped))  # an error comes first
    results = [task.result() for task in tasks]
    return all(results)


def noting(original: Any) -> Any:
    """`HlsFD.can_download`, which is shown the playlist."""

    def can_download(cls: Any, manifest: str, info_dict: Any, *arguments: Any) -> Any:
        ours = info_dict.get(KEY)
        if ours is not None:
            ours.read(manifest, discontinuity=info_dict.get("format_index"))
        return original.__func__(cls, manifest, info_dict, *arguments)

    return classmethod(can_download)


def _window(ours: Fragments, file: IO[bytes], *, width: Callable[[], int]) -> Window:
    """What yt-dlp takes for a pool of threads."""
    return Window(
        width=width,
        ahead_bytes=AHEAD_BYTES,
        size_of=lambda fetched: _file_size(fetched[2]),
        used=lambda: ours.appended(_size(file)),
        is_stopping=lambda: ours.is_stopping,
    )


class _Closed:
    """A file that only the thread that writes it can close: yt-dlp closes it when any fragment cannot be had."""

    def __init__(self, file: IO[bytes]) -> None:
        self._file, self._thread = file, threading.get_ident()
        self.write, self.flush = file.write, file.flush

    def close(self) -> None:
        if threading.get_ident() == self._thread:
            self._file.close()


def _size(file: IO[bytes]) -> int:
    return os.fstat(file.fileno()).st_size


def _file_size(name: str | None) -> int:
    try:
        return Path(name or "").stat().st_size
    except OSError:
        return 0


def _has_head(durations: Any) -> bool | None:
    """Of what DASH lists: only what has nothing to play has no duration. `None`: nothing in the list has."""
    known = [one.get("duration") is not None for one in durations or [] if isinstance(one, dict)]
    return not known[0] if any(known) else None


def _digest(entries: list[dict[str, Any]], seconds: Any) -> str:
    """Of all that can be told of a list but addresses, which are others each time."""
    told = [[one.get("byte_range"), (one.get("decrypt_info") or {}).get("METHOD")] for one in entries]
    first = entries[0].get("media_sequence") if entries else None
    lengths = [one.get("duration") if isinstance(one, dict) else one for one in seconds or []]
    return hashlib.sha256(json.dumps([told, first, lengths], default=str).encode()).hexdigest()
