"""Make a directory the same whenever it is made.

Times become 0, and modes the two that there are, readable for whichever user Lambda runs the image as.
"""

import os
import stat
from pathlib import Path


def settle(directory: Path) -> None:
    """Do so with `directory` and all in it. Links keep what they are; a sticky directory, as /tmp, stays one."""
    for path in (directory, *sorted(directory.rglob("*"))):
        mode = path.lstat().st_mode
        if stat.S_ISREG(mode):
            path.chmod(0o755 if mode & stat.S_IXUSR else 0o644)
        elif stat.S_ISDIR(mode) and not mode & stat.S_ISVTX:
            path.chmod(0o755)
        os.utime(path, (0, 0), follow_symlinks=False)
