"""The same by division: how many submissions a minute each part takes, and what to raise for more."""

import dataclasses
import math

from tests.benchmarks.scale.demand import Demand
from tests.benchmarks.scale.quotas import MOST_WORKERS, Installation

ROOM = 0.8  # of what there is that is planned with: beyond that waits grow quickly, and loads are never even


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Capacity:
    """`per_minute`: how many submissions. `much` is what there is of it, and where that comes from."""

    name: str
    what: str
    much: str
    per_minute: float
    more: str


def requests(here: Installation, demand: Demand) -> float:
    """Of one job to the API: its submission, and status requests, each held as long as may be."""
    return 1 + math.ceil(demand.seconds / here.hold_s)


def capacities(here: Installation, demand: Demand) -> list[Capacity]:
    """The smallest first: it is what saturates first, if all that a job asks for is what it asks of a free system."""
    quotas = here.quotas
    concurrency = 2 * demand.seconds  # its worker, and somebody who waits for it
    rows = [
        ("workers", "workers", f"{here.workers}", here.workers / demand.seconds, "`worker_concurrency`, to 1,000"),
        ("requests", "requests to the API", f"{here.api_rate:,.0f} a second",
         here.api_rate / requests(here, demand), "`throttle_rate`, `throttle_burst`; to 10,000, the account's quota"),
        ("lambda", "functions at once, workers and status requests held", f"{here.lambda_concurrency:,}",
         here.lambda_concurrency / concurrency, "the account's quota of Lambda"),
        ("table", "writes to the table", f"{here.table_writes:,} a second", here.table_writes / demand.writes("table"),
         "`MAX_WRITES` in `infra/jobs_table.py`"),
        ("due", "writes to the sweeper's index", f"{here.due_writes:,} a second",
         here.due_writes / demand.writes("due"), "the same, and `DUE_SHARDS`"),
        ("tenant", "writes of one tenant", f"{quotas.partition_writes:,} a second",
         here.tenants * quotas.partition_writes / demand.writes("tenant"), "nothing: a partition of DynamoDB's"),
        ("puts", "parts into S3, of one tenant", f"{quotas.bucket_puts:,} a second",
         here.tenants * quotas.bucket_puts / demand.puts, "S3 does, by itself"),
        ("in_flight", "messages in flight", f"{quotas.queue_in_flight:,}", quotas.queue_in_flight / demand.seconds,
         "nothing need be"),
    ]  # fmt: skip
    found = [
        Capacity(name=name, what=what, much=much, per_minute=60 * per_s, more=more)
        for name, what, much, per_s, more in rows
    ]
    return sorted(found, key=lambda one: one.per_minute)


def stacks_for(here: Installation, demand: Demand, *, per_minute: float) -> int:
    """How many stacks share the load, as no settings make one large enough."""
    most = dataclasses.replace(here, workers=MOST_WORKERS)
    bounds = {one.name: one.per_minute for one in capacities(most, demand)}
    least = min(bounds[name] for name in ("workers", "table", "due", "tenant"))
    return math.ceil(per_minute / (ROOM * least))


def raised(here: Installation, demand: Demand, *, per_minute: float) -> Installation:
    """One of the stacks of `stacks_for`, with as much of everything as its share takes, and never less than `here`."""
    per_s = per_minute / 60 / stacks_for(here, demand, per_minute=per_minute) / ROOM
    workers = math.ceil(per_s * demand.seconds)
    rate = math.ceil(per_s * requests(here, demand))
    return dataclasses.replace(
        here,
        workers=max(here.workers, min(MOST_WORKERS, workers)),
        api_rate=max(here.api_rate, rate),
        api_burst=max(here.api_burst, 2 * rate),
        # Beside the workers: those who wait, also while the first minutes' backlog is worked off.
        lambda_concurrency=max(here.lambda_concurrency, _hundreds(4 * per_s * demand.seconds)),
    )


def _hundreds(number: float) -> int:
    return math.ceil(number / 100) * 100
