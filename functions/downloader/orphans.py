"""Processes that got away from the fetcher's group: they come to this process when their own parent ends.

A signal to the group reaches whoever has not left it, and `setsid` is all it takes to leave. Where there is seccomp a
fetcher may not call that (see `downloader.kernel`); elsewhere this is what ends those who did.
"""

import contextlib
import ctypes
import os
import signal
import sys
import threading
from collections.abc import Callable
from typing import Protocol, TypeVar

_PR_SET_CHILD_SUBREAPER = 36
_MOST_ROUNDS = 100  # in each a generation ends: who is killed leaves children behind

_lock = threading.Lock()
_kept: set[int] = set()  # whoever started them, ends them
_adopting = threading.Event()


class Process(Protocol):
    """A child of this process."""

    pid: int


Started = TypeVar("Started", bound=Process)


def adopt() -> None:
    """From now on orphans come to this process, and not to the system's first one."""
    if sys.platform == "linux":
        if ctypes.CDLL(None).prctl(_PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0) != 0:
            raise RuntimeError("prctl(PR_SET_CHILD_SUBREAPER) was refused")
        _adopting.set()


def keep(start: Callable[[], Started]) -> Started:
    """The process that `start` starts, which is none of the orphans until it is forgotten."""
    with _lock:
        process = start()
        _kept.add(process.pid)
    return process


def forget(number: int) -> None:
    """It has been waited for, and its number may be another's by now."""
    with _lock:
        _kept.discard(number)


class Orphans:
    """Whoever comes to this process from now on, and was not started by it."""

    def __init__(self) -> None:
        self._others = frozenset(_children()) if _adopting.is_set() else frozenset()

    def end(self) -> None:
        """Kill and reap them, with all their descendants."""
        if not _adopting.is_set():
            return
        for _ in range(_MOST_ROUNDS):
            with _lock:  # else a process that is just being started would look like one
                found = _children() - _kept - self._others
                for number in found:
                    with contextlib.suppress(ProcessLookupError, ChildProcessError):
                        os.kill(number, signal.SIGKILL)
                        os.waitpid(number, 0)
            if not found:
                return


def _children() -> set[int]:
    """Those in another session than ours: what else this process may have started is in its own."""
    us, session = os.getpid(), os.getsid(0)
    found = set()
    for name in filter(str.isdigit, os.listdir("/proc")):  # noqa: PTH208 - pathlib is slow
        with contextlib.suppress(OSError), open(f"/proc/{name}/stat", "rb") as stat:  # noqa: PTH123 - as above; else it is gone
            # proc(5): the name, which may hold anything, is in parentheses; then state, parent, group and session.
            _, parent, _, its_session = stat.read().rpartition(b")")[2].split()[:4]
            if int(parent) == us and int(its_session) != session:
                found.add(int(name))
    return found
