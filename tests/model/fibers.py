"""Processes of the model: each runs real code in a thread of its own, and only one of all runs at any time.

Where one may be stopped, and what may happen to it there, is at its calls to AWS: nothing else of what it does can be
seen by anybody. So an interleaving of processes is an order of calls, and a test case is a list of such orders.
"""

import dataclasses
import threading
from collections.abc import Callable, Mapping
from enum import StrEnum
from typing import Any

Call = int | tuple[str, int]  # the n-th call that a process makes, or the n-th of an operation; both from 1

_PATIENCE_S = 60  # real seconds between two calls; a process that takes longer hangs, and so would the test


class Fault(StrEnum):
    """What happens to one call of a process."""

    PAUSE = "is stopped before the call, until it is resumed"
    CRASH_BEFORE = "is killed before the call"
    CRASH_AFTER = "is killed after the call, before the reply"
    REFUSED = "gets an error, nothing was done"
    REPLY_LOST = "gets an error, although it was done"
    SENT_TWICE = "loses the connection, and the SDK sends the same again"


class Crash(BaseException):
    """The process is dead. No code of the product catches this, and what it still does is seen by nobody."""


class Fiber:
    """One invocation: `run`, whose calls to AWS have `faults`.

    `then` is told how it ended, once it has. A pool's threads belong to the process that made them.
    """

    def __init__(
        self,
        name: str,
        run: Callable[[], Any],
        *,
        faults: Mapping[Call, Fault],
        then: Callable[["Fiber"], None],
        ends_at: float,
        skew_s: float = 0.0,
    ) -> None:
        self.name = name
        self.ends_at = ends_at  # when its function's time-out ends it, wherever it is
        self.skew_s = skew_s  # how much this process's clock is ahead of the others'
        self.is_over = False
        self.is_dead = False
        self.result: Any = None
        self.error: Exception | None = None
        self.calls: list[str] = []
        self._run = run
        self._faults = faults
        self._then = then
        self._mine, self._others = threading.Semaphore(0), threading.Semaphore(0)
        self._thread = threading.Thread(target=self._main, name=name, daemon=True)
        self._thread.start()

    def __repr__(self) -> str:
        return f"<{self.name} after {self.calls[-1:]}>"

    # --- from the outside -----------------------------------------------------------------------------------------

    def resume(self) -> None:
        """Let it run until it stops or is over."""
        self._mine.release()
        if not self._others.acquire(timeout=_PATIENCE_S):
            raise TimeoutError(f"{self.name} hangs after {self.calls}")
        if self.is_over:
            self._thread.join()
            self._then(self)

    def kill(self) -> None:
        """Of a process that is stopped: it never goes on."""
        self.is_dead = True
        self.resume()

    # --- from the inside, in whichever of its threads ---------------------------------------------------------------

    def before(self, call: str) -> Fault | None:
        """It is about to make a call. Returns what has to happen to the call itself."""
        self._die_if_dead()
        self.calls.append(call)
        fault = self._faults.get(len(self.calls)) or self._faults.get((call, self.calls.count(call)))
        if fault is Fault.PAUSE:
            self._others.release()
            self._mine.acquire()
            self._die_if_dead()
        if fault is Fault.CRASH_BEFORE:
            self.die()
        return fault

    def die(self) -> None:
        self.is_dead = True
        raise Crash

    def _die_if_dead(self) -> None:
        if self.is_dead:
            raise Crash

    def _main(self) -> None:
        self._mine.acquire()
        try:
            self._die_if_dead()
            self.result = self._run()
        except Crash:
            pass
        except Exception as error:  # noqa: BLE001 - as in Lambda: the invocation failed, whoever sent it will know
            self.error = error
        finally:
            self.is_over = True
            self._others.release()


@dataclasses.dataclass
class Scheduler:
    """Who runs. `clock` is told of how much the clock of that process is ahead."""

    clock: Callable[[float], None]
    current: Fiber | None = None

    def resume(self, fiber: Fiber) -> None:
        outer, self.current = self.current, fiber
        self.clock(fiber.skew_s)
        try:
            fiber.resume()
        finally:
            self.current = outer
            self.clock(outer.skew_s if outer else 0.0)
