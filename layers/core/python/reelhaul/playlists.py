"""Playlists: one job becomes many, and ends when all of them have.

The items are ordinary jobs, whose ids follow from the playlist's, so that a worker that died half way through and the
next one make the same items. How many have ended is always counted anew from the items themselves: there is no counter
that a crash could leave wrong.
"""

import collections
import dataclasses
import itertools
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from reelhaul import jobs
from reelhaul.errors import Conflict, JobNotFound, ServiceUnavailable
from reelhaul.findings import Entry
from reelhaul.jobs import RETRYABLE, Job, PlaylistItem, State
from reelhaul.queue import MAX_BATCH, JobQueue
from reelhaul.store import JobStore

Log = Callable[..., object]

_WRITERS = 8  # batches of items that are written side by side
_COUNTED_AS = {
    State.DONE: "done", State.EXPIRED: "done", State.FAILED: "failed", State.CANCELLED: "cancelled",
}  # fmt: skip


def add_items(
    parent: Job,
    entries: Sequence[Entry],
    *,
    store: JobStore,
    queue: JobQueue,
    log: Log,
    goes_on: Callable[[], bool] = lambda: True,
    clock: Callable[[], float] = time.time,
) -> None:
    """Have a job for each of `entries`, stored and queued, in the order of the playlist.

    Of the jobs that an earlier try has left, those that failed or were cancelled are tried again, the others left
    alone. It ends early once it no longer `goes_on`. Raises `ServiceUnavailable` when not all could be stored.
    """

    def add(batch: Sequence[tuple[int, Entry]]) -> None:
        if not goes_on():
            return
        made = [_item(parent, index, len(entries), entry, now=clock()) for index, entry in batch]
        wanted = [job for job in (_ensured(item, store=store, clock=clock) for item in made) if job is not None]
        try:
            if wanted:
                queue.send_batch(wanted)
        except ServiceUnavailable as error:  # they are stored: the sweeper sends them
            log("items_send_failed", job_id=parent.id, tenant=parent.tenant, cause=repr(error.__cause__))

    with ThreadPoolExecutor(_WRITERS) as pool:
        for _ in pool.map(add, _batches(enumerate(entries, 1))):
            pass  # an exception of `add` comes out here


def _item(parent: Job, index: int, total: int, entry: Entry, *, now: float) -> Job:
    return jobs.new(
        job_id=jobs.item_id(parent, index), tenant=parent.tenant, url=entry.url, name=entry.title or None,
        options=parent.options, retention_days=parent.retention_days, callback_url=parent.callback_url,
        item=PlaylistItem(parent_id=parent.id, index=index, total=total, entry=entry.entry), now=now,
    )  # fmt: skip


def _ensured(item: Job, *, store: JobStore, clock: Callable[[], float]) -> Job | None:
    """The job that has to be queued for `item`, if any."""
    try:
        return store.create(item)
    except Conflict:
        pass
    try:
        known = store.get(item.tenant, item.id)
        return store.swap(known, jobs.retry(known, now=clock())) if known.state in RETRYABLE else None
    except (Conflict, JobNotFound):
        return None  # somebody is at it this very moment


def recount(
    tenant: str,
    parent_id: str,
    *,
    store: JobStore,
    always: bool = False,
    clock: Callable[[], float] = time.time,
) -> None:
    """Bring what a playlist says of its items up to date; it is done once all of them have ended.

    Nothing is written when nothing has changed, unless `always`. A playlist that is gone, has ended otherwise or is
    just being expanded is left alone.
    """

    def step(parent: Job) -> Job:
        if parent.playlist is None or parent.state not in {State.EXPANDED, State.DONE}:
            raise Conflict
        counts = collections.Counter(_COUNTED_AS.get(item.state) for item in store.items_of(tenant, parent_id))
        gone = parent.playlist.total - counts.total()  # deleted by their user, one by one
        playlist = dataclasses.replace(
            parent.playlist, done=counts["done"], failed=counts["failed"], cancelled=counts["cancelled"] + max(0, gone)
        )
        if playlist == parent.playlist and playlist.ended < playlist.total and not always:
            raise Conflict
        if parent.state is State.DONE and playlist == parent.playlist:
            raise Conflict
        return jobs.recount(parent, playlist, now=clock())

    try:
        store.change(tenant, parent_id, step)
    except (Conflict, JobNotFound):
        return


def is_called_off(item: Job, *, store: JobStore) -> bool:
    """Whether `item` is one of a playlist that was cancelled or deleted while it was being expanded.

    An item that its user has retried since is wanted for itself.
    """
    if item.item is None or item.generation > 1:
        return False
    try:
        return store.get(item.tenant, item.item.parent_id).state is State.CANCELLED
    except JobNotFound:
        return True


def each_item(
    tenant: str, parent_id: str, act: Callable[[Job], object], *, store: JobStore, has_time: Callable[[], bool]
) -> bool:
    """Do `act` to every item of a playlist. False when there was no time for all; items that are gone do not matter."""
    for item in list(store.items_of(tenant, parent_id)):
        if not has_time():
            return False
        try:
            act(item)
        except JobNotFound:
            continue
    return True


def _batches(numbered: Iterable[tuple[int, Entry]]) -> Iterable[list[tuple[int, Entry]]]:
    iterator = iter(numbered)
    while batch := list(itertools.islice(iterator, MAX_BATCH)):
        yield batch
