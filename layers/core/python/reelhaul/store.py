"""The jobs in DynamoDB. Every write is conditional on what was read: of two who act at once one loses, and knows it.

botocore's errors are translated here, once: a failed condition is `Conflict`, all others are `ServiceUnavailable`.
"""

import base64
import binascii
import dataclasses
import itertools
import random
import secrets
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from boto3.dynamodb.types import TypeDeserializer, TypeSerializer
from botocore.exceptions import ClientError

from reelhaul import items
from reelhaul.aws import error_code, translated
from reelhaul.errors import Conflict, InvalidRequest, JobNotFound
from reelhaul.items import Item
from reelhaul.jobs import LEASE_S, Job, is_id

_SERIALIZER, _DESERIALIZER = TypeSerializer(), TypeDeserializer()
_TOMBSTONES = "DELETED"
_MAX_TRIES = 8  # a change competes with a worker's heartbeat, which comes every few seconds; eight in a row is a bug


@dataclasses.dataclass(frozen=True, slots=True)
class Tombstone:
    """A deleted job whose worker, if it had one, may still write something that must be removed."""

    tenant: str
    job_id: str
    final_at: float  # by then a worker has noticed, or its lease is long over


@dataclasses.dataclass(frozen=True, slots=True)
class Unreadable:
    """Something due that is neither a job nor a tombstone of a schema we know."""

    partition: str
    job_id: str


@dataclasses.dataclass(frozen=True, slots=True)
class Page:
    jobs: list[Job]
    next_token: str | None


class JobStore:
    """`client` is a boto3 DynamoDB client, `clock` gives seconds since the epoch."""

    def __init__(self, client: Any, table_name: str, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._table = table_name
        self._clock = clock

    # --- one job -----------------------------------------------------------------------------------------------------

    def create(self, job: Job) -> None:
        """Raises `Conflict` when a job with this id is there already."""
        self._write(job, "attribute_not_exists(pk)", {})

    def get(self, tenant: str, job_id: str) -> Job:
        """The job as it is now. Raises `JobNotFound`, for a record past its time to live as well."""
        if not is_id(job_id):
            raise JobNotFound
        item = self._read(tenant, job_id)
        if not item or self._clock() >= item.get("ttl", float("inf")):
            raise JobNotFound
        return items.from_item(item)

    def swap(self, before: Job, after: Job) -> Job:
        """Write `after` if the table still shows the state, fence and generation of `before`, else raise `Conflict`.

        A write whose reply was lost and that is sent again finds its own work and succeeds.
        """
        condition = "#state = :state AND #fence = :fence AND #generation = :generation"
        values = {":state": before.state.value, ":fence": before.fence, ":generation": before.generation}
        self._write(after, condition, values)
        return after

    def change(self, tenant: str, job_id: str, step: Callable[[Job], Job]) -> Job:
        """Apply a step of `reelhaul.jobs` to the job as it is, however busy others are with it.

        Raises `JobNotFound`, and `Conflict` when the step does.
        """
        for _ in range(_MAX_TRIES):
            job = self.get(tenant, job_id)
            after = step(job)
            try:
                return self.swap(job, after)
            except Conflict:
                continue
        raise Conflict

    def delete(self, job: Job, *, now: float) -> None:
        """Remove the record, and leave a tombstone for the sweeper. Raises `Conflict` when the job has moved on."""
        tombstone = {
            "pk": _TOMBSTONES, "sk": job.id, "tenant": job.tenant, "final_at": int(now + 2 * LEASE_S),
            **items.due_keys(job.id, now + LEASE_S),
        }  # fmt: skip
        removal = {
            "TableName": self._table,
            "Key": _key(job.tenant, job.id),
            "ConditionExpression": "#fence = :fence AND #generation = :generation",
            "ExpressionAttributeNames": {"#fence": "fence", "#generation": "generation"},
            "ExpressionAttributeValues": _typed({":fence": job.fence, ":generation": job.generation}),
        }
        put = {"TableName": self._table, "Item": _typed(tombstone)}
        try:
            with _conditional("TransactionCanceledException"):
                self._client.transact_write_items(TransactItems=[{"Delete": removal}, {"Put": put}])
        except Conflict:
            if not self._has_tombstone(job.id):  # else the reply to our own write was lost
                raise

    # --- many --------------------------------------------------------------------------------------------------------

    def page(self, tenant: str, *, limit: int, token: str | None = None, status: str | None = None) -> Page:
        """Up to `limit` jobs, newest first, of one status ("processing", "done", "error") or of all.

        The token names a place in the tenant's own list and nothing else, so a foreign one shows nobody else's jobs.
        """
        query = self._listing(tenant, status) | {"ScanIndexForward": False}
        if token is not None:
            query["ExpressionAttributeNames"] |= {"#sk": "sk"}
            query["ExpressionAttributeValues"] |= {":before": _from_token(token)}
            query["KeyConditionExpression"] += " AND #sk < :before"
        found: list[Job] = []
        for item in self._query(query, page_size=limit + 1):
            if self._clock() < item.get("ttl", float("inf")):
                found.append(items.from_item(item))
            if len(found) > limit:
                return Page(found[:limit], _to_token(found[limit - 1].id))
        return Page(found, None)

    def count(self, tenant: str, *, status: str | None = None) -> int:
        query = self._listing(tenant, status) | {"Select": "COUNT"}
        with translated():
            pages = self._client.get_paginator("query").paginate(TableName=self._table, **_sent(query))
            return sum(page["Count"] for page in pages)

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
            yield from map(_due, itertools.islice(self._query(query, page_size=limit), limit))

    def bury(self, tombstone: Tombstone) -> None:
        """The deleted job has left nothing behind: forget it."""
        with translated():
            self._client.delete_item(TableName=self._table, Key=_typed({"pk": _TOMBSTONES, "sk": tombstone.job_id}))

    # --- how ---------------------------------------------------------------------------------------------------------

    def _write(self, job: Job, condition: str, values: Item) -> None:
        names = {f"#{name[1:]}": name[1:] for name in values}
        # By its token a write whose reply was lost is known again, and told from another's of the very same content.
        token = secrets.token_hex(8)
        item = items.to_item(job) | {"written_as": token}
        request: dict[str, Any] = {"Item": _typed(item), "ConditionExpression": condition}
        if values:
            request |= {"ExpressionAttributeNames": names, "ExpressionAttributeValues": _typed(values)}
        try:
            with _conditional("ConditionalCheckFailedException"):
                self._client.put_item(TableName=self._table, **request)
        except Conflict:
            if self._read(job.tenant, job.id).get("written_as") != token:
                raise

    def _read(self, tenant: str, job_id: str) -> Item:
        """The job's item, empty where there is none."""
        with translated():
            reply = self._client.get_item(TableName=self._table, Key=_key(tenant, job_id), ConsistentRead=True)
        return _native(reply.get("Item", {}))

    def _has_tombstone(self, job_id: str) -> bool:
        with translated():
            reply = self._client.get_item(
                TableName=self._table, Key=_typed({"pk": _TOMBSTONES, "sk": job_id}), ConsistentRead=True
            )
        return "Item" in reply

    def _listing(self, tenant: str, status: str | None) -> dict[str, Any]:
        if status is None:
            attribute, value = "pk", items.partition(tenant)
        else:
            attribute, value = "status_key", items.status_partition(tenant, status)
        return {
            **({} if status is None else {"IndexName": "status"}),
            "KeyConditionExpression": "#partition = :partition",
            "ExpressionAttributeNames": {"#partition": attribute},
            "ExpressionAttributeValues": {":partition": value},
        }

    def _query(self, query: dict[str, Any], *, page_size: int) -> Iterator[Item]:
        """Everything that `query` finds, read as it is consumed."""
        paginator = self._client.get_paginator("query")
        pages = paginator.paginate(TableName=self._table, **_sent(query), PaginationConfig={"PageSize": page_size})
        with translated():
            for page in pages:
                yield from map(_native, page["Items"])


@contextmanager
def _conditional(code: str) -> Iterator[None]:
    """The client error that says "your condition does not hold" is `Conflict`, every other `ServiceUnavailable`."""
    with translated():
        try:
            yield
        except ClientError as error:
            if error_code(error) != code or not _is_about_conditions(error):
                raise
            raise Conflict from error


def _is_about_conditions(error: ClientError) -> bool:
    """A transaction can also be cancelled for other reasons, such as throttling."""
    reasons = error.response.get("CancellationReasons")
    codes = {"ConditionalCheckFailed", "TransactionConflict"}
    return reasons is None or any(reason.get("Code") in codes for reason in reasons)


def _due(item: Item) -> Job | Tombstone | Unreadable:
    try:
        if item["pk"] == _TOMBSTONES:
            return Tombstone(item["tenant"], item["sk"], float(item["final_at"]))
        return items.from_item(item)
    except (KeyError, ValueError, TypeError, AttributeError):
        return Unreadable(str(item["pk"]), str(item["sk"]))


def _key(tenant: str, job_id: str) -> Item:
    return _typed({"pk": items.partition(tenant), "sk": job_id})


def _typed(item: Item) -> Item:
    return {name: _SERIALIZER.serialize(value) for name, value in item.items()}


def _native(item: Item) -> Item:
    return {name: _DESERIALIZER.deserialize(value) for name, value in item.items()}


def _sent(query: dict[str, Any]) -> dict[str, Any]:
    return query | {"ExpressionAttributeValues": _typed(query["ExpressionAttributeValues"])}


def _to_token(job_id: str) -> str:
    return base64.urlsafe_b64encode(job_id.encode()).decode().rstrip("=")


def _from_token(token: str) -> str:
    try:
        job_id = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True).decode()
    except (binascii.Error, ValueError) as error:
        raise InvalidRequest("next_token is not one of ours.", field="next_token") from error
    if not is_id(job_id):
        raise InvalidRequest("next_token is not one of ours.", field="next_token")
    return job_id
