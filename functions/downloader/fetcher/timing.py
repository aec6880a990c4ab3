"""The time that is left for a job."""

import contextlib
import signal
import time
from collections.abc import Callable, Iterator

from reelhaul.errors import SourceTooSlow

_SOON_S = 0.001  # 0 would be never
_LOOK_S = 0.25


class Deadline:
    """When everything has to be done: `seconds` from now on."""

    def __init__(self, seconds: float, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._ends_at = clock() + seconds

    @property
    def seconds(self) -> float:
        """What is left, never less than 0."""
        return max(0.0, self._ends_at - self._clock())

    def left(self) -> float:
        """Seconds for the next step. Raises `SourceTooSlow` where there are none."""
        seconds = self.seconds
        if seconds <= 0:
            raise SourceTooSlow
        return seconds


class TimeUp(BaseException):
    """No `Exception`, so that no library takes it for one of its own and tries again."""


@contextlib.contextmanager
def until(is_over: Callable[[], bool]) -> Iterator[None]:
    """Raises `TimeUp` within the block once `is_over` says so, which is asked several times a second.

    For the main thread only. A block of `at_most` within suspends it.
    """

    def look(*_: object) -> None:
        if is_over():
            signal.setitimer(signal.ITIMER_REAL, 0)
            raise TimeUp

    before = signal.signal(signal.SIGALRM, look)
    try:
        signal.setitimer(signal.ITIMER_REAL, _SOON_S, _LOOK_S)
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)


@contextlib.contextmanager
def at_most(seconds: float) -> Iterator[None]:
    """Raises `TimeUp` within the block once the time is over, even where it waits for a source that sends byte by byte.

    For the main thread only. Within another such block the time of that one goes on.
    """

    def stop(*_: object) -> None:
        raise TimeUp

    if seconds <= 0:
        raise TimeUp
    outer, interval = signal.setitimer(signal.ITIMER_REAL, 0)  # first: its time must not be taken for this one's
    before, began_at = signal.signal(signal.SIGALRM, stop), time.monotonic()
    try:
        signal.setitimer(signal.ITIMER_REAL, seconds if interval else min(seconds, outer or seconds))
        yield
    finally:
        signal.setitimer(signal.ITIMER_REAL, 0)
        signal.signal(signal.SIGALRM, before)
        if outer:
            left = outer - (time.monotonic() - began_at)
            signal.setitimer(signal.ITIMER_REAL, max(left, _SOON_S), interval)
