"""What becomes of a job whose message was given up."""

import time
from collections.abc import Callable

from reelhaul import steps
from reelhaul.errors import Conflict, DeadLetter, JobNotFound
from reelhaul.jobs import Job, State
from reelhaul.queue import JobMessage
from reelhaul.store import JobStore


def give_up(message: JobMessage, *, store: JobStore, clock: Callable[[], float] = time.time) -> bool:
    """End the job that `message` stood for, with a reason. False when that is none of the message's business any more.

    A job that is done, retried or deleted has moved on; one that is running with a live lease belongs to its worker,
    and to the sweeper should that die. A job whose record is damaged has failed then.

    Raises `ServiceUnavailable`, and `RecordUnreadable` for a later version's record.
    """

    def step(job: Job) -> Job:
        now = clock()
        if job.generation != message.generation or (job.state is State.RUNNING and (job.due_at or 0) > now):
            raise Conflict
        return steps.fail(job, DeadLetter(), now=now, cut_off=True)

    try:
        store.change(message.tenant, message.job_id, step)
    except (Conflict, JobNotFound):
        return False
    return True
