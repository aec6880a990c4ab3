"""How the command ends: one number for each kind of end, told by `--help`."""

import enum

from reelhaul.client import (
    BadAddress,
    BadKey,
    BadProxy,
    ClientError,
    DownloadFailed,
    KeyRefused,
    NotReelhaul,
    Unreachable,
)


class Exit(enum.IntEnum):
    OK = 0
    FAILED = 1
    USAGE = 2  # argparse's own
    NO_SERVICE = 3
    JOBS_FAILED = 4
    INTERRUPTED = 130  # 128 and the number of SIGINT, as shells have it


HELP = """exit codes:
  0    all is well
  1    something failed, as a disk that is full, or a service in trouble
  2    the command makes no sense as it is written; nothing was begun
  3    the service cannot be reached, is none of ours, or refuses the key
  4    downloads failed, or were refused; the others are there
  130  it was interrupted
"""
_NO_SERVICE = (Unreachable, NotReelhaul, KeyRefused, BadAddress, BadKey, BadProxy)
_SEVERITY = (Exit.NO_SERVICE, Exit.FAILED, Exit.JOBS_FAILED)


class CommandFailed(Exception):
    """The command cannot go on; the message is for whoever typed it."""

    def __init__(self, message: str, code: Exit = Exit.FAILED) -> None:
        super().__init__(message)
        self.code = code


def of(error: ClientError) -> Exit:
    """How a command ends that this error has ended."""
    if isinstance(error, DownloadFailed):
        return Exit.JOBS_FAILED
    return Exit.NO_SERVICE if isinstance(error, _NO_SERVICE) else Exit.FAILED


def worst(codes: list[Exit]) -> Exit:
    """How a command ends whose parts ended like this."""
    return next((code for code in _SEVERITY if code in codes), Exit.OK)
