"""Walls that the kernel holds, and no code of the fetcher's can take down: seccomp and Landlock.

The audit hook keeps in what goes through Python; these keep in the rest: libcurl, ffmpeg, deno, and a stranger's code
that has taken over one of them. Not every kernel that this may run on allows them, so `support` finds out.
"""

import contextlib
import dataclasses
import functools
import socket
import threading
from collections.abc import Callable
from pathlib import Path

from downloader.kernel import landlock, seccomp

_SOME_PORT = 1  # tcpmux: nothing answers there, and nothing has to


class WallMissing(RuntimeError):
    """The operator has said that nothing is to run without it, and this kernel does not have it."""


@dataclasses.dataclass(frozen=True, slots=True)
class Support:
    """Which walls hold here. Whoever is told that one does, must not do without it."""

    seccomp: bool
    landlock: bool


@functools.cache
def support() -> Support:
    """Found out once, by trying: a version, or a line in /proc, would not tell of the sandbox that this runs in."""
    return Support(seccomp=_succeeds(_try_seccomp), landlock=_succeeds(_try_landlock))


def require(walls: Support, *, seccomp: bool) -> None:
    """Raises `WallMissing` where seccomp has to be and is not."""
    if seccomp and not walls.seccomp:
        raise WallMissing("This kernel allows no seccomp filters, and require_seccomp is set: no job is taken here.")


def confine(walls: Support, *, proxy_port: int, directory: Path) -> None:
    """This process, for good, with all that it starts: to TCP, one port to connect to, one directory to write to.

    To be called while there is one thread only. Raises `OSError` if one of `walls` cannot be put up.
    """
    if walls.landlock:
        landlock.restrict(connect_to=proxy_port, write_below=directory)
    if walls.seccomp:
        seccomp.install(seccomp.program(seccomp.abi(), streams=True))


def confine_programs(walls: Support) -> None:
    """This thread, for good, with the programs that it starts: to no sockets. Raises `OSError`, as `confine`."""
    if walls.seccomp:
        seccomp.install(seccomp.program(seccomp.abi(), streams=False))


def _try_seccomp() -> bool:
    confine_programs(Support(seccomp=True, landlock=False))
    try:
        socket.socket().close()
    except PermissionError:
        return True
    return False


def _try_landlock() -> bool:
    """Whether a connection to a port that is not the one is refused by the kernel, and not by who is there."""
    landlock.restrict(connect_to=_SOME_PORT, write_below=Path("/"))
    with socket.socket() as probe:
        try:
            probe.connect(("127.0.0.1", _SOME_PORT + 1))
        except PermissionError:
            return True
        except OSError:
            return False
    return False


def _succeeds(attempt: Callable[[], bool]) -> bool:
    """Walls are a matter of single threads, so that one is all it takes to throw away afterwards."""
    found: list[bool] = []

    def run() -> None:
        with contextlib.suppress(OSError, seccomp.UnknownMachine):
            found.append(attempt())

    thread = threading.Thread(target=run, name="probe")
    thread.start()
    thread.join()
    return found == [True]
