"""A job as an item of the table, and back. Pure.

The table's layout: a tenant's jobs lie in one partition, sorted by id and so by age. The index `status` has a partition
for each tenant and status that the first contract knows, the index `due` one for each shard with what the sweeper must
look at, and when.
"""

import dataclasses
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from reelhaul.jobs import SCHEMA_VERSION, Job, Media, Phase, Progress, State, StoredObject

DUE_SHARDS = (
    4  # a partition of an index takes 1,000 writes a second; each running job writes to `due` every few seconds
)
RECORD_DAYS = 90  # how long a job is remembered after it ended
STATUSES = {  # what the first contract calls the states, and what the index `status` is filed under
    State.QUEUED: "processing",
    State.RUNNING: "processing",
    State.DONE: "done",
    State.FAILED: "error",
    State.CANCELLED: "error",
    State.EXPIRED: "error",
}

Item = dict[str, Any]  # in boto3's plain form, floats as Decimal


def partition(tenant: str) -> str:
    return f"TENANT#{tenant}"


def status_partition(tenant: str, status: str) -> str:
    return f"TENANT#{tenant}#{status}"


def due_partitions() -> list[str]:
    return [str(shard) for shard in range(DUE_SHARDS)]


def due_keys(job_id: str, due_at: float | None) -> Item:
    """The index attributes of something that has to be looked at; without them it is not in the index."""
    if due_at is None:
        return {}
    return {"due_shard": str(sum(job_id.encode()) % DUE_SHARDS), "due_at": _plain(due_at)}


def to_item(job: Job) -> Item:
    item = {name: _plain(value) for name, value in dataclasses.asdict(job).items() if value is not None}
    del item["tenant"], item["id"]
    item.pop("due_at", None)
    item |= {
        "pk": partition(job.tenant),
        "sk": job.id,
        "schema": SCHEMA_VERSION,
        "status_key": status_partition(job.tenant, STATUSES[job.state]),
        **due_keys(job.id, job.due_at),
    }
    if job.completed_at is not None:
        item["ttl"] = int(job.completed_at) + (job.retention_days + RECORD_DAYS) * 86_400
    return item


def from_item(item: Mapping[str, Any]) -> Job:
    """Raises `KeyError` or `ValueError` for an item that is not a job of a schema we know."""
    if int(item["schema"]) > SCHEMA_VERSION:
        raise ValueError(f"schema {item['schema']} is newer than {SCHEMA_VERSION}")
    fields = {field.name: _native(item[field.name]) for field in dataclasses.fields(Job) if field.name in item}
    progress = dict(fields.get("progress") or {})
    progress["phase"] = Phase(progress.get("phase", Phase.FETCHING))
    return Job(
        **{"name": None}  # an attribute without a value is not stored
        | fields
        | {
            "id": item["sk"],
            "tenant": item["pk"].removeprefix("TENANT#"),
            "state": State(item["state"]),
            "progress": Progress(**progress),
            "media": Media(**fields["media"]) if fields.get("media") else None,
            "stored": StoredObject(**fields["stored"]) if fields.get("stored") else None,
        }
    )


def _plain(value: Any) -> Any:
    if isinstance(value, bool) or value is None:
        return value
    if isinstance(value, float):
        return Decimal(str(round(value, 3)))
    if isinstance(value, dict):
        return {name: _plain(inner) for name, inner in value.items() if inner is not None}
    return str(value) if isinstance(value, str) else value


def _native(value: Any) -> Any:
    if isinstance(value, Decimal):
        return int(value) if value == value.to_integral_value() else float(value)
    if isinstance(value, dict):
        return {name: _native(inner) for name, inner in value.items()}
    return value
