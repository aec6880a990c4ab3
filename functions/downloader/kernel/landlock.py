"""What the kernel lets a process connect to and write to (Landlock: Linux, Documentation/userspace-api/landlock.rst).

Version 4 or nothing: that is the first which knows of TCP, and one case less to think about. It judges ports and not
addresses, but the proxy's port is one that the system has just given out, so nobody else has it here.
"""

import contextlib
import ctypes
import os
import struct
from pathlib import Path

LEAST_VERSION = 4  # Linux 6.7

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on all architectures
_JUST_THE_VERSION = 1
_BELOW_PATH, _ON_PORT = 1, 2  # kinds of rules
_BIND, _CONNECT = 1 << 0, 1 << 1
_WRITE_FILE, _REFER, _TRUNCATE = 1 << 1, 1 << 13, 1 << 14
_REMOVE_AND_MAKE = sum(1 << bit for bit in range(4, 13))  # directories, files, devices, sockets, fifos and links
_WRITING = _WRITE_FILE | _REMOVE_AND_MAKE | _REFER | _TRUNCATE
_SCOPES_SINCE, _SCOPES = 6, 0b11  # of abstract UNIX sockets and of signals: none to whom is not confined, too
_PR_SET_NO_NEW_PRIVS = 38


def version() -> int:
    """0 where there is none."""
    with contextlib.suppress(OSError):
        return _call(_CREATE_RULESET, None, 0, _JUST_THE_VERSION)
    return 0


def restrict(*, connect_to: int, write_below: Path) -> None:
    """This thread, for good, and all that it starts: TCP to one port, files written in one place and to /dev/null.

    Raises `OSError` where the kernel has no Landlock, or not enough of it.
    """
    known = version()
    if known < LEAST_VERSION:
        raise OSError(f"Landlock {known} knows nothing of TCP")
    attributes = struct.pack("QQQ", _WRITING, _BIND | _CONNECT, _SCOPES)[: 24 if known >= _SCOPES_SINCE else 16]
    rules = _call(_CREATE_RULESET, attributes, len(attributes), 0)
    try:
        _call(_ADD_RULE, rules, _ON_PORT, struct.pack("QQ", _CONNECT, connect_to), 0)
        _allow(rules, write_below, _WRITING)
        _allow(rules, Path(os.devnull), _WRITE_FILE | _TRUNCATE)
        if ctypes.CDLL(None).prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
            raise OSError("prctl(PR_SET_NO_NEW_PRIVS) was refused")
        _call(_RESTRICT_SELF, rules, 0)
    finally:
        os.close(rules)


def _allow(rules: int, path: Path, rights: int) -> None:
    place = os.open(path, os.O_PATH | os.O_CLOEXEC)
    try:
        _call(_ADD_RULE, rules, _BELOW_PATH, struct.pack("=Qi", rights, place), 0)
    finally:
        os.close(place)


def _call(number: int, *arguments: int | bytes | None) -> int:
    libc = ctypes.CDLL(None, use_errno=True)
    libc.syscall.restype = ctypes.c_long
    words = [ctypes.c_long(one) if isinstance(one, int) else one for one in arguments]
    found = int(libc.syscall(ctypes.c_long(number), *words))
    if found < 0:
        raise OSError(ctypes.get_errno(), "no Landlock")
    return found
