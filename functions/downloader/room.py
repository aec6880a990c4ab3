"""How much of the disk a job may take for itself."""

import contextlib
import shutil
from pathlib import Path

_MOST = 0.9  # of all that there is; the rest is for what was not thought of


def fits(directory: Path) -> bool:
    """Whether what lies in `directory`, holes aside, is no more than a job may hold: else it is too large for here.

    A disk that is full without that is somebody else's doing, and passes.
    """
    held = 0
    for path in directory.rglob("*"):
        with contextlib.suppress(OSError):  # it is gone by now
            held += path.lstat().st_blocks * 512
    return held <= most_bytes(directory)


def most_bytes(directory: Path) -> float:
    return shutil.disk_usage(directory).total * _MOST
