"""Who may write to a file: one at a time, in this process or another."""

import errno
import fcntl
import os
from pathlib import Path
from typing import BinaryIO

_NO_LOCKS = frozenset({errno.ENOLCK, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS})


class NoLocks(Exception):
    """The file system has none, as some of NFS: nobody can be kept out of a file that others know."""


def locked(file: BinaryIO) -> bool:
    """Whether `file` is ours until it is closed, or this process ends. Raises `NoLocks`."""
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError as error:
        if error.errno in _NO_LOCKS:
            raise NoLocks from error
        raise
    return True


def is_named(path: Path, file: BinaryIO) -> bool:
    """Whether `file` still has that name."""
    try:
        return os.path.samestat(path.stat(), os.fstat(file.fileno()))
    except FileNotFoundError:
        return False
