"""What a job takes while it runs: memory of all its processes together, and blocks of its disk."""

import contextlib
import dataclasses
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

_TICK_S = 0.05
_MB = 1e6


@dataclasses.dataclass
class Usage:
    """The most that was seen, in MB (10^6 bytes). Pages that processes share count for each."""

    memory_mb: float = 0.0
    disk_mb: float = 0.0


@contextlib.contextmanager
def watched(roots: Callable[[], list[int]], directory: Path) -> Iterator[Usage]:
    """Look at the processes `roots` with all below them, and at what lies in `directory`, until the block ends."""
    most, over = Usage(), threading.Event()

    def watch() -> None:
        while not over.wait(_TICK_S):
            family = [pid for root in roots() for pid in _family(root)]
            most.memory_mb = max(most.memory_mb, sum(map(_resident, family)) / _MB)
            most.disk_mb = max(most.disk_mb, allocated(directory) / _MB)

    watching = threading.Thread(target=watch, name="usage", daemon=True)
    watching.start()
    try:
        yield most
    finally:
        over.set()
        watching.join()


def children(pid: int) -> list[int]:
    found: list[int] = []
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        with contextlib.suppress(OSError):
            found += map(int, task.read_text().split())
    return found


def command(pid: int) -> bytes:
    """What the process was started as, empty once it is gone."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    return b""


def _family(root: int) -> list[int]:
    found = [root]
    for pid in found:
        found += children(pid)
    return found


def _resident(pid: int) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path(f"/proc/{pid}/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0


def allocated(directory: Path) -> int:
    """Blocks, not lengths: files may have holes (stat(2): units of 512 bytes)."""
    total = 0
    for folder, _, names in os.walk(directory):
        for name in names:
            with contextlib.suppress(OSError):
                total += os.lstat(Path(folder, name)).st_blocks * 512
    return total
