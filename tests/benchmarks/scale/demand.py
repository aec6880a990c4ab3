"""What one job asks of each part. Its writes are counted while the real code writes them."""

import dataclasses
import json
import logging
import time
from collections.abc import Callable, Mapping
from typing import Any, Self

from downloader.lease import BEAT_S
from reelhaul import aws, items, steps
from reelhaul.express import ExpressLane
from reelhaul.options import DownloadRequest, Options
from reelhaul.queue import JobQueue
from reelhaul.submit import submit
from tests.benchmarks import cost
from tests.conftest import Cloud, installed
from tests.jobs_in import MEDIA, PROGRESS, extra, stored

_KB = 1024
_INDEXES = {"due": ("due_shard", "due_at"), "status": ("status_key", "sk")}
_URL = "https://media.example/" + "a" * 64


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Writes:
    """Write request units: of the whole table, of the tenant's one busy partition, of each index.

    An item costs one unit a KB, within a transaction two (DynamoDB, "Capacity unit consumption"). An index is charged
    for the item that goes and for the one that comes where its key has changed, else for one (DynamoDB, "Using global
    secondary indexes", write considerations).
    """

    table: int = 0
    tenant: int = 0
    due: int = 0
    status: int = 0

    def __add__(self, other: Self) -> "Writes":
        return Writes(**{name: getattr(self, name) + getattr(other, name) for name in self.__dataclass_fields__})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Demand:
    """Of one job: `seconds` on a worker, `size_mb` stored. `beat_s`: a running job writes `beat` as often."""

    seconds: float
    size_mb: float
    create: Writes
    claim: Writes
    beat: Writes
    complete: Writes
    beat_s: float = BEAT_S

    @property
    def puts(self) -> float:
        """Requests to S3 that count as PUT."""
        return cost.puts(self.size_mb)

    def writes(self, what: str) -> float:
        """All units of a job, of one field of `Writes`."""
        once = self.create + self.claim + self.complete
        return float(getattr(once, what) + self.seconds / self.beat_s * getattr(self.beat, what))


def of_a_job(*, seconds: float, size_mb: float) -> Demand:
    """A job is taken from submission to its end, on moto, by the code that is deployed. Takes a second or two."""
    logging.getLogger("botocore.credentials").setLevel(logging.WARNING)
    with installed() as cloud:
        counted = _counted(cloud)
    create, claim, beat, complete = (counted[name] for name in ("create", "claim", "beat", "complete"))
    return Demand(seconds=seconds, size_mb=size_mb, create=create, claim=claim, beat=beat, complete=complete)


def _counted(cloud: Cloud) -> dict[str, Writes]:
    client, counter, counted = aws.client("dynamodb"), _Counter(), {}
    client.meta.events.register("provide-client-params.dynamodb", counter.see)
    lane = ExpressLane(cloud.store, JobQueue(aws.client("sqs"), cloud.express_queue_url))
    request = DownloadRequest(url=_URL, name=None, options=Options())

    def measured(name: str, act: Callable[[], Any]) -> Any:
        counter.writes = Writes()
        result = act()
        counted[name] = counter.writes
        return result

    now, store = time.time(), cloud.store
    try:
        job = measured(
            "create",
            lambda: submit(
                request, tenant="acme", retention_days=7, store=store, queue=cloud.queue, express=lane, log=print
            ),
        )
        job = measured("claim", lambda: store.swap(job, steps.claim(job, now=now + 1)))
        job = measured("beat", lambda: store.swap(job, steps.beat(job, PROGRESS, now=now + 3)))
        done = steps.complete(job, MEDIA, stored(job), extras=(extra(job),), now=now + 5)
        measured("complete", lambda: store.swap(job, done))
    finally:
        client.meta.events.unregister("provide-client-params.dynamodb", counter.see)
    return counted


class _Counter:
    """Sees every call before it is sent."""

    def __init__(self) -> None:
        self.writes = Writes()
        self._items: dict[tuple[str, str], items.Item] = {}

    def see(self, params: Mapping[str, Any], **_: Any) -> None:
        for operation in params.get("TransactItems", ()):
            ((kind, inner),) = operation.items()
            if kind != "Get":
                self._write(inner, factor=2)
        if "Item" in params:
            self._write(params, factor=1)

    def _write(self, operation: Mapping[str, Any], *, factor: int) -> None:
        """A counter's item is small, whatever it is added to."""
        new = items.from_wire(operation.get("Item", operation.get("Key")))
        place = (str(new["pk"]), str(new["sk"]))
        old = self._items.get(place)
        indexed = {name: _index_units(old, new, keys) for name, keys in _INDEXES.items() if "Item" in operation}
        busy = items.is_partition(place[0]) and place[0].count("#") == 1
        units = factor * max(_units(new), _units(old) if old else 0)
        self.writes += Writes(table=units, tenant=units if busy else 0, **indexed)
        self._items[place] = new


def _index_units(old: items.Item | None, new: items.Item, keys: tuple[str, str]) -> int:
    was, now = ([item.get(key) for key in keys] if item else [None] for item in (old, new))
    went = _units(old) if old and None not in was and was != now else 0
    return went + (_units(new) if None not in now else 0)


def _units(item: items.Item) -> int:
    """Size: names and values as UTF-8, numbers less (DynamoDB, "Item sizes and formats")."""
    size = sum(len(name) + len(value if isinstance(value, str) else json.dumps(value)) for name, value in item.items())
    return -(-size // _KB)
