"""Files whose server gives each connection only so much: fetched over several, in ranges of bytes, in order.

One connection begins. If it turns out to be slow, a second one fetches a range further on; only if the server knows
ranges, and both together are faster, several take over. Whatever the server objects to, one goes on alone where the
bytes have stopped, so nothing is lost by it.
"""

import contextlib
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from yt_dlp.downloader.http import HttpFD
from yt_dlp.networking.exceptions import HTTPError, RequestError
from yt_dlp.utils import DownloadError

from downloader.fetcher import objections
from downloader.fetcher.marks import RangeRequest, Watch
from downloader.fetcher.window import Task, Window
from reelhaul.errors import SourceTooSlow

SLOW_BYTES_PER_S = 4 * 1024**2
LOOK_S = 3.0  # of reading, after which it is judged
WORTH_S = 10.0  # what is left at least, at the speed of one connection
GAIN = 1.4  # times as fast is what two have to be
LEAST_BYTES, MOST_BYTES = 128 * 1024, 4 * 1024**2  # of a range; else what one connection brings in a second
AHEAD_BYTES = 16 * 1024**2
TAIL_BYTES = 64 * 1024  # are left to the one connection that ends it
_BLOCK_BYTES = 64 * 1024
_FIRST_PATIENCE_S = (0.5, 1.0)  # for one that refuses to begin: it may notice late that nobody looks any more
_PATIENCE_S = (0.5, 1.0, 2.0, 4.0)  # for a server that has objected, before it is asked for the rest


class _Switch(Exception):
    """Several are to take over."""


class _Objection(Exception):
    """The server does not give what it was asked for."""


def ranged(original: Any) -> Any:
    """`HttpFD.real_download`, for the files of tracks."""

    def real_download(self: Any, filename: str, info_dict: dict[str, Any]) -> Any:
        def by_one() -> Any:
            return original(self, filename, info_dict)

        if not _is_possible(self, filename, info_dict):
            return _patiently(by_one, _FIRST_PATIENCE_S)
        ranges = _Ranges(self, filename, info_dict)
        try:
            with ranges.looking():
                return _patiently(by_one, _FIRST_PATIENCE_S)
        except _Switch:
            ranges.give_up_the_first()
        return _patiently(by_one, _PATIENCE_S if ranges.fetch() else _FIRST_PATIENCE_S)

    return real_download


def _patiently(fetch: Callable[[], Any], pauses_s: Iterable[float]) -> Any:
    """A server that counts connections may still see one that is closed, as that by which the file was looked at.

    One that says when to come again is not asked before: that is for the queue.
    """
    for pause_s in pauses_s:
        try:
            return fetch()
        except (HTTPError, DownloadError) as error:
            if not objections.is_one(error) or objections.says_when(error):
                raise
        time.sleep(pause_s)
    return fetch()


def _is_possible(downloader: Any, filename: str, info: dict[str, Any]) -> bool:
    """Fragments come by a subclass."""
    return (
        type(downloader) is HttpFD
        and objections.connections(downloader.params) > 1
        and not downloader.params.get("test")
        and filename != "-"
        and not info.get("request_data")
        and downloader._get_impersonate_target(info) is None  # noqa: SLF001 - as the original asks
    )


class _Watched:
    """The `ydl` of a downloader, with an eye on what the server of its file answers."""

    def __init__(self, ydl: Any, watch: Watch) -> None:
        self._ydl, self._watch = ydl, watch
        self.reply: Any = None  # to whoever goes on alone

    def urlopen(self, request: Any) -> Any:
        reply = self._watch.open(self._ydl.urlopen, request)
        if not isinstance(request, RangeRequest):
            self.reply = reply
        return reply

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ydl, name)


class _Ranges:
    """One file, by its downloader."""

    def __init__(self, downloader: Any, filename: str, info: dict[str, Any]) -> None:
        self._downloader, self._filename, self._info = downloader, filename, info
        self._part = Path(downloader.temp_name(filename))
        self._watch = Watch(info["url"], None, adopts=True)
        self._ydl = downloader.ydl = _Watched(downloader.ydl, self._watch)
        self._look = _Look()
        self._alone_rate = 0.0
        self._probe: Task | None = None
        self._probed = (0, 0)
        self._range_bytes = 0
        self._is_decided = False
        self._window: Window | None = None

    @contextlib.contextmanager
    def looking(self) -> Iterator[None]:
        """The time that other hooks take is not the source's. Raises `_Switch` within."""
        hooks = self._downloader._progress_hooks  # noqa: SLF001 - what is added by the method comes last
        hooks.insert(0, self._arrived)
        hooks.append(self._left)
        try:
            yield
        finally:
            hooks.remove(self._arrived)
            hooks.remove(self._left)

    def give_up_the_first(self) -> None:
        """Its connection is closed, and what had come of it is written."""
        self._ydl.reply.close()

    def fetch(self) -> bool:
        """Append ranges, almost to the end. Whether the server objected to it."""
        size = self._part.stat().st_size
        total = self._total_bytes - TAIL_BYTES
        began_at, began_bytes = time.monotonic(), size
        width = objections.connections(self._downloader.params)
        with self._part.open("ab", buffering=0) as file:
            try:
                with Window(
                    width=lambda: width, ahead_bytes=AHEAD_BYTES, size_of=lambda piece: len(piece[1])
                ) as window:
                    self._window = window
                    for start, data in window.map(self._range, self._pieces(size, total)):
                        view = memoryview(data)[max(0, size - start) :]
                        while view:
                            written = file.write(view)
                            view, size = view[written:], size + written
                        self._report(size, (size - began_bytes) / max(time.monotonic() - began_at, 1e-3))
            except (RequestError, SourceTooSlow, _Objection):
                objections.heed(self._downloader.params)
                return True
        return False

    @property
    def _total_bytes(self) -> int:
        return (self._watch.marks.total_bytes if self._watch.marks else None) or 0

    def _arrived(self, status: dict[str, Any]) -> None:
        if status.get("status") != "downloading":
            return
        size = int(status["downloaded_bytes"])
        self._look.enter(size)
        if self._is_decided:
            return
        if self._probe is not None:
            if self._probe.has_ended:
                self._is_decided = True
                self._judge()
        elif self._look.seconds >= LOOK_S:
            rate, left = self._look.rate, self._total_bytes - TAIL_BYTES - size
            self._is_decided = not (rate < SLOW_BYTES_PER_S and left > rate * WORTH_S and left > 4 * LEAST_BYTES)
            if not self._is_decided:
                self._begin_to_probe(size, rate)

    def _left(self, _: dict[str, Any]) -> None:
        self._look.leave()

    def _begin_to_probe(self, size: int, rate: float) -> None:
        """Where the first connection will not be before the second has fetched it."""
        self._range_bytes = int(min(max(rate, LEAST_BYTES), MOST_BYTES))
        start = min(size + self._range_bytes, self._total_bytes - TAIL_BYTES - self._range_bytes)
        self._probed = (start, start + self._range_bytes)
        self._alone_rate = rate
        self._look = _Look()
        self._look.enter(size)
        self._probe = Task(self._timed, self._probed)

    def _judge(self) -> None:
        """Raises `_Switch` if two connections brought so much more than one."""
        assert self._probe is not None  # noqa: S101 - for the type checker
        if self._probe.error is not None:
            objections.heed(self._downloader.params)
            return
        _, data, seconds = self._probe.value
        if self._look.rate + len(data) / max(seconds, 1e-3) >= GAIN * self._alone_rate:
            raise _Switch

    def _timed(self, piece: tuple[int, int]) -> tuple[int, bytes, float]:
        began_at = time.monotonic()
        start, data = self._range(piece)
        return start, data, time.monotonic() - began_at

    def _pieces(self, size: int, total: int) -> Iterator[tuple[int, int]]:
        """Bounds of what is missing from `size` to `total`; what has been fetched to try it is one of them."""
        start = size
        while start < total:
            end = min(start + self._range_bytes, total)
            if start <= self._probed[0] < end:
                if start < self._probed[0]:
                    yield start, self._probed[0]
                yield self._probed
                end = self._probed[1]
            else:
                yield start, end
            start = end

    def _range(self, piece: tuple[int, int]) -> tuple[int, bytes]:
        if self._probe is not None and piece == self._probed and self._probe.has_ended:
            return self._probe.value[:2]  # type: ignore[no-any-return]  # of `_timed`
        start, end = piece
        headers = {"Accept-Encoding": "identity", **(self._info.get("http_headers") or {})}
        request = RangeRequest(self._info["url"], None, {**headers, "Range": f"bytes={start}-{end - 1}"})
        data = bytearray()
        with self._ydl.urlopen(request) as reply:
            if reply.status != 206:
                raise _Objection
            while len(data) < end - start:
                if self._window is not None:
                    self._window.check()
                block = reply.read(min(_BLOCK_BYTES, end - start - len(data)))
                if not block:
                    raise _Objection
                data += block
        return start, bytes(data)

    def _report(self, size: int, rate: float) -> None:
        self._downloader._hook_progress(  # noqa: SLF001 - as the original does
            {
                "status": "downloading", "downloaded_bytes": size, "total_bytes": self._total_bytes,
                "tmpfilename": str(self._part), "filename": self._filename, "speed": rate,
                "eta": (self._total_bytes - size) / max(rate, 1.0), "ctx_id": self._info.get("ctx_id"),
            },
            self._info,
        )  # fmt: skip


class _Look:
    """How fast one connection is, by the time that is spent on reading alone."""

    def __init__(self) -> None:
        self.seconds = 0.0
        self._left_at: float | None = None
        self._from_bytes: int | None = None
        self._to_bytes = 0

    @property
    def rate(self) -> float:
        return (self._to_bytes - (self._from_bytes or 0)) / max(self.seconds, 1e-3)

    def enter(self, size: int) -> None:
        if self._from_bytes is None:
            self._from_bytes = size
        if self._left_at is not None:
            self.seconds += time.monotonic() - self._left_at
        self._to_bytes = size

    def leave(self) -> None:
        self._left_at = time.monotonic()
