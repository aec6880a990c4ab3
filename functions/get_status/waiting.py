"""Holding a status request back until there is news."""

import time
from collections.abc import Callable

from reelhaul.jobs import ACTIVE, Job
from reelhaul.store import JobStore

# Quick for the short jobs that this is for, cheap for the long ones: some sixty reads in 20 s.
_FIRST_PAUSE_S, _LATER_PAUSE_S, _FIRST_S = 0.15, 0.5, 4.0


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
    began = clock()
    while True:
        job = store.get(tenant, job_id)
        waited_s = clock() - began
        if job.state not in ACTIVE or waited_s >= patience_s:
            return job
        pause_s = _FIRST_PAUSE_S if waited_s < _FIRST_S else _LATER_PAUSE_S
        sleep(min(pause_s, patience_s - waited_s))
