import itertools
from collections.abc import Callable

from downloader.stopwatch import Stopwatch
from reelhaul.jobs import Phase, Progress

FETCHING, FINISHING = Progress(phase=Phase.FETCHING), Progress(phase=Phase.FINISHING)


def ticking(*seconds: float) -> Callable[[], float]:
    """A clock that shows these, one after the other."""
    return itertools.chain(seconds).__next__


def test_phases_are_from_one_word_to_the_next() -> None:
    watch = Stopwatch(clock=ticking(100, 110, 112, 115))
    watch.heard(FETCHING)
    watch.heard(FINISHING)
    watch.heard(FINISHING)
    watch.finished()
    found = watch.stop(size=7, queued_s=3)
    assert (found.queued_s, found.fetching_s, found.finishing_s, found.uploading_s, found.size) == (3, 10, 2, 3, 7)


def test_phase_that_nobody_told_of_took_no_time() -> None:
    watch = Stopwatch(clock=ticking(100, 110, 115))
    watch.finished()
    found = watch.stop(size=7, queued_s=0)
    assert (found.fetching_s, found.finishing_s, found.uploading_s) == (10, 0, 5)
