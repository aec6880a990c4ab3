"""Which process works on which job, found from outside: by the directory that a worker makes once it has a claim."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.processes import children
from tests.faults.proxy import eventually

_APPEARS_S = 10.0


class Workers:
    """Those of the service with its state in `data`."""

    def __init__(self, data: Path) -> None:
        self._work = data / "work"
        self._claims = threading.Lock()
        self._claiming: set[str] = set()
        self._homes: dict[str, list[Path]] = {}  # of each job, one for each claim
        self.killed: list[int] = []

    @contextmanager
    def claiming(self, job_id: str) -> Iterator[Callable[[], None]]:
        """Around a claim, one at a time: the directory that appears after its success is that of the job's worker.

        A worker that was kept waiting here sends its claim again, which must not wait for itself.
        """
        if job_id in self._claiming:
            yield lambda: None
            return
        with self._claims, self._begun(job_id):
            before = set(self._directories())

            def granted() -> None:
                if eventually(lambda: bool(set(self._directories()) - before), within_s=_APPEARS_S):
                    new = min(set(self._directories()) - before)
                    self._homes.setdefault(job_id, []).append(new.parent)

            yield granted

    @contextmanager
    def _begun(self, job_id: str) -> Iterator[None]:
        self._claiming.add(job_id)
        try:
            yield
        finally:
            self._claiming.discard(job_id)

    def _directories(self) -> list[Path]:
        return list(self._work.glob("downloader-*/job-*"))

    def pid(self, job_id: str, *, claim: int = -1) -> int:
        """The process that had the job's last claim, or its n-th."""
        home = self._homes[job_id][claim]
        [emulator] = [pid for pid in _pids() if _is_emulator_of(pid, home)]
        [worker] = children(emulator)
        return worker

    def signal(self, job_id: str, number: signal.Signals, *, claim: int = -1) -> int:
        """Send a signal to the process that has the job. Returns its id."""
        pid = self.pid(job_id, claim=claim)
        os.kill(pid, number)
        return pid

    def kill(self, job_id: str) -> None:
        self.killed.append(self.signal(job_id, signal.SIGKILL))

    def claims(self, job_id: str) -> int:
        """How many workers have had the job."""
        return len(self._homes.get(job_id, []))

    def fetchers(self, job_id: str | None = None) -> list[int]:
        """Every process that works below the directory of a worker: fetchers, and what they have started.

        With `job_id` only those beside its present worker.
        """
        if job_id is not None and job_id not in self._homes:
            return []
        home = self._work if job_id is None else self._homes[job_id][-1]
        return [pid for pid in _pids() if _works_in(pid, home)]

    def command(self, pid: int) -> bytes:
        """Its command line, empty when it is gone."""
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return b""


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _is_emulator_of(pid: int, home: Path) -> bool:
    try:
        command = Path(f"/proc/{pid}/cmdline").read_bytes()
        return b"aws-lambda-rie" in command.split(b"\0")[0] and (
            f"WORK_DIRECTORY={home}".encode() in Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
        )
    except OSError:
        return False


def _works_in(pid: int, directory: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(directory)
    except OSError:
        return False
