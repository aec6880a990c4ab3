"""Pieces of one track that are fetched side by side and used in order, a bounded number of them ahead."""

import collections
import contextlib
import queue
import threading
from collections.abc import Callable, Iterator
from typing import Any, Self

AHEAD_COUNT = 2  # may be fetched and not used yet, however large they are
_POLL_S = 0.05


class Stopped(BaseException):
    """All that was under way when somebody said so has been used. No `Exception`: yt-dlp would try again."""


class Window:
    """A context manager, which is over when that is left. `width`: how many pieces may be fetched at once now.

    `size_of` tells how many bytes a piece has that has been fetched; `ahead_bytes` of those may wait. `used` is called
    for each piece. Once `is_stopping` says so nothing new is asked for.
    """

    def __init__(
        self,
        *,
        width: Callable[[], int],
        ahead_bytes: int,
        size_of: Callable[[Any], int],
        used: Callable[[], object] = lambda: None,
        is_stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        self._width, self._ahead_bytes = width, ahead_bytes
        self._size_of, self._used, self._is_stopping = size_of, used, is_stopping
        self._asked: collections.deque[Task] = collections.deque()
        self._woken: queue.SimpleQueue[None] = queue.SimpleQueue()
        self._most_bytes = 0  # of one piece
        self._is_over = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        """Nobody is kept: what is still under way ends by itself, see `check`."""
        self._is_over = kind is not None

    def check(self, *_: object) -> None:
        """For whoever fetches a piece. Raises `Stopped` once nobody waits for it any more."""
        if self._is_over:
            raise Stopped

    def map(self, fetch: Callable[[Any], Any], pieces: Iterator[Any]) -> Iterator[Any]:
        """What `fetch` makes of each piece, in order; whoever asks for the next has used the one before.

        The next one is named beside, too, since that of a live stream may take its time. Raises `Stopped` if there were
        more to ask for.
        """
        coming: Task | None = self._beside(next, pieces, None)
        while coming or self._asked:
            if coming and coming.has_ended and not self._is_stopping() and self._may_ask(coming):
                one, coming = coming.result(), None
                if one is not None:
                    self._asked.append(self._beside(fetch, one))
                    coming = self._beside(next, pieces, None)
            elif self._asked and self._asked[0].has_ended:
                yield self._asked.popleft().result()
                self._used()
            elif self._is_stopping() and not self._asked:
                break
            else:
                with contextlib.suppress(queue.Empty):
                    self._woken.get(timeout=_POLL_S)
        if coming and not (coming.has_ended and coming.error is None and coming.value is None):
            raise Stopped

    def _beside(self, function: Callable[..., Any], *arguments: Any) -> "Task":
        return Task(function, *arguments, then=lambda: self._woken.put(None))

    def _may_ask(self, coming: "Task") -> bool:
        if coming.error is not None:
            return not self._asked  # what came before is used first
        sizes = [self._size_of(one.value) for one in self._asked if one.has_ended and one.error is None]
        self._most_bytes = max([self._most_bytes, *sizes])
        at_once = min(self._width(), max(AHEAD_COUNT, self._ahead_bytes // max(1, self._most_bytes)))
        is_near = len(sizes) < AHEAD_COUNT or sum(sizes) < self._ahead_bytes
        return is_near and len(self._asked) - len(sizes) < at_once


class Task:
    """Something done in a thread of its own, which nobody has to wait for. `then` is called at its end.

    Without any lock: a signal that comes while this thread takes one, and raises, would leave it taken.
    """

    def __init__(
        self, function: Callable[..., Any], *arguments: Any, then: Callable[[], object] = lambda: None
    ) -> None:
        self.has_ended = False
        self.value: Any = None
        self.error: BaseException | None = None
        self._function, self._arguments, self._then = function, arguments, then
        threading.Thread(target=self._run, name="piece", daemon=True).start()

    def result(self) -> Any:
        if self.error is not None:
            raise self.error
        return self.value

    def _run(self) -> None:
        try:
            self.value = self._function(*self._arguments)
        except BaseException as error:  # noqa: BLE001 - it is raised where somebody waits for this
            self.error = error
        self.has_ended = True
        self._then()
