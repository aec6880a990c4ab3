"""What the sweeper does: it mends whatever a crash, a lost message or a deleted job has left behind.

Where two could act at once, the state is changed first, and only who succeeded in that goes on (a resent message).
Where something is removed, that comes first, and the job stays due until it is known to have worked.
"""

import collections
import time
from collections.abc import Callable
from typing import Any

from reelhaul import jobs
from reelhaul.errors import Conflict, DeadLetter, JobNotFound, WorkerCrashed
from reelhaul.jobs import MAX_ATTEMPTS, MAX_SENDS, Job, State
from reelhaul.objects import MediaBucket
from reelhaul.queue import JobQueue
from reelhaul.store import JobStore, Tombstone, Unreadable
from reelhaul.submit import send


class Sweeper:
    """One pass is `run`. `logger` is a Powertools logger, `clock` gives seconds since the epoch."""

    def __init__(
        self,
        *,
        store: JobStore,
        queue: JobQueue,
        bucket: MediaBucket,
        logger: Any,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._queue = queue
        self._bucket = bucket
        self._logger = logger
        self._clock = clock

    def run(self, *, has_time: Callable[[], bool]) -> dict[str, int]:
        """Look at everything that is due, as long as it `has_time`. Returns how often what was done.

        What goes wrong with one of them is logged and counted as `broken`; the next pass tries again.
        """
        done: collections.Counter[str] = collections.Counter()
        for found in self._store.due(self._clock()):
            if not has_time():
                done["postponed"] += 1
                break
            try:
                done[self._look_at(found)] += 1
            except (Conflict, JobNotFound):
                done["moved_on"] += 1  # somebody was faster, which is all that matters
            except Exception:
                self._logger.exception("sweep_broken", found=_name(found))
                done["broken"] += 1
        return dict(done)

    def _look_at(self, found: Job | Tombstone | Unreadable) -> str:
        if isinstance(found, Unreadable):
            self._logger.error("sweep_unreadable", found=_name(found))
            return "broken"
        if isinstance(found, Tombstone):
            return self._settle(found)
        job, now = self._store.get(found.tenant, found.id), self._clock()
        if job.due_at is None or job.due_at > now:
            return "moved_on"  # the index lags behind: a heartbeat may have come in since
        if job.state is State.QUEUED:
            return self._remind(job, now)
        if job.state is State.RUNNING:
            return self._take_back(job, now)
        return self._tidy(job, now)

    def _remind(self, job: Job, now: float) -> str:
        if job.attempts >= MAX_ATTEMPTS or job.sends >= MAX_SENDS:
            error = WorkerCrashed() if job.attempts >= MAX_ATTEMPTS else DeadLetter()
            self._store.swap(job, jobs.fail(job, error, now=now))
            return "failed"
        self._send(self._store.swap(job, jobs.resend(job, now=now)))
        return "resent"

    def _take_back(self, job: Job, now: float) -> str:
        """The lease is over: the worker is dead, or so slow that it will find its job gone."""
        if job.attempts >= MAX_ATTEMPTS:
            self._store.swap(job, jobs.fail(job, WorkerCrashed(), now=now, cut_off=True))
            return "failed"
        self._send(self._store.swap(job, jobs.requeue(job, now=now, cut_off=True)))
        return "requeued"

    def _tidy(self, job: Job, now: float) -> str:
        """Only what this job's fences wrote is removed: it may be retried, and claimed, at this very moment."""
        if job.removal_at is not None and now >= job.removal_at:
            self._bucket.clean(job.tenant, job.id, up_to=job.fence)
            self._store.swap(job, jobs.expire(job, now=now))
            return "expired"
        if job.untidy:
            self._bucket.clean(job.tenant, job.id, keep=job.stored.key if job.stored else None, up_to=job.fence)
        self._store.swap(job, jobs.tidied(job))
        return "tidied"

    def _settle(self, tombstone: Tombstone) -> str:
        self._bucket.clean(tombstone.tenant, tombstone.job_id)
        if self._clock() < tombstone.final_at:
            return "cleaned"
        self._store.bury(tombstone)
        return "buried"

    def _send(self, job: Job) -> None:
        send(job, queue=self._queue, log=self._logger.error)


def _name(found: Job | Tombstone | Unreadable) -> str:
    return found.id if isinstance(found, Job) else found.job_id
