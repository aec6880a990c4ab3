"""The express lane: a queue with workers of its own, for the one job of a tenant that need not wait for the others.

All workers of the queue of jobs may be busy for minutes, with long downloads of a single tenant. So whoever has no job
in the lane gets the next one into it. It stands in both queues, and the first worker to be free takes it: that a job
is sent twice does no harm, as only one can claim it. The lane's message comes a moment later, and only matters when the
usual workers are busy. A tenant never has more than one of the lane's workers, however much it asks for.
"""

from collections.abc import Callable

from reelhaul.errors import ServiceUnavailable
from reelhaul.jobs import Job
from reelhaul.queue import JobQueue
from reelhaul.store import JobStore

_HEAD_START_S = 2  # for the usual workers: what they take meanwhile costs the lane's a look at the job and no more


class ExpressLane:
    """`queue` is the lane's own."""

    def __init__(self, store: JobStore, queue: JobQueue) -> None:
        self._store = store
        self._queue = queue

    def offer(self, job: Job, *, log: Callable[..., object]) -> None:
        """Send `job`, which is queued, into the lane too, if its tenant has no other in there.

        What goes wrong is logged and not raised: the job stands in the usual queue in any case.
        """
        try:
            if self._store.take_express_place(job):
                self._queue.send(job, delay_s=_HEAD_START_S, untried_only=True)
        except ServiceUnavailable as error:
            log("express_lane_missed", job_id=job.id, tenant=job.tenant, cause=repr(error.__cause__))
