"""Submitting a job, and submitting it again: the record first, then the message."""

import time
from collections.abc import Callable

from reelhaul import ids, steps
from reelhaul.errors import ServiceUnavailable
from reelhaul.express import ExpressLane
from reelhaul.jobs import Job, State
from reelhaul.limits import Limits
from reelhaul.options import DownloadRequest
from reelhaul.queue import JobQueue
from reelhaul.store import IdempotentRequest, JobStore

Log = Callable[..., object]


def submit(
    request: DownloadRequest,
    *,
    tenant: str,
    retention_days: int,
    store: JobStore,
    queue: JobQueue,
    log: Log,
    express: ExpressLane | None = None,
    limits: Limits | None = None,
    idempotency: IdempotentRequest | None = None,
    clock: Callable[[], float] = time.time,
) -> Job:
    """A new job, stored and queued, or the one that the same idempotent request has made before.

    `retention_days` is for a request that says nothing about it. Raises `KeyReused`, `LimitReached`, and
    `ServiceUnavailable` only when the job could not be stored.
    """
    now = clock()
    job = steps.new(
        job_id=ids.new_id(now), tenant=tenant, url=request.url, name=request.name, options=request.options,
        retention_days=request.retention_days or retention_days, callback_url=request.callback_url,
        limits=limits or None, now=now,
    )  # fmt: skip
    stored = store.create(job, idempotency)
    if stored.id == job.id:
        send(job, queue=queue, log=log)
        if express is not None:
            express.offer(job, log=log)
    return stored


def retry(
    tenant: str,
    job_id: str,
    *,
    store: JobStore,
    queue: JobQueue,
    log: Log,
    express: ExpressLane | None = None,
    limits: Limits | None = None,
    clock: Callable[[], float] = time.time,
) -> Job:
    """The same job once more, as a new generation.

    Raises `JobNotFound`, `Conflict` while it runs or is done, and `LimitReached`.
    """

    def step(job: Job) -> Job:
        now = clock()
        if job.state is State.DONE and job.seen_at(now).state is State.EXPIRED:
            return steps.expire(job, now=now)
        return steps.retry(job, now=now, limits=limits or None)

    job = store.change(tenant, job_id, step)
    if job.state is State.EXPIRED:  # a step of its own: the file's end is a fact whether or not somebody wants it again
        job = store.change(tenant, job_id, step)
    send(job, queue=queue, log=log)
    if express is not None:
        express.offer(job, log=log)
    return job


def send(job: Job, *, queue: JobQueue, log: Log, delay_s: float = 0) -> None:
    """Send the job's message. A failure is logged and not raised: the job is stored, and the sweeper sends it again."""
    try:
        queue.send(job, delay_s=delay_s)
    except ServiceUnavailable as error:
        log("job_send_failed", job_id=job.id, tenant=job.tenant, cause=repr(error.__cause__))
