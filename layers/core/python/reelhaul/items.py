"""A job as an item of the table, and back. Pure.

The table's layout: a tenant's jobs lie in one partition, sorted by id and so by age. The index `status` has a partition
for each tenant and status that the first contract knows, the index `due` one for each shard with what the sweeper must
look at, and when. What conditions and indexes need are attributes; all else is one JSON text: a list of thousands of
jobs is read several times as fast as with an attribute for everything. The text has the attributes' values as well.
"""

import dataclasses
import functools
import json
from collections.abc import Callable, Mapping
from typing import Any, TypeVar

from reelhaul.jobs import (
    SCHEMA_VERSION,
    Checkpoint,
    Delivery,
    DeliveryState,
    Job,
    Media,
    Phase,
    Playlist,
    PlaylistItem,
    Progress,
    State,
    StoredExtra,
    StoredObject,
)
from reelhaul.limits import Limits
from reelhaul.options import Clip, Options

DUE_SHARDS = 4  # a partition takes 1,000 writes a second; each running job writes to `due` every few seconds
COUNT_SHARDS = 8  # two transactions on one item at a time exclude each other: so a tenant's counters are several
GRACE_DAYS = 30  # DynamoDB's own removal is for records that the sweeper, which also counts them, has missed
STATUSES = {  # what the first contract calls the states, and what the index `status` is filed under
    State.QUEUED: "processing",
    State.RUNNING: "processing",
    State.EXPANDED: "processing",
    State.DONE: "done",
    State.FAILED: "error",
    State.CANCELLED: "error",
    State.EXPIRED: "error",
}


class NewerSchema(ValueError):
    """The item is a later version's."""


Item = dict[str, Any]  # flat: texts, whole numbers and floats
Wire = dict[str, dict[str, str]]  # as DynamoDB's API has it
T = TypeVar("T")

SHOWN = ("pk", "sk", "schema", "ends_at", "job")  # the attributes that `from_item` and its callers read

_PREFIX_CHARS = len("TENANT#")
_FIELDS = frozenset(field.name for field in dataclasses.fields(Job))
_NUMBERS = (int, float)
_REQUIRED = {"state", "fence", "generation"}  # a default must not stand for these
_CALCULATED = (
    "fence", "generation", "attempts", "sends", "created_at", "updated_at", "retention_days", "completed_at",
    "claimed_at", "spent_s",
)  # fmt: skip
_STATES = {state.value: state for state in State}
_PHASES = {phase.value: phase for phase in Phase}


def partition(tenant: str) -> str:
    return f"TENANT#{tenant}"


def is_partition(key: str) -> bool:
    """Whether the jobs of a tenant lie there."""
    return key.startswith("TENANT#")


def tenant_of(partition: str) -> str:
    """The reverse of `partition`."""
    return partition[_PREFIX_CHARS:]


def status_partition(tenant: str, status: str) -> str:
    return f"TENANT#{tenant}#{status}"


def counts_partition(tenant: str) -> str:
    """A tenant's counters, one item a shard: how many jobs have which status, and the day's use."""
    return f"TENANT#{tenant}#counts"


def gate_partition(tenant: str) -> str:
    """What those go through one after the other who begin jobs with a key that has limits."""
    return f"TENANT#{tenant}#gate"


def express_partition(tenant: str) -> str:
    """Which job of a tenant is in the express lane."""
    return f"TENANT#{tenant}#express"


def grants_partition(tenant: str) -> str:
    """How many items a playlist was granted of the day's jobs."""
    return f"TENANT#{tenant}#grants"


def requests_partition(tenant: str) -> str:
    """The idempotency keys that a tenant has used lately."""
    return f"TENANT#{tenant}#requests"


def sites_partition(tenant: str) -> str:
    """The names of the sites that a tenant has set something for."""
    return f"TENANT#{tenant}#sites"


def count_shard(job_id: str) -> str:
    return str(sum(job_id.encode()) % COUNT_SHARDS)


def count_shards() -> list[str]:
    return [str(shard) for shard in range(COUNT_SHARDS)]


def due_partitions() -> list[str]:
    return [str(shard) for shard in range(DUE_SHARDS)]


def due_keys(job_id: str, due_at: float | None) -> Item:
    """The index attributes of something that has to be looked at; without them it is not in the index."""
    if due_at is None:
        return {}
    return {"due_shard": str(sum(job_id.encode()) % DUE_SHARDS), "due_at": round(due_at, 3)}


def to_item(job: Job) -> Item:
    fields = _said(job)
    del fields["tenant"], fields["id"]
    fields = json.loads(fields.pop("beyond")) | fields
    item = {
        "pk": partition(job.tenant),
        "sk": job.id,
        "schema": SCHEMA_VERSION,
        "state": job.state.value,
        "fence": job.fence,
        "generation": job.generation,
        "status_key": status_partition(job.tenant, STATUSES[job.state]),
        **due_keys(job.id, job.due_at),
        "job": json.dumps(fields, ensure_ascii=False, separators=(",", ":")),
    }
    if job.forgotten_at is not None:
        item["ends_at"] = int(job.forgotten_at)
        item["ttl"] = int(job.forgotten_at) + GRACE_DAYS * 86_400
    return item


def _said(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that have a value. Not those alone that differ from a default: defaults may change."""
    fields = {field.name: _plain(getattr(value, field.name)) for field in dataclasses.fields(value)}
    return {name: given for name, given in fields.items() if given is not None and given != []}


def _plain(value: Any) -> Any:
    if isinstance(value, tuple):
        return [_plain(inner) for inner in value]
    return _said(value) if dataclasses.is_dataclass(value) else value


def from_item(item: Mapping[str, Any]) -> Job:
    """Raises `KeyError`, `TypeError` or `ValueError` for an item that is not a job, `NewerSchema` for a later one's.

    What a later version added within the schema is kept for it, unless it is within one of a job's parts.
    """
    if int(item["schema"]) > SCHEMA_VERSION:
        raise NewerSchema(f"schema {item['schema']} is newer than {SCHEMA_VERSION}")
    fields = json.loads(item["job"])
    if not fields.keys() >= _REQUIRED:
        raise KeyError(*_REQUIRED - fields.keys())
    if any(type(fields.get(name, 0)) not in _NUMBERS for name in _CALCULATED):
        raise TypeError("there is something else where a number should be")
    for name, read in _READERS.items():
        if name in fields:
            fields[name] = read(fields[name])
    fields.setdefault("name", None)
    fields["id"], fields["tenant"] = item["sk"], item["pk"][_PREFIX_CHARS:]
    unknown = fields.keys() - _FIELDS
    if unknown:
        fields["beyond"] = json.dumps({name: fields.pop(name) for name in sorted(unknown)})
    return _made(Job, fields)


def is_consistent(item: Mapping[str, Any], job: Job) -> bool:
    """Whether the attributes that conditions compare are those of the `job` in the item's text."""
    return (item.get("state"), item.get("fence"), item.get("generation")) == (job.state, job.fence, job.generation)


def _made(kind: type[T], fields: dict[str, Any]) -> T:
    try:
        return kind(**fields)
    except TypeError:  # the rare case, so that the common one stays quick
        known = {field.name for field in dataclasses.fields(kind)}  # type: ignore[arg-type]  # all of ours are dataclasses
        return kind(**{name: value for name, value in fields.items() if name in known})


def _progress(fields: dict[str, Any]) -> Progress:
    fields["phase"] = _PHASES[fields["phase"]]
    return _made(Progress, fields)


def _checkpoint(fields: dict[str, Any]) -> Checkpoint:
    if fields.get("media") is not None:
        fields["media"] = _made(Media, fields["media"])
    return _made(Checkpoint, fields)


def _delivery(fields: dict[str, Any]) -> Delivery:
    fields["state"] = DeliveryState(fields["state"])
    return _made(Delivery, fields)


def _options(fields: dict[str, Any]) -> Options:
    if "clip" in fields:
        fields["clip"] = _made(Clip, fields["clip"])
    if "subtitles" in fields:
        fields["subtitles"] = tuple(fields["subtitles"])
    return _made(Options, fields)


_READERS: dict[str, Callable[[Any], Any]] = {
    "state": _STATES.__getitem__,
    "media": functools.partial(_made, Media),
    "stored": functools.partial(_made, StoredObject),
    "playlist": functools.partial(_made, Playlist),
    "item": functools.partial(_made, PlaylistItem),
    "limits": functools.partial(_made, Limits),
    "checkpoint": _checkpoint,
    "progress": _progress,
    "options": _options,
    "extras": lambda extras: tuple(_made(StoredExtra, extra) for extra in extras),
    "webhook": _delivery,
}


def to_wire(item: Mapping[str, Any]) -> Wire:
    """`item` in the form of DynamoDB's API. boto3's own serialiser is for nested items, and much slower."""
    return {name: {"S": value} if isinstance(value, str) else {"N": str(value)} for name, value in item.items()}


def from_wire(wire: Mapping[str, Mapping[str, Any]]) -> Item:
    """What `to_wire` was given. Of attributes that are neither text nor number, which are not ours, only the name."""
    return {name: _value(typed) for name, typed in wire.items()}


def _value(typed: Mapping[str, Any]) -> str | int | float | None:
    if "S" in typed:
        return str(typed["S"])
    number = str(typed.get("N", ""))
    if not number:
        return None
    return float(number) if "." in number or "e" in number.lower() else int(number)
