"""Where the time of an attempt goes."""

import time
from collections.abc import Callable

from reelhaul.jobs import Phase, Progress
from reelhaul.measures import Transfer


class Stopwatch:
    """Runs from its making on. `clock` gives seconds, of which only differences count."""

    def __init__(self, *, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._started = clock()
        self._fetched: float | None = None
        self._finished: float | None = None

    def heard(self, progress: Progress) -> None:
        """The fetcher's first word of finishing is that nothing more comes from the source."""
        if progress.phase is Phase.FINISHING and self._fetched is None:
            self._fetched = self._clock()

    def finished(self) -> None:
        """The file is what will be handed over; from here on it is uploaded."""
        self._finished = self._clock()

    def stop(self, *, size: int, queued_s: float) -> Transfer:
        """Everything is stored. A phase that nobody told of took no time."""
        now = self._clock()
        finished = now if self._finished is None else self._finished
        fetched = finished if self._fetched is None else self._fetched
        return Transfer(
            size=size,
            queued_s=queued_s,
            fetching_s=fetched - self._started,
            finishing_s=finished - fetched,
            uploading_s=now - finished,
        )
