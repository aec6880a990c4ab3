"""The fetcher's own walls, put up before it imports anything that works on a stranger's bytes.

The audit hook (PEP 578) cannot be removed and sees every thread and library that goes through Python. What does not
(libcurl, ffmpeg, deno) is kept in by the proxy, the wrappers in bin/, and an environment without anything to steal.
"""

import _posixsubprocess
import ctypes
import os
import resource
import signal
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, NoReturn

BIN: Final = Path(__file__).resolve().parent / "bin"
PROGRAMS: Final = frozenset(str(BIN / name) for name in ("ffmpeg", "ffprobe", "deno"))
CONTAINER_OVERHEAD_BYTES: Final = 16 * 1024**2  # what a merged file may be larger than its tracks
MAX_OPEN_FILES: Final = 256
LAST_WORDS_BYTES: Final = 64 * 1024**2

_PR_SET_PDEATHSIG, _PR_SET_DUMPABLE, _PR_SET_NO_NEW_PRIVS = 1, 4, 38
_HIDDEN = ((_PR_SET_NO_NEW_PRIVS, 1), (_PR_SET_DUMPABLE, 0))


class Denied(PermissionError):
    """The audit hook said no."""


def engage(*, proxy: tuple[str, int], max_file_bytes: int, max_memory_bytes: int) -> None:
    """Put up all walls: for this process, for good, and for those it starts."""
    _limit_process()
    _limit_resources(max_file_bytes=max_file_bytes, max_memory_bytes=max_memory_bytes)
    sys.addaudithook(_hook(proxy))
    # Tells no hook. multiprocessing starts a new Python by it, without our hook; subprocess has it from before.
    _posixsubprocess.fork_exec = _refuse_to_start


def _refuse_to_start(*args: Any) -> NoReturn:
    raise Denied(f"a program: {args!r:.100}")


def hide() -> None:
    """Gain no rights, and let nobody look into this process, nor write to it: other fetchers among them."""
    _prctl(*_HIDDEN)
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def _limit_process() -> None:
    _prctl(*_HIDDEN, (_PR_SET_PDEATHSIG, int(signal.SIGKILL)))  # a parent that is killed takes this process with it


def _prctl(*settings: tuple[int, int]) -> None:
    if sys.platform != "linux":
        return
    prctl = ctypes.CDLL(None).prctl
    for option, value in settings:
        if prctl(option, value, 0, 0, 0) != 0:
            raise RuntimeError(f"prctl({option}) was refused")


def _limit_resources(*, max_file_bytes: int, max_memory_bytes: int) -> None:
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    for limit, value in ((resource.RLIMIT_FSIZE, max_file_bytes), (resource.RLIMIT_NOFILE, MAX_OPEN_FILES)):
        _, hard = resource.getrlimit(limit)
        lowest = value if hard == resource.RLIM_INFINITY else min(value, hard)
        resource.setrlimit(limit, (lowest, lowest))
    if sys.platform == "linux":  # elsewhere it counts what is only mapped. Soft, as bin/deno has to lift it for V8
        _, hard = resource.getrlimit(resource.RLIMIT_AS)
        resource.setrlimit(resource.RLIMIT_AS, (max_memory_bytes, hard))


def make_room() -> None:
    """For last words, where memory has run out."""
    if sys.platform == "linux":
        most, hard = resource.getrlimit(resource.RLIMIT_AS)
        if most != resource.RLIM_INFINITY:
            most += LAST_WORDS_BYTES
            resource.setrlimit(resource.RLIMIT_AS, (most if hard == resource.RLIM_INFINITY else min(most, hard), hard))


def _hook(proxy: tuple[str, int]) -> Callable[[str, tuple[Any, ...]], None]:
    def connects(args: tuple[Any, ...]) -> None:
        if args[1] != proxy:
            raise Denied(f"a connection past the proxy: {args[1]!r}")

    def looks_up(args: tuple[Any, ...]) -> None:
        if args[0] != proxy[0]:
            raise Denied(f"a look-up past the proxy: {args[0]!r}")

    def starts(args: tuple[Any, ...]) -> None:
        if os.fspath(args[0]) not in PROGRAMS:
            raise Denied(f"a program: {args[0]!r}")

    def never(args: tuple[Any, ...]) -> None:
        raise Denied(f"not for a fetcher: {args!r:.100}")

    checks: dict[str, Callable[[tuple[Any, ...]], None]] = {
        "socket.connect": connects,
        "socket.getaddrinfo": looks_up,
        "socket.gethostbyname": looks_up,
        "socket.gethostbyaddr": looks_up,
        "socket.getnameinfo": never,
        "socket.bind": never,
        "socket.sendto": never,
        "socket.sendmsg": never,
        "subprocess.Popen": starts,
        "os.posix_spawn": starts,  # how subprocess does it from Python 3.13 on
        "os.system": never,
        "os.exec": never,
        "os.fork": never,
        "os.forkpty": never,
        "os.spawn": never,
        "pty.spawn": never,
        "sys.remote_exec": never,
    }

    def hook(event: str, args: tuple[Any, ...]) -> None:
        check = checks.get(event)
        if check is not None:
            check(args)

    return hook
