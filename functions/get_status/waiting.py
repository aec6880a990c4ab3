"""Holding a status request back until there is news."""

import time
from collections.abc import Callable

from reelhaul.jobs import ACTIVE, Job
from reelhaul.store import JobStore

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.1, 0.5  # quick for the short jobs that this is for, cheap for the long ones


def wait_for_end(
    tenant: str,
    job_id: str,
    *,
    store: JobStore,
    patience_s: float,
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
) -> Job:
    """The job as soon as it has ended, else as it is after `patience_s`. Raises `JobNotFound`, also while waiting."""
    deadline, pause_s = clock() + patience_s, _FIRST_PAUSE_S
    while True:
        job = store.get(tenant, job_id)
        left_s = deadline - clock()
        if job.state not in ACTIVE or left_s <= 0:
            return job
        sleep(min(pause_s, left_s))
        pause_s = min(1.5 * pause_s, _LONGEST_PAUSE_S)
