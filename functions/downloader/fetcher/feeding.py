"""A track that is still being fetched, read as it grows, and cut out behind the reader."""

import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

from downloader import holes
from downloader.fetcher.bounds import Bounds, Uncut
from reelhaul.errors import SourceInterrupted, SourceTooSlow

_POLL_S = 0.02
_READ_BYTES = 128 * 1024  # little, so that a muxer has not much more of a track than it needs
_PUNCH_BYTES = 1024**2


class Track:
    """A file that grows until `end`; read here from `start`, behind the head of its `bounds` if that is not 0.

    With `is_whole` it has ended, and is read anyhow. `ahead_bytes`: how far it should be ahead of what was made of it.
    `bounds` is called with the file's descriptor.
    """

    def __init__(
        self,
        path: Path,
        *,
        ahead_bytes: int,
        is_whole: bool = False,
        start: int = 0,
        bounds: Callable[[int], Bounds] = lambda _: Uncut(),
    ) -> None:
        self.path = path if is_whole else None
        self._descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC)
        self._ended = threading.Event()
        self._most_ahead_bytes = ahead_bytes
        self._read_bytes = self._punched_bytes = start
        self._starts_behind = start > 0
        self._bounds = bounds(self._descriptor)
        self._lock = threading.Lock()
        self._asked_bytes = start
        self._until: int | None = None
        self._stopped_at: int | None = None

    @property
    def is_too_far(self) -> bool:
        """With each block that comes, for any thread. Raises `SourceInterrupted` where the source has begun anew."""
        asked = self._asked_bytes  # before the look: fragments are written by another thread, and read by a third
        size = self._size
        if size < asked:  # whoever reads it may come to look only once it has grown beyond that again
            raise SourceInterrupted
        enough = max(self._read_bytes + self._most_ahead_bytes, self._bounds.wanted_bytes)
        return self.path is None and size > enough

    @property
    def _size(self) -> int:
        return os.fstat(self._descriptor).st_size

    @property
    def head(self) -> bytes:
        """What has to come before the rest, once it has been cut."""
        return self._bounds.head

    @property
    def read_bytes(self) -> int:
        """How far in the file somebody has come."""
        return self._read_bytes

    def end(self) -> None:
        """All of it is there."""
        self._ended.set()

    def cut(self) -> int | None:
        """End it as soon as possible. The place from which on it is left (as of `Source`), `None` if nothing is.

        Raises `SourceTooSlow` where it cannot be cut.
        """
        with self._lock:
            has_ended, size = self.path is not None or self._ended.is_set(), self._size
            self._bounds.reach(self._descriptor, size)
            found = None if self.path is not None else self._bounds.cut(self._asked_bytes)
            is_last = found is None or self._bounds.cut(found[0] + 1) is None
            if has_ended and is_last:  # what comes behind the last bound is no medium any more
                return None
            if found is None:
                raise SourceTooSlow
            self._until, place = found
            return None if place == self._bounds.end else place

    def close(self) -> None:
        os.close(self._descriptor)

    def blocks(self, stop: threading.Event) -> Iterator[bytes]:
        """All of it, as it comes, each cut out of the file once the next is asked for. Raises `SourceInterrupted`."""
        if self._starts_behind and self._bounds.head:
            yield self._bounds.head
        while not stop.is_set():
            start, count, is_over = self._ask()
            if count:
                data = os.pread(self._descriptor, count, start)
                if len(data) < count:
                    raise SourceInterrupted  # begun anew since it was asked for
                yield data
                self._read_bytes = start + count
                self._punch()
            elif is_over:
                return
            else:
                stop.wait(_POLL_S)

    def _ask(self) -> tuple[int, int, bool]:
        """From where on how many bytes can be read now, and whether that will not change any more."""
        with self._lock:
            has_ended = self._ended.is_set()  # before the look, not after
            size = self._size
            if size < self._asked_bytes:
                raise SourceInterrupted  # begun anew
            until = self._until
            if until is None:
                until = size if has_ended or self.path is not None else self._bounds.reach(self._descriptor, size)
            start, count = self._asked_bytes, max(0, min(_READ_BYTES, until - self._asked_bytes))
            self._asked_bytes += count
            return start, count, has_ended or self._until is not None

    def _punch(self) -> None:
        if self._read_bytes - self._punched_bytes >= _PUNCH_BYTES:
            holes.punch(self._descriptor, self._punched_bytes, self._read_bytes - self._punched_bytes)
            self._punched_bytes = self._read_bytes
