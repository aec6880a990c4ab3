"""Ending a job before its time: cancel keeps the record, delete removes everything."""

import time
from collections.abc import Callable

from reelhaul import jobs
from reelhaul.errors import Conflict, ServiceUnavailable
from reelhaul.jobs import ACTIVE, Job
from reelhaul.objects import MediaBucket
from reelhaul.store import JobStore

_MAX_TRIES = 8  # as in the store: more than a worker's heartbeats can spoil in a row


def cancel(tenant: str, job_id: str, *, store: JobStore, clock: Callable[[], float] = time.time) -> Job:
    """The job ends as cancelled; its worker sees that with its next heartbeat. A job that has ended stays as it is.

    Raises `JobNotFound`.
    """
    for _ in range(_MAX_TRIES):
        try:
            return store.change(tenant, job_id, lambda job: jobs.cancel(job, now=clock()))
        except Conflict:
            job = store.get(tenant, job_id)
            if job.state not in ACTIVE:
                return job  # else it was retried just now: that is to be cancelled, too
    raise Conflict


def delete(
    tenant: str,
    job_id: str,
    *,
    store: JobStore,
    bucket: MediaBucket,
    log: Callable[..., object],
    clock: Callable[[], float] = time.time,
) -> None:
    """The job, its record and its file are gone. Raises `JobNotFound`.

    The record goes first: from then on no worker can complete the job. What the worker or a failure of S3 leaves behind
    is on the tombstone's account, which the sweeper settles.
    """
    for _ in range(_MAX_TRIES):
        try:
            store.delete(store.get(tenant, job_id), now=clock())
        except Conflict:
            continue
        break
    else:
        raise Conflict
    try:
        bucket.clean(tenant, job_id)
    except ServiceUnavailable as error:
        log("file_removal_postponed", job_id=job_id, tenant=tenant, cause=repr(error.__cause__))
