"""A network of our own that has nothing but its loopback interface: whatever runs in it can reach nothing else."""

import ctypes
import fcntl
import os
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager

_CLONE_NEWNET = 0x40000000
_SIOCSIFFLAGS, _IFF_UP = 0x8914, 0x1  # netdevice(7)


@contextmanager
def loopback_only() -> Iterator[None]:
    """Within the block this thread, and the threads and processes it starts, are in such a network. Needs root."""
    libc = ctypes.CDLL(None, use_errno=True)
    with open("/proc/thread-self/ns/net") as before:  # noqa: PTH123 - its descriptor is what counts
        _must(libc.unshare(_CLONE_NEWNET))
        try:
            with socket.socket() as any_socket:
                fcntl.ioctl(any_socket, _SIOCSIFFLAGS, struct.pack("16sH14x", b"lo", _IFF_UP))
            yield
        finally:
            _must(libc.setns(before.fileno(), _CLONE_NEWNET))


def _must(result: int) -> None:
    if result != 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
