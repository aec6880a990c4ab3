"""Playlists: one job becomes many, and ends when all of them have.

The items are ordinary jobs, whose ids follow from the playlist's and from what stands in it, so that a worker that died
half way through and the next one make the same items. How many have ended is always counted anew from the items
themselves: there is no counter that a crash could leave wrong.
"""

import collections
import dataclasses
import hashlib
import itertools
import json
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor

from reelhaul import ids, steps
from reelhaul.errors import Conflict, JobNotFound, JobsPerDayReached, ServiceUnavailable
from reelhaul.findings import Entry
from reelhaul.jobs import Job, PlaylistItem, State
from reelhaul.limits import until_midnight_s
from reelhaul.queue import MAX_BATCH, JobQueue
from reelhaul.store import JobStore

Log = Callable[..., object]
Finished = dict[tuple[str, int | None], list[Job]]  # by URL and entry

_WRITERS = 8  # batches of items that are written side by side
_COUNTED = frozenset({State.EXPANDED, State.DONE, State.CANCELLED})
_CALLED_OFF = frozenset({State.CANCELLED, State.FAILED})
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
) -> int:
    """Have a job for each of `entries`, stored and queued, in the order of the playlist. Returns how many there are.

    Those are fewer where the limits of `parent` allow no more today: the first of them. What an earlier try has made is
    left alone, and what its user has deleted since stays deleted. A playlist that is retried takes over what is done.
    It ends early once it no longer `goes_on`. Raises `JobsPerDayReached` when not a single one is allowed, and
    `ServiceUnavailable` when not all could be stored.
    """
    finished = _finished(parent, store=store, clock=clock) if parent.generation > 1 else {}
    entries = _allowed(parent, entries, finished, store=store, now=clock())
    served = _adopted(parent, entries, finished, store=store, clock=clock)
    wanted = [
        _item(parent, index, len(entries), entry, now=clock())
        for index, entry in enumerate(entries, 1)
        if index not in served
    ]

    def add(batch: Sequence[Job]) -> None:
        if not goes_on():
            return
        made = [item for item in batch if _is_made(item, store=store)]
        try:
            if made:
                queue.send_batch(made)
        except ServiceUnavailable as error:  # they are stored: the sweeper sends them
            log("items_send_failed", job_id=parent.id, tenant=parent.tenant, cause=repr(error.__cause__))

    with ThreadPoolExecutor(_WRITERS) as pool:
        for _ in pool.map(add, _batches(wanted)):
            pass  # an exception of `add` comes out here
    return len(entries)


def _allowed(
    parent: Job, entries: Sequence[Entry], finished: Finished, *, store: JobStore, now: float
) -> Sequence[Entry]:
    """The first of `entries`: as many as may begin today, and what is done already between them."""
    limit = parent.limits.max_jobs_per_day if parent.limits else None
    if limit is None:
        return entries
    done = collections.Counter({known: len(items) for known, items in finished.items()})
    new_at = []
    for place, entry in enumerate(entries):
        done[entry.url, entry.entry] -= 1
        if done[entry.url, entry.entry] < 0:
            new_at.append(place)
    granted = store.grant_items(parent, len(new_at), fingerprint=_fingerprint(parent, entries), now=now)
    kept = entries if granted == len(new_at) else entries[: new_at[granted]]
    if entries and not kept:
        raise JobsPerDayReached(limit, retry_after_s=until_midnight_s(now))
    return kept


def _fingerprint(parent: Job, entries: Sequence[Entry]) -> str:
    """Known again by a worker that takes over. A list that has changed meanwhile is another one, and counts anew."""
    known = [parent.generation, *([entry.url, entry.entry] for entry in entries)]
    return hashlib.sha256(json.dumps(known).encode()).hexdigest()


def _place(parent: Job, index: int, total: int, entry: Entry) -> PlaylistItem:
    return PlaylistItem(
        parent_id=parent.id, index=index, total=total, generation=parent.generation, entry=entry.entry,
        counted_apart=True,
    )  # fmt: skip


def _item(parent: Job, index: int, total: int, entry: Entry, *, now: float) -> Job:
    return steps.new(
        job_id=ids.item_id(parent, index, f"{entry.entry} {entry.url}"), tenant=parent.tenant, url=entry.url,
        name=entry.title or None, options=parent.options, retention_days=parent.retention_days,
        callback_url=parent.callback_url, limits=parent.limits, item=_place(parent, index, total, entry), now=now,
    )  # fmt: skip


def _is_made(item: Job, *, store: JobStore) -> bool:
    """Store `item`. False when it is, or was, there already."""
    if store.is_deleted(item.id):
        return False
    try:
        store.create(item)
    except Conflict:
        return False
    return True


def _finished(parent: Job, *, store: JobStore, clock: Callable[[], float]) -> Finished:
    """The items of earlier expansions that have their files still."""
    finished: Finished = {}
    for item in store.items_of(parent.tenant, parent.id):
        if item.item is not None and item.seen_at(clock()).state is State.DONE:
            finished.setdefault((item.url, item.item.entry), []).append(item)
    return finished


def _adopted(
    parent: Job, entries: Sequence[Entry], finished: Finished, *, store: JobStore, clock: Callable[[], float]
) -> set[int]:
    """The places of those entries that one of the `finished` serves, each of which is taken from there."""
    served = set()
    for index, entry in enumerate(entries, 1):
        known = finished.get((entry.url, entry.entry))
        if known:
            place = _place(parent, index, len(entries), entry)
            try:
                store.swap(known[0], steps.adopt(known.pop(0), place, now=clock()))
            except Conflict:
                continue  # deleted or expired this very moment
            served.add(index)
    return served


def recount(
    tenant: str,
    parent_id: str,
    *,
    store: JobStore,
    always: bool = False,
    clock: Callable[[], float] = time.time,
) -> None:
    """Bring what a playlist says of its items up to date; it is done once all of them have ended.

    Nothing is written when nothing has changed, unless `always`. A playlist that is gone, or just being expanded, is
    left alone. Raises `RecordUnreadable` when an item cannot be read.
    """

    def step(parent: Job) -> Job:
        if parent.playlist is None or parent.state not in _COUNTED:
            raise Conflict
        counts = collections.Counter(
            _COUNTED_AS.get(item.state, "active")
            for item in store.items_of(tenant, parent_id)
            if item.item is not None and item.item.generation == parent.generation
        )
        playlist = dataclasses.replace(
            parent.playlist,
            total=counts.total(),  # less than there were if their user has deleted some
            done=counts["done"],
            failed=counts["failed"],
            cancelled=counts["cancelled"],
        )
        ends = parent.state is State.EXPANDED and playlist.ended >= playlist.total
        if playlist == parent.playlist and not ends and not always:
            raise Conflict
        return steps.recount(parent, playlist, now=clock())

    try:
        store.change(tenant, parent_id, step)
    except (Conflict, JobNotFound):
        return


def is_called_off(item: Job, *, store: JobStore) -> bool:
    """Whether `item` is one of an expansion that nobody wants any more, or that was not completed.

    An item that its user has retried since is wanted for itself.
    """
    if item.item is None or item.generation > 1:
        return False
    try:
        parent = store.get(item.tenant, item.item.parent_id)
    except JobNotFound:
        return True
    return parent.state in _CALLED_OFF or parent.generation != item.item.generation


def each_item(
    tenant: str, parent_id: str, act: Callable[[Job], object], *, store: JobStore, has_time: Callable[[], bool]
) -> bool:
    """Do `act` to every item of a playlist. False when not all is done: there was no time, or others were in the way.

    Items that are gone do not matter.
    """
    is_complete = True
    for item in list(store.items_of(tenant, parent_id)):
        if not has_time():
            return False
        try:
            act(item)
        except JobNotFound:
            continue
        except Conflict:
            is_complete = False
    return is_complete


def _batches(made: Iterable[Job]) -> Iterable[list[Job]]:
    iterator = iter(made)
    while batch := list(itertools.islice(iterator, MAX_BATCH)):
        yield batch
