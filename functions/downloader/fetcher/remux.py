"""One mp4 out of tracks that are still being fetched: they are read as they grow, and cut out behind the reader.

ffmpeg reads them through pipes and writes fragments into one, which `defragment` makes an ordinary file of, written
strictly forward, so that it can be handed over as it grows, too.
"""

import contextlib
import dataclasses
import os
import subprocess
import threading
import time
from pathlib import Path
from typing import Any

from downloader.fetcher import finishing, guard
from downloader.fetcher.defragment import Defragmenter, Malformed
from downloader.fetcher.feeding import Track
from downloader.fetcher.growth import Growth
from downloader.fetcher.probe import Probe
from downloader.fetcher.recipes import Recipe
from downloader.fetcher.timing import Deadline
from reelhaul.errors import SourceChanged, SourceError, SourceNotMedia, SourceTooSlow, WorkerCrashed

EXTENSIONS = {"mp4", "m4a"}  # what can be made this way
PATIENCE_S = 5.0  # after which a source is listened to for a moment, lest it give up
_POLL_S = 0.02
_SETTLED_S = 0.3  # without anybody reading on, all that was there has been read
_SAID_BYTES = 4096
_ENDS_S = 1.0  # what ffmpeg may take to end once it has closed its input
# A fragment is written when it is complete: short ones, so that little waits in memory. The index can say where sound
# starts only if it is written after the first of them.
FRAGMENTS = [
    "-movflags", "+empty_moov+default_base_moof+delay_moov", "-frag_duration", "1000000", "-movie_timescale", "90000",
]  # fmt: skip


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """The target is there, with its first `final_bytes`. `state`: as of a `Defragmenter`, whose work is gone on with.

    `delays_s`: how much later than the first one each track begins.
    """

    final_bytes: int
    state: bytes
    delays_s: list[float]


class Remux:
    """From `tracks` to `target`. Started at once; `finish` waits for its end, `pause` makes an end for now.

    Raises `SourceChanged` where it cannot go on with what was `begun`.
    """

    def __init__(
        self,
        tracks: list[Track],
        target: Path,
        found: Probe,
        wanted: Recipe,
        growth: Growth,
        *,
        sound_from: int = 0,
        begun: Begun | None = None,
    ) -> None:
        self.target = target
        self._file = target.open("ab" if begun else "wb", buffering=0)
        if begun and self._file.tell() != begun.final_bytes:
            raise SourceChanged
        self._tracks, self._growth = tracks, growth
        self._stop = threading.Event()
        self._errors: list[BaseException] = []
        self._said = b""
        growing = [track for track in tracks if track.path is None]
        pipes = [os.pipe() for _ in growing]
        readers = iter([reader for reader, _ in pipes])
        names = [f"file:{track.path}" if track.path else f"pipe:{next(readers)}" for track in tracks]
        delays = begun.delays_s if begun else [0.0] * len(tracks)
        inputs = [
            part
            for name, delay_s in zip(names, delays, strict=True)
            for part in (*wanted.before_input, *_delayed(delay_s), "-i", name)
        ]
        plain = ["-bsf:a", "aac_adtstoasc"] if _is_adts(found, wanted) else []
        muxer = [*plain, *FRAGMENTS, "-f", "ipod" if wanted.extension == "m4a" else "mp4"]
        chosen = wanted.arguments(found, sound_from=sound_from)
        made = [*(_as_far_as_there(chosen) if begun else chosen), *muxer, "pipe:1"]
        self._process = subprocess.Popen(  # noqa: S603 - a wrapper of ours, and every argument is made here
            [str(guard.BIN / "ffmpeg"), "-v", "error", "-nostdin", *inputs, *made],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            pass_fds=[reader for reader, _ in pipes],
        )  # fmt: skip
        for reader, _ in pipes:
            os.close(reader)
        if begun:
            growth.go_on(target, wanted.extension, begun.final_bytes)
        else:
            growth.begin(target, wanted.extension)
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        self._making = Defragmenter(
            self._process.stdout, self._write, extension=wanted.extension, state=begun.state if begun else None,
            is_sound_whole=wanted.copies_sound,
        )  # fmt: skip
        jobs = [(self._feed, track, writer) for track, (_, writer) in zip(growing, pipes, strict=True)]
        self._threads = [threading.Thread(target=self._guarded, args=job, daemon=True) for job in jobs]
        self._threads += [
            threading.Thread(target=self._guarded, args=(job,), daemon=True) for job in (self._make, self._hear)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def duration_s(self) -> float:
        return self._making.duration_s

    def hold(self, track: Track) -> None:
        """Wait while this track is too far ahead. Raises what has gone wrong meanwhile."""
        until = time.monotonic() + PATIENCE_S
        while track.is_too_far and time.monotonic() < until and not self._stop.is_set():
            time.sleep(_POLL_S)
        self.check()

    def finish(self, *, deadline: Deadline) -> Path:
        """All tracks have ended: wait until the file is complete. Raises `SourceError`."""
        self._end(deadline)
        try:
            self._making.finish()
        except Malformed as error:
            raise SourceNotMedia from error
        self._file.close()
        return self.target

    def settle(self, deadline: Deadline) -> None:
        """Wait until of what has been fetched is made what can be made, at most until then."""
        before, since = [track.read_bytes for track in self._tracks], time.monotonic()
        while deadline.seconds > 0 and time.monotonic() - since < _SETTLED_S:
            time.sleep(_POLL_S)
            self.check()
            now = [track.read_bytes for track in self._tracks]
            if now != before:
                before, since = now, time.monotonic()

    def cut(self) -> list[int | None]:
        """End all tracks for now. The place of each from which on it is left, `None` if it had ended.

        Raises `SourceTooSlow` where one cannot be cut.
        """
        return [track.cut() for track in self._tracks]

    def pause(self, *, deadline: Deadline) -> tuple[int, bytes]:
        """Tracks have been cut: how much of the file there is, and what goes on with it. Raises `SourceError`."""
        self._end(deadline)
        self._file.close()
        try:
            return self._making.written_bytes, self._making.put_aside()
        except Malformed as error:
            raise SourceTooSlow from error

    @property
    def ends_s(self) -> dict[bytes, float]:
        return self._making.ends_s

    def _end(self, deadline: Deadline) -> None:
        """Wait until ffmpeg has."""
        for thread in self._threads:
            while thread.is_alive():
                thread.join(_POLL_S)
                self.check()
                if deadline.seconds <= 0:
                    self.cancel()
                    raise SourceTooSlow
        status = self._process.wait()
        if status != 0:
            said = self._said.decode(errors="replace")
            raise finishing.why(status, said, self.target)(said[-300:])
        self.check()
        for track in self._tracks:
            track.close()

    def cancel(self) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self._process.kill()

    def check(self) -> None:
        """Raises what has gone wrong by now."""
        for error in self._errors:
            if isinstance(error, BrokenPipeError | Malformed):
                continue
            if isinstance(error, OSError | SourceError | MemoryError):
                raise error
            raise WorkerCrashed from error  # a mistake of ours
        if self._errors:
            with contextlib.suppress(subprocess.TimeoutExpired):  # it may be about to say why
                self._process.wait(_ENDS_S if isinstance(self._errors[0], BrokenPipeError) else 0)
            self.cancel()
            self._threads[-1].join(_ENDS_S)
            said = self._said.decode(errors="replace")
            raise finishing.why(self._process.wait(), said, self.target)(said[-300:]) from self._errors[0]

    def _guarded(self, job: Any, *arguments: Any) -> None:
        try:
            job(*arguments)
        except Exception as error:  # noqa: BLE001 - whatever it is, ffmpeg waits for this thread; see `check`
            self._errors.append(error)
            self._stop.set()

    def _feed(self, track: Track, writer: int) -> None:
        try:
            for data in track.blocks(self._stop):
                view = memoryview(data)
                while view:
                    view = view[os.write(writer, view) :]
        finally:
            os.close(writer)

    def _make(self) -> None:
        self._making.read()

    def _hear(self) -> None:
        assert self._process.stderr is not None  # noqa: S101 - for the type checker
        while data := self._process.stderr.read1(_SAID_BYTES):  # type: ignore[attr-defined]  # a BufferedReader
            self._said = (self._said + data)[-_SAID_BYTES:]

    def _write(self, data: bytes) -> None:
        view = memoryview(data)
        while view:
            view = view[self._file.write(view) :]
        self._growth.extend(self._file.tell())


def _is_adts(found: Probe, wanted: Recipe) -> bool:
    """Whether AAC comes the way it is broadcast. Into a file that is no stream ffmpeg takes it as it does by itself."""
    return (
        any(found.is_read_by(one) for one in ("mpegts", "aac")) and set(found.audio) == {"aac"} and wanted.copies_sound
    )


def _delayed(seconds: float) -> list[str]:
    return ["-itsoffset", f"{seconds:.6f}"] if seconds else []


def _as_far_as_there(arguments: list[str]) -> list[str]:
    """A track may have ended before the others."""
    return [f"{one}?" if before == "-map" else one for before, one in zip(["", *arguments], arguments, strict=False)]
