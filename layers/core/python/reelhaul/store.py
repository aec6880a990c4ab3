"""The jobs in DynamoDB. Every write is conditional on what was read: of two who act at once one loses, and knows it.

A write that changes what a job counts as changes the tenant's counters in the same transaction (`reelhaul.counters`).
A condition that does not hold is `Conflict`, whatever else AWS cannot do is `ServiceUnavailable`. A job begins, created
or retried, within its `limits`, or not at all: `LimitReached`.
"""

import dataclasses
import itertools
import random
import secrets
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from typing import Any

from reelhaul import items, steps
from reelhaul.counters import Counters
from reelhaul.errors import Conflict, JobNotFound, KeyReused, LimitReached, RecordUnreadable, ServiceUnavailable
from reelhaul.ids import is_id, item_prefix
from reelhaul.items import Item
from reelhaul.jobs import LEASE_S, SCHEMA_VERSION, STRAY_S, Job, State
from reelhaul.limits import Usage
from reelhaul.salvage import salvaged
from reelhaul.table import Operation, Table, pause

REQUEST_KEPT_S = 86_400  # how long an idempotency key is remembered

_TOMBSTONES = "DELETED"
_SHELVED_S = 30 * 86_400  # how long what nobody can read is kept, for somebody to look at
_PLACE = "PLACE"
_MAX_PASSES = 12  # of a gate where others come as often; after that, it is too busy
_MAX_PAUSE_S = 0.8
_MAX_TRIES = 8  # a change competes with a worker's heartbeat, which comes every few seconds; eight in a row is a bug
_UNCHANGED = "#state = :state AND #fence = :fence AND #generation = :generation"
_UNREADABLE = (KeyError, ValueError, TypeError, AttributeError)


@dataclasses.dataclass(frozen=True, slots=True)
class Tombstone:
    """A deleted job whose worker, if it had one, may still write something that must be removed.

    `has_items`: it may have been a playlist, whose items have to go as well.
    """

    tenant: str
    job_id: str
    final_at: float  # by then no worker is alive that was at work when it was deleted
    has_items: bool = False


@dataclasses.dataclass(frozen=True, slots=True)
class Unreadable:
    """Something that is neither a job nor a tombstone of a schema we know. `is_newer`: it is a later version's."""

    partition: str
    job_id: str
    is_newer: bool = False

    @property
    def error(self) -> RecordUnreadable:
        return RecordUnreadable(items.tenant_of(self.partition), self.job_id, is_newer=self.is_newer)


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    """`last_id` is where the next page begins after, `None` at the end. `unreadable` could not be shown."""

    jobs: list[Job]
    last_id: str | None
    unreadable: tuple[Unreadable, ...] = ()


@dataclasses.dataclass(frozen=True, slots=True)
class IdempotentRequest:
    """A client's idempotency key, and a hash of all that it asked for with it."""

    key: str
    fingerprint: str


class JobStore:
    """`client` is a boto3 DynamoDB client, `clock` gives seconds since the epoch."""

    def __init__(self, client: Any, table_name: str, *, clock: Callable[[], float] = time.time) -> None:
        self._table = Table(client, table_name)
        self._counters = Counters(self._table)
        self._clock = clock

    # --- one job -----------------------------------------------------------------------------------------------------

    def create(self, job: Job, request: IdempotentRequest | None = None) -> Job:
        """The job as it is stored: `job`, or the one that the same `request` has made before.

        Raises `Conflict` when a job with this id is there already, `KeyReused` for a key that stood for something else,
        and `LimitReached`, but not for what was accepted before.
        """
        forgotten = ""
        for _ in range(_MAX_TRIES):
            try:
                self._write(
                    job, "attribute_not_exists(pk)", {}, before=None, also=self._claims(job, request, forgotten)
                )
            except (Conflict, LimitReached):
                known = self._read_request(job.tenant, request) if request else {}
                if not known or request is None:
                    raise
                if known.get("fingerprint") != request.fingerprint:
                    raise KeyReused from None
                try:
                    return self.get(job.tenant, str(known["job_id"]))
                except JobNotFound:
                    forgotten = str(known["job_id"])  # deleted since: the key is free again
            else:
                return job
        raise Conflict

    def get(self, tenant: str, job_id: str, *, even_over: bool = False) -> Job:
        """The job as it is now. Raises `JobNotFound`, unless `even_over` for a record past its time as well.

        Raises `RecordUnreadable`, as everything does that reads jobs.
        """
        if not is_id(job_id):
            raise JobNotFound
        item = self._table.read(items.partition(tenant), job_id)
        if not item or (self._is_over(item) and not even_over):
            raise JobNotFound
        return _readable(item)

    def swap(self, before: Job, after: Job) -> Job:
        """Write `after` if the table still shows the state, fence and generation of `before`, else raise `Conflict`.

        A write whose reply was lost and that is sent again finds its own work and succeeds.
        """
        self._write(after, _UNCHANGED, _as_read(before), before=before)
        return after

    def change(self, tenant: str, job_id: str, step: Callable[[Job], Job]) -> Job:
        """Apply one of `reelhaul.steps` to the job as it is, however busy others are with it.

        A job whose record is damaged has failed then, and the step finds it so. Raises `JobNotFound`, `Conflict` when
        the step does, and `LimitReached` for a retry.
        """
        for _ in range(_MAX_TRIES):
            try:
                job = self.get(tenant, job_id)
            except RecordUnreadable:
                self.condemn(tenant, job_id)
                continue
            after = step(job)
            try:
                return self.swap(job, after)
            except Conflict:
                continue
        raise Conflict

    def condemn(self, tenant: str, job_id: str) -> None:
        """Put an error in the place of a damaged record. Whatever it was, its owner learns of it, and can retry it.

        Raises `RecordUnreadable` for a later version's record, which is left as it is. One that is gone, or has been
        mended by somebody else, is left alone, too.
        """
        item = self._table.read(items.partition(tenant), job_id)
        if not item or not _is_damaged(item):
            return
        damaged = salvaged(item, now=self._clock())
        same, values = ("#written_as = :written_as", {":written_as": item["written_as"]}) if "written_as" in item else (
            "attribute_not_exists(written_as)", {}
        )  # fmt: skip
        with suppress(Conflict):  # somebody else was faster
            self._write(steps.condemn(damaged, now=self._clock()), same, values, before=damaged)

    def delete(self, job: Job, *, now: float) -> None:
        """Remove the record, and leave a tombstone for the sweeper. Raises `Conflict` when the job has moved on."""
        left = Tombstone(job.tenant, job.id, now + STRAY_S, has_items=job.item is None)
        put = self._table.put(_tombstone(left, due_at=now + LEASE_S))
        try:
            self._table.write(self._removal(job), put, *self._counters.changes(job, None))
        except Conflict:
            if not self.is_deleted(job.id):  # else the reply to our own write was lost
                raise

    def forget(self, job: Job) -> None:
        """Remove the record of a job that has left nothing behind. Raises `Conflict` when it has moved on."""
        self._table.write(self._removal(job), *self._counters.changes(job, None))

    # --- many --------------------------------------------------------------------------------------------------------

    def page(self, tenant: str, *, limit: int, after: str | None = None, status: str | None = None) -> Page:
        """Up to `limit` jobs, newest first, of one status ("processing", "done", "error") or of all.

        It begins after the job `after`, and costs the same wherever that is.
        """
        query = _listing(tenant, status)
        if after is not None:
            query["ExpressionAttributeValues"] |= {":before": after}
            query["KeyConditionExpression"] += " AND #sk < :before"
        live = (item for item in self._table.query(query, page_size=limit + 1) if not self._is_over(item))
        seen = list(itertools.islice(live, limit + 1))
        found = [_job_in(item) for item in seen[:limit]]
        return Page(
            [job for job in found if isinstance(job, Job)],
            str(seen[limit - 1]["sk"]) if len(seen) > limit else None,
            tuple(other for other in found if isinstance(other, Unreadable)),
        )

    def counts(self, tenant: str) -> dict[str, int]:
        """How many jobs have which status, without reading them."""
        return self._counters.statuses(tenant)

    def total(self, tenant: str, *, status: str | None = None) -> int:
        counts = self.counts(tenant)
        return sum(counts.values()) if status is None else counts[status]

    def usage(self, tenant: str, *, now: float) -> Usage:
        """What the tenant has used of the day that it is at `now`."""
        return self._counters.usage(tenant, now=now)

    def grant_items(self, playlist: Job, wanted: int, *, fingerprint: str, now: float) -> int:
        """How many of `wanted` items the playlist's limits still allow. With this they are counted.

        Asked again with the same fingerprint the answer is the same, and nothing is counted twice.
        """
        for attempt in range(_MAX_PASSES):
            try:
                return self._counters.grant(playlist, wanted, fingerprint=fingerprint, now=now)
            except Conflict:
                pause(attempt, most_s=_MAX_PAUSE_S)
        raise ServiceUnavailable

    def take_express_place(self, job: Job) -> bool:
        """Whether `job` is now the one that its tenant has in the express lane: none is while another waits or runs."""
        partition = items.express_partition(job.tenant)
        holder = str(self._table.read(partition, _PLACE).get("job_id", ""))
        if holder not in {"", job.id} and self._is_busy(job.tenant, holder):
            return False
        free = "attribute_not_exists(pk) OR #job_id = :job_id"
        try:
            self._table.write(
                self._table.put({"pk": partition, "sk": _PLACE, "job_id": job.id}, free, {":job_id": holder})
            )
        except Conflict:
            return False
        return True

    def _is_busy(self, tenant: str, job_id: str) -> bool:
        """Whether the job waits for a worker or has one."""
        try:
            return self.get(tenant, job_id).state in {State.QUEUED, State.RUNNING}
        except JobNotFound:
            return False

    def is_deleted(self, job_id: str) -> bool:
        """Whether a job with this id was deleted a short time ago."""
        return bool(self._table.read(_TOMBSTONES, job_id))

    def items_of(
        self, tenant: str, parent_id: str, *, skip: Callable[[Unreadable], object] | None = None
    ) -> Iterator[Job]:
        """The jobs that a playlist was ever expanded into, as they are now, in its order.

        Raises `RecordUnreadable` rather than to leave an item out, unless there is somebody to `skip` it.
        """
        query = {
            "KeyConditionExpression": "pk = :partition AND begins_with(sk, :prefix)",
            "ExpressionAttributeValues": {":partition": items.partition(tenant), ":prefix": item_prefix(parent_id)},
            "ConsistentRead": True,
            "ScanIndexForward": False,
        }
        for item in self._table.query(query, page_size=1000):
            job = _job_in(item)
            if isinstance(job, Unreadable):
                if skip is None:
                    raise job.error
                skip(job)
            elif job.item is not None and job.item.parent_id == parent_id:
                yield job

    def due(self, now: float, *, limit: int = 500) -> Iterator[Job | Tombstone | Unreadable]:
        """What the sweeper has to look at, longest overdue first within each shard; at most `limit` a shard.

        As the index shows it, which lags behind the table.
        """
        shards = items.due_partitions()
        random.shuffle(shards)  # or the last would starve while there is more to do than time
        for shard in shards:
            query = {
                "IndexName": "due",
                "KeyConditionExpression": "#shard = :shard AND #due <= :now",
                "ExpressionAttributeNames": {"#shard": "due_shard", "#due": "due_at"},
                "ExpressionAttributeValues": {":shard": shard, ":now": int(now)},
            }
            yield from map(_due, itertools.islice(self._table.query(query, page_size=limit), limit))

    def put_off(self, tombstone: Tombstone) -> None:
        """Nothing is left behind now: look again when that is final. Raises `Conflict` when it is buried."""
        item = _tombstone(tombstone, due_at=tombstone.final_at)
        self._table.write(self._table.put(item, "attribute_exists(pk)"))

    def shelve(self, found: Unreadable) -> None:
        """Something that is no job's record, and that nobody can read: it is kept for a while, and not due any more."""
        item = self._table.read(found.partition, found.job_id)
        if item:
            kept = {name: value for name, value in item.items() if name not in items.due_keys(found.job_id, 0)}
            self._table.write(self._table.put(kept | {"ttl": int(self._clock()) + _SHELVED_S}))

    def bury(self, tombstone: Tombstone) -> None:
        """The deleted job has left nothing behind: forget it."""
        self._table.write(self._table.removal(_TOMBSTONES, tombstone.job_id))

    # --- how ---------------------------------------------------------------------------------------------------------

    def _write(
        self, job: Job, condition: str, values: Item, *, before: Job | None, also: Sequence[Operation] = ()
    ) -> None:
        for attempt in range(_MAX_PASSES):
            # By its token a write whose reply was lost is known again, and told from another's of the same content.
            token = secrets.token_hex(8)
            put = self._table.put(items.to_item(job) | {"written_as": token}, condition, values)
            passing = self._counters.admit(before, job)
            try:
                self._table.write(put, *self._counters.changes(before, job), *also, *passing)
            except Conflict:
                seen = self._table.read(items.partition(job.tenant), job.id)
                if seen.get("written_as") == token:
                    return
                if not passing or not _is_as_read(seen, before) or not self._counters.has_moved(job.tenant, passing):
                    raise
                pause(attempt, most_s=_MAX_PAUSE_S)  # only the gate was in the way
            else:
                return
        raise ServiceUnavailable

    def _removal(self, job: Job) -> Operation:
        return self._table.removal(items.partition(job.tenant), job.id, _UNCHANGED, _as_read(job))

    def _claims(self, job: Job, request: IdempotentRequest | None, forgotten: str) -> list[Operation]:
        """The idempotency key is taken with the job's creation: for one of several that come at once."""
        if request is None:
            return []
        ends_at = int(self._clock()) + REQUEST_KEPT_S
        record = {
            "pk": items.requests_partition(job.tenant), "sk": request.key, "job_id": job.id,
            "fingerprint": request.fingerprint, "ends_at": ends_at, "ttl": ends_at,
        }  # fmt: skip
        free = "attribute_not_exists(pk) OR #ends_at <= :ends_at OR #job_id = :job_id"
        return [self._table.put(record, free, {":ends_at": int(self._clock()), ":job_id": forgotten})]

    def _read_request(self, tenant: str, request: IdempotentRequest) -> Item:
        known = self._table.read(items.requests_partition(tenant), request.key)
        return {} if not known or self._is_over(known) else known

    def _is_over(self, item: Mapping[str, Any]) -> bool:
        """DynamoDB removes records late; one whose time has come reads as gone."""
        return bool(self._clock() >= item.get("ends_at", float("inf")))


def _tombstone(left: Tombstone, *, due_at: float) -> Item:
    return {
        "pk": _TOMBSTONES, "sk": left.job_id, "schema": SCHEMA_VERSION, "tenant": left.tenant,
        "final_at": int(left.final_at), "has_items": int(left.has_items), **items.due_keys(left.job_id, due_at),
    }  # fmt: skip


def _listing(tenant: str, status: str | None) -> dict[str, Any]:
    if status is None:
        attribute, value = "pk", items.partition(tenant)
    else:
        attribute, value = "status_key", items.status_partition(tenant, status)
    return {
        **({} if status is None else {"IndexName": "status"}),
        "ProjectionExpression": ", ".join(f"#{name}" for name in items.SHOWN),
        "KeyConditionExpression": "#partition = :partition",
        "ExpressionAttributeNames": {"#partition": attribute} | {f"#{name}": name for name in items.SHOWN},
        "ExpressionAttributeValues": {":partition": value},
        "ScanIndexForward": False,
    }


def _as_read(job: Job) -> Item:
    """What a condition compares, so that a job that has moved on is not overwritten."""
    return {":state": job.state.value, ":fence": job.fence, ":generation": job.generation}


def _is_as_read(item: Item, job: Job | None) -> bool:
    """Whether the table has `job` as it was read, or no such job where it is `None`."""
    if job is None:
        return not item
    return all(item.get(name[1:]) == value for name, value in _as_read(job).items())


def _job_in(item: Item) -> Job | Unreadable:
    try:
        return items.from_item(item)
    except items.NewerSchema:
        return _unreadable(item, is_newer=True)
    except _UNREADABLE:
        return _unreadable(item)


def _readable(item: Item) -> Job:
    """Raises `RecordUnreadable`, also for a record that no condition would ever hold for."""
    job = _job_in(item)
    if isinstance(job, Unreadable):
        raise job.error
    if not items.is_consistent(item, job):
        raise _unreadable(item).error
    return job


def _is_damaged(item: Item) -> bool:
    """Raises `RecordUnreadable` for a later version's."""
    try:
        _readable(item)
    except RecordUnreadable as error:
        if error.is_newer:
            raise
        return True
    return False


def _unreadable(item: Item, *, is_newer: bool = False) -> Unreadable:
    return Unreadable(str(item.get("pk")), str(item.get("sk")), is_newer)


def _due(item: Item) -> Job | Tombstone | Unreadable:
    if item.get("pk") != _TOMBSTONES:
        return _job_in(item)
    try:
        if int(item.get("schema", 1)) > SCHEMA_VERSION:
            return _unreadable(item, is_newer=True)
        return Tombstone(item["tenant"], item["sk"], float(item["final_at"]), bool(item.get("has_items")))
    except _UNREADABLE:
        return _unreadable(item)
