"""Ending a job before its time: cancel keeps the record, delete removes everything. A playlist's items go with it."""

import time
from collections.abc import Callable
from contextlib import suppress

from reelhaul import steps
from reelhaul.errors import Conflict, RecordUnreadable, ServiceUnavailable
from reelhaul.jobs import ACTIVE, Job, State
from reelhaul.objects import MediaBucket
from reelhaul.playlists import each_item
from reelhaul.store import JobStore

_MAX_TRIES = 8  # as in the store: more than a worker's heartbeats can spoil in a row
_ITEMS_S = 5.0  # of a request's time for a playlist's items; the sweeper sees to the rest


def cancel(tenant: str, job_id: str, *, store: JobStore, clock: Callable[[], float] = time.time) -> Job:
    """The job ends as cancelled; its worker sees that with its next heartbeat. A job that has ended stays as it is.

    Raises `JobNotFound`.
    """
    job = _cancel_one(tenant, job_id, store=store, clock=clock)
    if job.state is State.CANCELLED:
        with suppress(ServiceUnavailable):  # the sweeper sees to what is left of a playlist
            cancel_items(job, store=store, has_time=_patience(), clock=clock)
    return job


def cancel_items(
    parent: Job, *, store: JobStore, has_time: Callable[[], bool], clock: Callable[[], float] = time.time
) -> bool:
    """Cancel those items of a playlist that have not ended, and that nobody retried. False when not all could be.

    Only those of the expansion that `parent` stands for: it may have been retried, and expanded again, since.
    """
    if parent.item is not None:
        return True

    def act(item: Job) -> None:
        if item.state not in ACTIVE or item.item is None or item.item.generation != parent.generation:
            return

        def step(seen: Job) -> Job:
            return steps.cancel(seen, now=clock()) if seen.generation == item.generation else seen

        try:
            store.change(item.tenant, item.id, step)
        except Conflict:
            if store.get(item.tenant, item.id).state in ACTIVE:
                raise

    return each_item(parent.tenant, parent.id, act, store=store, has_time=has_time)


def _cancel_one(tenant: str, job_id: str, *, store: JobStore, clock: Callable[[], float]) -> Job:
    for _ in range(_MAX_TRIES):
        try:
            return store.change(tenant, job_id, lambda job: steps.cancel(job, now=clock()))
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
    """The job, its record and its file are gone, and so are a playlist's items. Raises `JobNotFound`.

    The record goes first: from then on no worker can complete the job. What the worker or a failure of S3 leaves
    behind, and what there is no time for, is on the tombstone's account, which the sweeper settles.
    """
    _delete_one(tenant, job_id, store=store, bucket=bucket, log=log, clock=clock)
    try:
        delete_items(tenant, job_id, store=store, bucket=bucket, log=log, has_time=_patience(), clock=clock)
    except ServiceUnavailable as error:
        log("item_removal_postponed", job_id=job_id, tenant=tenant, cause=repr(error))


def delete_items(
    tenant: str,
    parent_id: str,
    *,
    store: JobStore,
    bucket: MediaBucket,
    log: Callable[..., object],
    has_time: Callable[[], bool],
    clock: Callable[[], float] = time.time,
) -> bool:
    """Delete all items of a playlist that is gone. False when there was no time for all of them."""

    def act(item: Job) -> None:
        _delete_one(item.tenant, item.id, store=store, bucket=bucket, log=log, clock=clock)

    return each_item(tenant, parent_id, act, store=store, has_time=has_time)


def _delete_one(
    tenant: str,
    job_id: str,
    *,
    store: JobStore,
    bucket: MediaBucket,
    log: Callable[..., object],
    clock: Callable[[], float],
) -> None:
    for _ in range(_MAX_TRIES):
        try:
            store.delete(store.get(tenant, job_id), now=clock())
        except Conflict:
            continue
        except RecordUnreadable:
            store.condemn(tenant, job_id)
            continue
        break
    else:
        raise Conflict
    try:
        bucket.clean(tenant, job_id)
    except ServiceUnavailable as error:
        log("file_removal_postponed", job_id=job_id, tenant=tenant, cause=repr(error.__cause__))


def _patience() -> Callable[[], bool]:
    until = time.monotonic() + _ITEMS_S
    return lambda: time.monotonic() < until
