"""Giving parts of a file back to the disk, while the file keeps its length (fallocate(2), Linux)."""

import ctypes
import functools
from typing import Any

_KEEP_SIZE, _PUNCH_HOLE = 0x01, 0x02


@functools.cache
def _fallocate() -> Any:
    function = getattr(ctypes.CDLL(None), "fallocate", None)
    if function is not None:
        function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    return function


def punch(descriptor: int, offset: int, length: int) -> bool:
    """Free the range, which reads as zeros from then on. False where the file system does not do that: it stays."""
    function = _fallocate()
    return function is not None and function(descriptor, _KEEP_SIZE | _PUNCH_HOLE, offset, length) == 0
