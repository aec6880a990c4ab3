"""The time of fetchers, which is up once a source has given all that it has for an invocation, and not before.

Without that one would have to wait for each invocation's end; and short ones are too short where a machine is busy.
"""

import threading
import time
from pathlib import Path
from typing import ClassVar

import pytest

from downloader.fetcher.pausing import STOP_S
from tests import orders

QUIET_S = 3.0  # after the last byte, for what the fetcher makes of it
_DRAIN_S = 0.4  # that it has for what is under way; `STOP_S` for the rest
_SLOWER = 3  # as a busy machine is
_POLL_S = 0.1

# In the fetcher's interpreter: once the file is there, it is so much time at most.
_ORDERS = """
import os, time
from downloader.fetcher import timing

_left_s = timing.Deadline.seconds.fget

def _seconds(self):
    try:
        since_s = time.time() - os.stat({flag!r}).st_mtime
    except OSError:
        return _left_s(self)
    return max(0.0, min(_left_s(self), {most_s} - since_s / {slower}))

timing.Deadline.seconds = property(_seconds)
"""


class Clock:
    """`directory` is its own. Invocations are counted from 1."""

    installed: ClassVar["Clock"]

    def __init__(self, directory: Path) -> None:
        self.invocation = 0
        self._directory = directory
        self._flag = directory / "time-is-up"
        self._given_at = time.monotonic()

    def install(self, patch: pytest.MonkeyPatch) -> None:
        """For the fetchers of templates that are started from now on."""
        Clock.installed = self
        orders.give(
            _ORDERS.format(flag=str(self._flag), most_s=STOP_S + _DRAIN_S, slower=_SLOWER), self._directory, patch
        )

    def start(self) -> None:
        """An invocation begins."""
        self.invocation += 1
        self._flag.unlink(missing_ok=True)
        self.given()

    def given(self) -> None:
        """The source has sent something."""
        self._given_at = time.monotonic()

    def nothing_more(self, invocation: int) -> None:
        """There is nothing more to come in that one: its time is up if that is so for a while."""
        is_quiet = time.monotonic() - self._given_at > QUIET_S
        if invocation == self.invocation and is_quiet and not self._flag.exists():
            self._flag.touch()

    def wait(self, more: threading.Event, *, patience_s: float) -> None:
        """For somebody who is asked for more than there is."""
        invocation, until = self.invocation, time.monotonic() + patience_s
        while not more.wait(_POLL_S) and time.monotonic() < until:
            self.nothing_more(invocation)
