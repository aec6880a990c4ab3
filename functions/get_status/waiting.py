"""Holding a status request back until there is news."""

import time
from collections.abc import Callable

from reelhaul.jobs import ACTIVE, Job
from reelhaul.store import JobStore

# An end is seen late by a share of the wait: soon for the short jobs that this is for, and with some 90 reads in 20 s.
_SHARE, _SHORTEST_S, _LONGEST_S = 0.05, 0.05, 0.5


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
        pause_s = min(max(_SHORTEST_S, _SHARE * waited_s), _LONGEST_S)
        sleep(min(pause_s, patience_s - waited_s))
