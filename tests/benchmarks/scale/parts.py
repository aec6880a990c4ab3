"""What the simulation is made of: things that let so much through, or so many in, and note when they cannot."""

from collections import deque
from typing import Any

import simpy


class Bucket:
    """A token bucket: `rate` a second, `burst` at once. Starts full. `taken` is what was let through."""

    def __init__(self, env: simpy.Environment, *, rate: float, burst: float) -> None:
        self._env, self._rate, self._burst = env, rate, burst
        self._level, self._seen = burst, env.now
        self.taken = 0.0
        self.refused = 0

    def take(self, amount: float = 1.0) -> bool:
        """Whether that much was there. What was refused has taken nothing."""
        self._refill()
        if self._level < amount:
            self.refused += 1
            return False
        self._level -= amount
        self.taken += amount
        return True

    def owe(self, amount: float) -> float:
        """Take it in any case. How many seconds that has to wait, behind all that came before it."""
        if not amount:
            return 0.0
        self._refill()
        self._level -= amount
        self.taken += amount
        return max(0.0, -self._level / self._rate)

    def _refill(self) -> None:
        self._level = min(self._burst, self._level + (self._env.now - self._seen) * self._rate)
        self._seen = self._env.now


class Places:
    """`limit` may be in at a time. Those who wait come in by their order, before all who do not want to wait."""

    def __init__(self, env: simpy.Environment, *, limit: int) -> None:
        self._env = env
        self._waiting: deque[simpy.Event] = deque()
        self.limit = limit
        self.used = 0
        self.most = 0
        self.refused = 0
        self._area, self._since = 0.0, env.now

    def enter(self) -> bool:
        """Whether there is a place now."""
        if self.used >= self.limit:
            self.refused += 1
            return False
        self._change(1)
        return True

    def wait(self) -> simpy.Event:
        """An event, for when one has come in."""
        event = self._env.event()
        if self.used < self.limit and not self._waiting:
            self._change(1)
            event.succeed()
        else:
            self._waiting.append(event)
        return event

    def leave(self) -> None:
        """The place goes to whoever waits first."""
        if self._waiting and self.used <= self.limit:
            self._waiting.popleft().succeed()
        else:
            self._change(-1)

    def widen(self, limit: int) -> None:
        self.limit = limit
        while self._waiting and self.used < self.limit:
            self._change(1)
            self._waiting.popleft().succeed()

    @property
    def waiting(self) -> int:
        return len(self._waiting)

    def place_seconds(self) -> float:
        """How long places were used, all together, until now."""
        return self._area + self.used * (self._env.now - self._since)

    def _change(self, by: int) -> None:
        self._area = self.place_seconds()
        self._since = self._env.now
        self.used += by
        self.most = max(self.most, self.used)


def pollers(env: simpy.Environment, places: Places, *, most: int, added_per_s: float) -> Any:
    """Lambda's event source mapping: while messages wait, more and more of them are taken at a time, up to `most`.

    A process of simpy. It looks once a second.
    """
    width = float(places.limit)
    while places.limit < most:
        yield env.timeout(1)
        if places.waiting:
            width = min(most, width + added_per_s)
            places.widen(int(width))
