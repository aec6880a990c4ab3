"""The worker's hold on its job: reports that it is alive and how far it is, and notices when the job has moved on."""

import threading
import time
from collections.abc import Callable
from types import TracebackType
from typing import Self

from reelhaul import steps
from reelhaul.errors import Conflict, JobNotFound, LeaseLost, ServiceUnavailable
from reelhaul.jobs import LEASE_S, Job, Progress, State
from reelhaul.store import JobStore

BEAT_S = 2.0  # bounds both how often progress is written and how long a cancelled job goes on


class Lease:
    """While entered, a thread looks after the claimed `job`. It sets `stop` when the lease is lost.

    Progress is written when it has moved, and without that often enough to keep the lease; in between the job is only
    read, which costs a fifth and shows a cancel just as well.
    """

    def __init__(
        self, job: Job, *, store: JobStore, stop: threading.Event, clock: Callable[[], float] = time.time
    ) -> None:
        self.lost = False
        self._job = job
        self._store = store
        self._stop = stop
        self._clock = clock
        self._progress = job.progress
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"lease-{job.id}", daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._ended.set()
        self._thread.join()

    def report(self, progress: Progress) -> None:
        """Remember `progress` for the next beat."""
        self._progress = progress

    def end(self) -> Job:
        """The job as last written, once nobody looks after it any more. Raises `LeaseLost` if it is not ours."""
        self._ended.set()
        self._thread.join()
        if self.lost:
            raise LeaseLost
        return self._job

    def look(self) -> None:
        """Tell that the worker is alive, or that the job has moved on, which ends the lease. Never raises."""
        try:
            self._beat()
        except (Conflict, JobNotFound):
            self._lose()
        except ServiceUnavailable:
            if self._clock() > (self._job.due_at or 0):  # somebody else may have the job by now
                self._lose()

    def _run(self) -> None:
        while not self._ended.wait(BEAT_S):
            self.look()

    def _beat(self) -> None:
        now, progress = self._clock(), self._progress
        if progress != self._job.progress or now - self._job.updated_at > LEASE_S / 3:
            self._job = self._store.swap(self._job, steps.beat(self._job, progress, now=now))
            return
        seen = self._store.get(self._job.tenant, self._job.id)
        if seen.state is not State.RUNNING or seen.fence != self._job.fence:
            raise Conflict

    def _lose(self) -> None:
        self.lost = True
        self._stop.set()
        self._ended.set()
