"""The template of fetchers, from the outside: started once, forked for each job, replaced when it does not answer."""

import contextlib
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from downloader import orphans
from downloader.fetcher import FORK, MAX_WORD_BYTES, READY

READY_S = 120.0  # for importing everything, on a machine that has much else to do
ANSWER_S = 10.0


class NoTemplate(OSError):
    """It was not started, or does not do what it is for. Says what it wrote to standard error."""


class Forked:
    """A fetcher, with our ends of its pipes: standard input is written to, output and error are read."""

    def __init__(self, pid: int, stdin: int, stdout: int, stderr: int) -> None:
        self.pid = pid
        self.stdin: BinaryIO = os.fdopen(stdin, "wb")
        self.stdout: BinaryIO = os.fdopen(stdout, "rb", buffering=0)
        self.stderr: BinaryIO = os.fdopen(stderr, "rb", buffering=0)

    def ends_within(self, seconds: float) -> bool:
        """It has ended, but is not reaped: nobody else can have its number."""
        descriptor = os.pidfd_open(self.pid)
        try:
            return bool(select.select([descriptor], [], [], seconds)[0])
        finally:
            os.close(descriptor)

    def wait(self) -> int:
        """Reap it. The status, negative for the signal that ended it."""
        return os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])

    def close(self) -> None:
        for stream in (self.stdin, self.stdout, self.stderr):
            with contextlib.suppress(OSError):  # what it has not read
                stream.close()


class Template:
    """A process with this `environment`, in no job's directory. For one thread at a time."""

    def __init__(self, environment: Mapping[str, str]) -> None:
        self._made_of = _made_of(environment)
        self._is_ready = False
        orphans.adopt()  # which fetchers are, as soon as they are forked
        self._control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = orphans.keep(lambda: _start(theirs, environment))

    def fits(self, environment: Mapping[str, str]) -> bool:
        return self._made_of == _made_of(environment)

    def wait(self) -> None:
        """Until it is ready. Raises `NoTemplate`."""
        if not self._is_ready and self._heard(within_s=READY_S) != READY:
            raise NoTemplate(self._last_words())
        self._is_ready = True

    def fork(self, directory: Path) -> Forked:
        """A new child of this process, which works in `directory`. To be waited for. Raises `NoTemplate`."""
        with contextlib.ExitStack() as ours, contextlib.ExitStack() as theirs:
            stdin, to_stdin = _pipe(theirs, ours)
            from_stdout, stdout = _pipe(ours, theirs)
            from_stderr, stderr = _pipe(ours, theirs)
            place = os.open(directory, os.O_PATH | os.O_CLOEXEC)
            theirs.callback(os.close, place)
            number = self._forked([stdin, stdout, stderr, place])
            ours.pop_all()
        return Forked(number, to_stdin, from_stdout, from_stderr)

    def _forked(self, descriptors: Sequence[int]) -> int:
        with contextlib.suppress(OSError):  # which its silence will show
            socket.send_fds(self._control, [FORK], descriptors)
        number = self._heard(within_s=ANSWER_S)
        if not number.isdigit() or not int(number):
            raise NoTemplate(self._last_words())
        return int(number)

    def end(self) -> None:
        self._last_words()
        self._control.close()
        orphans.forget(self._process.pid)

    def _heard(self, *, within_s: float) -> bytes:
        """Nothing, when there is nobody any more."""
        self._control.settimeout(within_s)
        with contextlib.suppress(OSError):
            return self._control.recv(MAX_WORD_BYTES)
        return b""

    def _last_words(self) -> str:
        self._process.kill()
        with contextlib.suppress(ValueError):  # they have been read
            return self._process.communicate()[1].decode(errors="replace")
        return ""


class Templates:
    """At most one at a time, whichever environment is asked for."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._one: Template | None = None

    @contextlib.contextmanager
    def at_hand(self, environment: Mapping[str, str]) -> Iterator[Template]:
        """One that fits, started if need be, and nobody else's within the block. If that fails it is not used again."""
        with self._lock:
            if self._one is not None and not self._one.fits(environment):
                self._end()
            if self._one is None:
                self._one = Template(environment)
            try:
                yield self._one
            except BaseException:
                self._end()
                raise

    def _end(self) -> None:
        if self._one is not None:
            self._one.end()
        self._one = None


def _pipe(reading: contextlib.ExitStack, writing: contextlib.ExitStack) -> tuple[int, int]:
    """Both ends, each to be closed with one of these."""
    reader, writer = os.pipe()
    reading.callback(os.close, reader)
    writing.callback(os.close, writer)
    return reader, writer


def _made_of(environment: Mapping[str, str]) -> tuple[int, dict[str, str]]:
    """Of a process that was itself forked since then, it is the parent's."""
    return os.getpid(), dict(environment)


def _start(control: socket.socket, environment: Mapping[str, str]) -> "subprocess.Popen[bytes]":
    return subprocess.Popen(
        [sys.executable, "-m", "downloader.fetcher"],
        stdin=control.fileno(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        cwd="/",
        env=dict(environment),
        start_new_session=True,
    )
