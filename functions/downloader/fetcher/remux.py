"""One mp4 out of tracks that are still being fetched: they are read as they grow, and cut out behind the reader.

ffmpeg reads them through pipes and writes fragments into one, which `defragment` makes an ordinary file of, written
strictly forward, so that it can be handed over as it grows, too.
"""

import contextlib
import os
import subprocess
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from downloader import holes
from downloader.fetcher import finishing, guard
from downloader.fetcher.defragment import Defragmenter, Malformed
from downloader.fetcher.growth import Growth
from downloader.fetcher.probe import Probe
from downloader.fetcher.recipes import Recipe
from downloader.fetcher.timing import Deadline
from reelhaul.errors import SourceError, SourceInterrupted, SourceTooSlow

EXTENSIONS = {"mp4", "m4a"}  # what can be made this way
PATIENCE_S = 5.0  # after which a source is listened to for a moment, lest it give up
_POLL_S = 0.02
_READ_BYTES = 1024**2
_SAID_BYTES = 4096
# A fragment is written when it is complete: short ones, so that little waits in memory. The index can say where sound
# starts only if it is written after the first of them.
FRAGMENTS = [
    "-movflags", "+empty_moov+default_base_moof+delay_moov", "-frag_duration", "1000000", "-movie_timescale", "90000",
]  # fmt: skip


class Track:
    """A file that grows until `end`; read here from its beginning. With `is_whole` it has ended, and is read anyhow.

    `ahead_bytes`: how far it should be ahead of what was made of it.
    """

    def __init__(self, path: Path, *, ahead_bytes: int, is_whole: bool = False) -> None:
        self.path = path if is_whole else None
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._ended = threading.Event()
        self._most_ahead_bytes = ahead_bytes
        self._read_bytes = 0

    @property
    def is_too_far(self) -> bool:
        return self.path is None and self._ahead_bytes > self._most_ahead_bytes

    @property
    def _ahead_bytes(self) -> int:
        return os.fstat(self._descriptor).st_size - self._read_bytes

    def end(self) -> None:
        """All of it is there."""
        self._ended.set()

    def close(self) -> None:
        os.close(self._descriptor)

    def blocks(self, stop: threading.Event) -> Iterator[bytes]:
        """All of it, as it comes, each cut out of the file once the next is asked for. Raises `SourceInterrupted`."""
        while not stop.is_set():
            has_ended = self._ended.is_set()  # before the look, not after
            if self._ahead_bytes < 0:
                raise SourceInterrupted  # begun anew
            data = os.pread(self._descriptor, _READ_BYTES, self._read_bytes)
            if data:
                yield data
                holes.punch(self._descriptor, self._read_bytes, len(data))
                self._read_bytes += len(data)
            elif has_ended:
                return
            else:
                stop.wait(_POLL_S)


class Remux:
    """From `tracks` to `target`. Started at once; `finish` waits for its end."""

    def __init__(
        self, tracks: list[Track], target: Path, found: Probe, wanted: Recipe, growth: Growth, *, sound_from: int = 0
    ) -> None:
        self.target = target
        self._tracks, self._growth = tracks, growth
        self._stop = threading.Event()
        self._errors: list[BaseException] = []
        self._said = b""
        growing = [track for track in tracks if track.path is None]
        pipes = [os.pipe() for _ in growing]
        readers = iter([reader for reader, _ in pipes])
        names = [f"file:{track.path}" if track.path else f"pipe:{next(readers)}" for track in tracks]
        inputs = [part for name in names for part in (*wanted.before_input, "-i", name)]
        plain = ["-bsf:a", "aac_adtstoasc"] if _is_adts(found, wanted) else []
        muxer = [*plain, *FRAGMENTS, "-f", "ipod" if wanted.extension == "m4a" else "mp4"]
        made = [*wanted.arguments(found, sound_from=sound_from), *muxer, "pipe:1"]
        self._process = subprocess.Popen(  # noqa: S603 - a wrapper of ours, and every argument is made here
            [str(guard.BIN / "ffmpeg"), "-v", "error", "-nostdin", *inputs, *made],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            pass_fds=[reader for reader, _ in pipes],
        )  # fmt: skip
        for reader, _ in pipes:
            os.close(reader)
        self._file = target.open("wb", buffering=0)
        growth.begin(target, wanted.extension)
        assert self._process.stdout is not None  # noqa: S101 - for the type checker
        self._making = Defragmenter(self._process.stdout, self._write, extension=wanted.extension)
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
        until = time.monotonic() + deadline.left()
        for thread in self._threads:
            thread.join(max(0.0, until - time.monotonic()))
            if thread.is_alive():
                self.cancel()
                raise SourceTooSlow
        status = self._process.wait()
        said = self._said.decode(errors="replace")
        if status != 0:
            raise finishing.why(status, said, self.target)(said[-300:])
        self.check()
        self._file.close()
        for track in self._tracks:
            track.close()
        return self.target

    def cancel(self) -> None:
        self._stop.set()
        with contextlib.suppress(OSError):
            self._process.kill()

    def check(self) -> None:
        """Raises what has gone wrong by now."""
        for error in self._errors:
            if not isinstance(error, BrokenPipeError | Malformed):
                raise error
        if self._errors and self._process.poll() is None:
            self.cancel()
        if self._errors:
            said = self._said.decode(errors="replace")
            raise finishing.why(self._process.wait(), said, self.target)(said[-300:]) from self._errors[0]

    def _guarded(self, job: Any, *arguments: Any) -> None:
        try:
            job(*arguments)
        except (OSError, SourceError, Malformed, MemoryError) as error:
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
        self._making.run()

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
