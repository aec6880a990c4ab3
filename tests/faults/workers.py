"""Which process works on which job, found from outside: it is the one whose connection the job's claim came over.

A worker keeps others out of its `/proc` (PR_SET_DUMPABLE), so whoever looks has to be root, be it of a user namespace.
"""

import collections
import contextlib
import os
import signal
from pathlib import Path

from infra.local.processes import children


class Workers:
    """Those of the service with its state in `data`."""

    def __init__(self, data: Path) -> None:
        self._work = data / "work"
        self._had: dict[str, list[int]] = collections.defaultdict(list)  # by job: who has claimed it

    def claimed(self, job_id: str, port: int) -> None:
        """A claim of the job that came from this port of the loopback was carried out."""
        self._had[job_id].append(_owner_of(port))

    def claims(self, job_id: str) -> int:
        """How many workers have had the job."""
        return len(self._had[job_id])

    def signal(self, job_id: str, number: signal.Signals) -> int:
        """Send a signal to the process that had the job last. Returns its id. Raises `LookupError` if nobody had."""
        pid = self._had[job_id][-1]
        os.kill(pid, number)
        return pid

    def kill(self, job_id: str) -> None:
        self.signal(job_id, signal.SIGKILL)

    def fetchers(self, job_id: str | None = None) -> list[int]:
        """Every process that works below the directory of a worker: fetchers, and what they have started.

        With `job_id` only those of its present worker, while that lives.
        """
        if job_id is None:
            return [pid for pid in _pids() if _works_in(pid, self._work)]
        worker = (self._had[job_id] or [0])[-1]
        fetchers = set(children(worker))
        return [pid for pid in _pids() if _works_in(pid, self._work) and (pid in fetchers or _parent(pid) in fetchers)]

    def command(self, pid: int) -> bytes:
        """Its command line, empty when it is gone."""
        try:
            return Path(f"/proc/{pid}/cmdline").read_bytes()
        except OSError:
            return b""


def _pids() -> list[int]:
    return [int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal()]


def _owner_of(port: int) -> int:
    """The process that has the connection from this local port (proc(5)). Raises `LookupError`."""
    lines = (line.split() for line in Path("/proc/net/tcp").read_text().splitlines()[1:])
    sockets = {f"socket:[{fields[9]}]" for fields in lines if fields[1].endswith(f":{port:04X}")}
    for pid in _pids():
        try:
            if b"awslambdaric" in Path(f"/proc/{pid}/cmdline").read_bytes() and sockets & _open_in(pid):
                return pid
        except OSError:
            continue
    raise LookupError(f"nobody has port {port}, or nobody that we may look into")


def _open_in(pid: int) -> set[str]:
    """What the process has open. Raises `OSError` where we may not look."""
    found = set()
    for entry in Path(f"/proc/{pid}/fd").iterdir():
        with contextlib.suppress(OSError):  # closed by now, as one that claims a job opens and closes many at that time
            found.add(str(entry.readlink()))
    return found


def _parent(pid: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
    except OSError:
        return 0


def _works_in(pid: int, directory: Path) -> bool:
    try:
        return Path(f"/proc/{pid}/cwd").readlink().is_relative_to(directory)
    except OSError:
        return False
