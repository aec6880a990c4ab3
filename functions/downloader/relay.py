"""The end of an invocation whose job goes on: how far it has come is written down, and the next worker called."""

import time
from collections.abc import Callable
from typing import Any

from downloader.events import Paused
from downloader.outlet import Outlet
from reelhaul import steps
from reelhaul.errors import Conflict, JobNotFound, ServiceUnavailable, SourceTooSlow
from reelhaul.jobs import Checkpoint, Job
from reelhaul.queue import JobQueue
from reelhaul.store import JobStore
from reelhaul.submit import send


class Relay:
    """Hands jobs over, until all workers of one together took `max_total_s`, those that failed among them.

    `clean` removes what the worker of a job has written.
    """

    def __init__(
        self,
        *,
        store: JobStore,
        queue: JobQueue,
        clean: Callable[[Job], object],
        max_total_s: float,
        logger: Any,
        clock: Callable[[], float],
    ) -> None:
        self._store, self._queue, self._clean = store, queue, clean
        self._max_total_s = max_total_s
        self._logger, self._clock = logger, clock

    def checkpoint(self, job: Job, paused: Paused, outlet: Outlet, *, began_at: float) -> Checkpoint:
        """What the next worker needs is sent. `began_at` is monotonic.

        Raises `SourceTooSlow` where it would not come to an end.
        """
        before = job.checkpoint
        spent_s = (before.spent_s if before else 0.0) + time.monotonic() - began_at
        if job.spent_s + spent_s >= self._max_total_s or (before is not None and paused.place <= before.place):
            raise SourceTooSlow
        return outlet.hand_over(paused, spent_s=spent_s)

    def hand_over(self, job: Job, *, checkpoint: Checkpoint) -> None:
        details = {"job_id": job.id, "tenant": job.tenant, "bytes": checkpoint.bytes}
        try:
            after = self._store.swap(job, steps.hand_over(job, checkpoint, now=self._clock()))
        except Conflict:
            if not self._is_handed_over(job):
                self._clean(job)
            self._logger.info("job_lost", **details)
        except ServiceUnavailable:
            # It may or may not be written, so what it names stays; the sweeper sends the job on, from here or before.
            self._logger.exception("job_left_to_the_sweeper", **details)
        else:
            self._logger.info("job_handed_over", **details, spent_s=round(checkpoint.spent_s, 3))
            send(after, queue=self._queue, log=self._logger.warning)

    def _is_handed_over(self, job: Job) -> bool:
        """Whether our checkpoint may be in the table after all, or one that somebody has come to from there by now.

        What it names is removed with the rest of what was handed over, once there is no checkpoint any more.
        """
        try:
            return self._store.get(job.tenant, job.id).checkpoint is not None
        except JobNotFound:
            return False
        except ServiceUnavailable:
            return True  # not known
