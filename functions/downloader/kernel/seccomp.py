"""Filters of system calls (seccomp, mode 2), as small programs for the kernel's classic BPF machine.

What there is: Linux, Documentation/userspace-api/seccomp_filter.rst. A filter cannot look at addresses, which stand
behind pointers; but it can say which kinds of sockets there may be, and that there are none.
"""

import ctypes
import dataclasses
import errno
import os
import struct
from collections.abc import Iterable, Mapping

_PR_SET_NO_NEW_PRIVS, _SET_MODE_FILTER = 38, 1
# Before Linux 5.16 a filter also forbids the processor to speculate, which makes everything slower, for those who run
# programs of two parties in one process. Nobody does here.
_SPEC_ALLOW = 4
_KILL, _ERRNO, _ALLOW = 0x8000_0000, 0x0005_0000, 0x7FFF_0000  # what a filter may return
_LOAD, _AND, _EQUAL, _ANY_BIT, _AT_LEAST, _RETURN = 0x20, 0x54, 0x15, 0x45, 0x35, 0x06  # linux/bpf_common.h
_NUMBER, _ARCHITECTURE, _ARGUMENTS = 0, 4, 16  # offsets in struct seccomp_data; an argument has 8 bytes, the low first
_X32 = 0x4000_0000  # the same calls under other numbers, for x86_64 with pointers of 32 bits

_AF_INET, _SOCK_STREAM, _TYPE_MASK, _ANY_PROTOCOL, _TCP = 2, 1, 0xF, 0, 6
_MSG_FASTOPEN = 0x2000_0000  # connects without connect(), which Landlock has missed for years
_FLAGS_AT = {"sendto": 3, "sendmsg": 2, "sendmmsg": 3}

_CLONE_NEW = 0x7E02_0000  # any namespace: CLONE_NEWNS, NEWCGROUP, NEWUTS, NEWIPC, NEWUSER, NEWPID and NEWNET

# What no fetcher, ffmpeg or deno needs, and what could get round a filter or into another process: io_uring makes
# sockets without socket(), a session of its own is out of reach of a signal to the group.
_NEVER = {
    "ptrace": errno.EPERM, "process_vm_readv": errno.EPERM, "process_vm_writev": errno.EPERM,
    "pidfd_getfd": errno.EPERM, "setsid": errno.EPERM, "setpgid": errno.EPERM, "unshare": errno.EPERM,
    "setns": errno.EPERM, "mount": errno.EPERM, "pivot_root": errno.EPERM, "bpf": errno.EPERM,
    "perf_event_open": errno.EPERM, "userfaultfd": errno.EPERM, "add_key": errno.EPERM, "request_key": errno.EPERM,
    "keyctl": errno.EPERM, "open_by_handle_at": errno.EPERM, "kexec_load": errno.EPERM, "init_module": errno.EPERM,
    "finit_module": errno.EPERM, "io_uring_setup": errno.ENOSYS, "io_uring_enter": errno.ENOSYS,
    "io_uring_register": errno.ENOSYS, "listen": errno.EACCES, "accept": errno.EACCES, "accept4": errno.EACCES,
    "open_tree": errno.EPERM, "move_mount": errno.EPERM, "fsopen": errno.EPERM, "fspick": errno.EPERM,
    "mount_setattr": errno.EPERM,
    "clone3": errno.ENOSYS,  # whose flags stand behind a pointer; the C library takes the older one then
}  # fmt: skip


class UnknownMachine(RuntimeError):
    """There are no numbers for this architecture here."""


@dataclasses.dataclass(frozen=True, slots=True)
class Abi:
    """An architecture as `struct seccomp_data` names it, and its numbers of system calls."""

    architecture: int
    calls: Mapping[str, int]


_SAME_EVERYWHERE = {
    "io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427, "pidfd_getfd": 438, "open_tree": 428,
    "move_mount": 429, "fsopen": 430, "fspick": 433, "mount_setattr": 442, "clone3": 435,
}  # fmt: skip
X86_64 = Abi(0xC000_003E, _SAME_EVERYWHERE | {
    "seccomp": 317, "clone": 56, "socketpair": 53, "listen": 50, "accept": 43, "accept4": 288,
    "socket": 41, "sendto": 44, "sendmsg": 46, "sendmmsg": 307, "ptrace": 101, "setpgid": 109, "setsid": 112,
    "pivot_root": 155, "mount": 165, "init_module": 175, "kexec_load": 246, "add_key": 248, "request_key": 249,
    "keyctl": 250, "unshare": 272, "perf_event_open": 298, "open_by_handle_at": 304, "setns": 308,
    "process_vm_readv": 310, "process_vm_writev": 311, "finit_module": 313, "bpf": 321, "userfaultfd": 323,
})  # fmt: skip
AARCH64 = Abi(0xC000_00B7, _SAME_EVERYWHERE | {
    "seccomp": 277, "clone": 220, "socketpair": 199, "listen": 201, "accept": 202, "accept4": 242,
    "socket": 198, "sendto": 206, "sendmsg": 211, "sendmmsg": 269, "ptrace": 117, "setpgid": 154, "setsid": 157,
    "pivot_root": 41, "mount": 40, "init_module": 105, "kexec_load": 104, "add_key": 217, "request_key": 218,
    "keyctl": 219, "unshare": 97, "perf_event_open": 241, "open_by_handle_at": 265, "setns": 268,
    "process_vm_readv": 270, "process_vm_writev": 271, "finit_module": 273, "bpf": 280, "userfaultfd": 282,
})  # fmt: skip


def abi() -> Abi:
    """That of this machine. Raises `UnknownMachine`."""
    known = {"x86_64": X86_64, "aarch64": AARCH64}.get(os.uname().machine)
    if known is None:
        raise UnknownMachine(os.uname().machine)
    return known


def program(on: Abi, *, streams: bool) -> bytes:
    """Instructions that let sockets be made for TCP over IPv4 only, or without `streams` none at all.

    A call in the manner of another architecture (32 bits, where `socketcall` makes sockets) kills its process.
    """
    calls = on.calls
    refusals = [_when(calls[name], [_refuse(number)]) for name, number in _NEVER.items()]
    sends = [_when(calls[name], _unless_fast_open(at)) for name, at in _FLAGS_AT.items()]
    return b"".join(
        [
            _do(_LOAD, _ARCHITECTURE), _do(_EQUAL, on.architecture, yes=1), _do(_RETURN, _KILL),
            _do(_LOAD, _NUMBER), _do(_AT_LEAST, _X32, no=1), _do(_RETURN, _KILL),
            *_flat(refusals), *_flat(sends),
            *_when(calls["socketpair"], _unless_pair_of_streams()), *_when(calls["clone"], _unless_namespaces()),
            *_when(calls["socket"], _stream_only() if streams else [_refuse()]),
            _do(_RETURN, _ALLOW),
        ]
    )  # fmt: skip


def install(instructions: bytes) -> None:
    """A filter on this thread, for good, and on all that it starts. Raises `OSError` where the kernel allows none.

    And `UnknownMachine`, as `abi` does. `instructions` are those of `program`.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    code = ctypes.create_string_buffer(instructions, len(instructions))
    head = struct.pack("HxxxxxxP", len(instructions) // 8, ctypes.addressof(code))  # struct sock_fprog
    if libc.prctl(_PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0:
        raise OSError(ctypes.get_errno(), "no seccomp filter")
    if libc.syscall(abi().calls["seccomp"], _SET_MODE_FILTER, _SPEC_ALLOW, head) != 0:
        raise OSError(ctypes.get_errno(), "no seccomp filter")


def _do(code: int, value: int, *, yes: int = 0, no: int = 0) -> bytes:
    """One instruction (struct sock_filter). `yes` and `no`: how many to skip after a comparison."""
    return struct.pack("HBBI", code, yes, no, value)


def _refuse(number: int = errno.EACCES) -> bytes:
    return _do(_RETURN, _ERRNO | number)


def _when(call: int, body: list[bytes]) -> list[bytes]:
    """`body`, which has to end with a return, for this system call."""
    return [_do(_EQUAL, call, no=len(body)), *body]


def _argument(index: int) -> bytes:
    return _do(_LOAD, _ARGUMENTS + 8 * index)


def _unless_fast_open(flags_at: int) -> list[bytes]:
    return [_argument(flags_at), _do(_ANY_BIT, _MSG_FASTOPEN, no=1), _refuse(errno.EOPNOTSUPP), _do(_RETURN, _ALLOW)]


def _unless_pair_of_streams() -> list[bytes]:
    """Of datagrams each could be sent to anybody who has a path, as to the system's log."""
    return [
        _argument(1), _do(_AND, _TYPE_MASK), _do(_EQUAL, _SOCK_STREAM, yes=1), _refuse(), _do(_RETURN, _ALLOW)
    ]  # fmt: skip


def _unless_namespaces() -> list[bytes]:
    return [_argument(0), _do(_ANY_BIT, _CLONE_NEW, no=1), _refuse(errno.EPERM), _do(_RETURN, _ALLOW)]


def _stream_only() -> list[bytes]:
    """TCP by its number or by default: multipath TCP, for one, is not seen by Landlock."""
    return [
        _argument(0), _do(_EQUAL, _AF_INET, no=6),
        _argument(1), _do(_AND, _TYPE_MASK), _do(_EQUAL, _SOCK_STREAM, no=3),
        _argument(2), _do(_EQUAL, _ANY_PROTOCOL, yes=2), _do(_EQUAL, _TCP, yes=1),
        _refuse(), _do(_RETURN, _ALLOW),
    ]  # fmt: skip


def _flat(parts: Iterable[list[bytes]]) -> list[bytes]:
    return [one for part in parts for one in part]
