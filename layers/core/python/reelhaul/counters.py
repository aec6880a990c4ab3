"""What is counted of a tenant's jobs, written in the same transaction as that which is counted.

There is nothing to be counted anew after a crash: no count is without its job's state, and no state without its count.
A tenant's counters are several items, of which each job moves one. Each has how many jobs have which status, how many
of those that are under way are `items` of a playlist, and of the last days of UTC the jobs that were begun and the
bytes that were stored, as `jobs_20261122` and `bytes_20261122`. What is not there is 0.

Who begins a job with limits passes the tenant's gate: a version that each who passes raises. So of two who have seen
the same counts one comes too late. Without limits nobody goes near it.
"""

import collections
import datetime

from reelhaul import items
from reelhaul.items import Item
from reelhaul.jobs import Job
from reelhaul.limits import Usage, check
from reelhaul.table import Operation, Table

_GATE = "GATE"
_UNDER_WAY = "processing"
_GRANT_DAYS = 7  # longer than any message of a playlist's lives
# Old days go whenever a day is written to. Yesterday stays, for clocks that differ. Who was away for more than a week
# leaves two numbers behind.
_DROPPED_DAYS = range(2, 9)


class Counters:
    def __init__(self, table: Table) -> None:
        self._table = table

    def changes(self, before: Job | None, after: Job | None) -> list[Operation]:
        """What has to be written with a job that was `before` and becomes `after`. `None`: there is no such job."""
        job = after or before
        steps = _steps(before, after)
        return [] if job is None or not steps else [self._addition(job, steps, now=job.updated_at)]

    def statuses(self, tenant: str) -> dict[str, int]:
        """How many jobs have which status."""
        query = {
            "KeyConditionExpression": "pk = :counts",
            "ExpressionAttributeValues": {":counts": items.counts_partition(tenant)},
            "ConsistentRead": True,
        }
        shards = list(self._table.query(query, page_size=items.COUNT_SHARDS))
        return {status: _sum(shards, status) for status in dict.fromkeys(items.STATUSES.values())}

    def usage(self, tenant: str, *, now: float) -> Usage:
        """What the tenant has used of the day of `now`."""
        return self._seen(tenant, now=now)[0]

    def admit(self, before: Job | None, after: Job) -> list[Operation]:
        """What has to be written with a job that begins within its limits. Raises `LimitReached`.

        That is nothing for a job that has none, or that does not begin, and for a playlist's item: see `grant`.
        """
        if not after.limits or not _begins(before, after) or _is_new_item(after):
            return []
        usage, version = self._seen(after.tenant, now=after.updated_at)
        check(after.limits, usage, takes_place=after.item is None, now=after.updated_at)
        return [self._passing(after.tenant, version)]

    def has_moved(self, tenant: str, passing: list[Operation]) -> bool:
        """Whether somebody else has passed the gate since `admit` gave out `passing`."""
        return passing != [self._passing(tenant, _version(self._table.read(items.gate_partition(tenant), _GATE)))]

    def grant(self, playlist: Job, wanted: int, *, fingerprint: str, now: float) -> int:
        """How many of `wanted` items may begin, and count them. Once granted is granted, for each `fingerprint`.

        Raises `Conflict` when others were faster: ask again.
        """
        most = playlist.limits.max_jobs_per_day if playlist.limits else None
        if most is None or wanted == 0:
            return wanted
        place = {"pk": items.grants_partition(playlist.tenant), "sk": f"{playlist.id} {fingerprint}"}
        known = self._table.read(place["pk"], place["sk"])
        if known:
            return int(known["jobs"])
        usage, version = self._seen(playlist.tenant, now=now)
        granted = max(0, min(wanted, most - usage.jobs_today))
        if granted:
            record = {**place, "jobs": granted, "ttl": int(now) + _GRANT_DAYS * 86_400}
            self._table.write(
                self._table.put(record, "attribute_not_exists(pk)"),
                self._addition(playlist, {_jobs_of(now): granted}, now=now),
                self._passing(playlist.tenant, version),
            )
        return granted

    def _seen(self, tenant: str, *, now: float) -> tuple[Usage, int]:
        """The usage, and the gate's version that goes with it."""
        places = [(items.counts_partition(tenant), shard) for shard in items.count_shards()]
        gate, *shards = self._table.snapshot((items.gate_partition(tenant), _GATE), *places)
        usage = Usage(
            open_jobs=_sum(shards, _UNDER_WAY) - _sum(shards, "items"),
            jobs_today=_sum(shards, _jobs_of(now)),
            bytes_today=_sum(shards, _bytes_of(now)),
        )
        return usage, _version(gate)

    def _passing(self, tenant: str, version: int) -> Operation:
        gate = {"pk": items.gate_partition(tenant), "sk": _GATE, "version": version + 1}
        if version == 0:
            return self._table.put(gate, "attribute_not_exists(pk)")
        return self._table.put(gate, "#version = :version", {":version": version})

    def _addition(self, job: Job, steps: dict[str, int], *, now: float) -> Operation:
        is_of_day = not {_jobs_of(now), _bytes_of(now)}.isdisjoint(steps)
        days = [now - 86_400 * days for days in _DROPPED_DAYS] if is_of_day else []
        return self._table.addition(
            items.counts_partition(job.tenant),
            items.count_shard(job.id),
            steps,
            dropped=[name(day) for day in days for name in (_jobs_of, _bytes_of)],
        )


def _steps(before: Job | None, after: Job | None) -> dict[str, int]:
    """By how much which number of the job's shard moves."""
    steps: collections.Counter[str] = collections.Counter()
    for job, step in ((before, -1), (after, 1)):
        if job is not None:
            status = items.STATUSES[job.state]
            steps[status] += step
            if status == _UNDER_WAY and job.item is not None and job.item.counted_apart:
                steps["items"] += step
    if after is not None and _begins(before, after) and not _is_granted(after):
        steps[_jobs_of(after.updated_at)] += 1
    if after is not None and after.stored is not None and (before is None or before.stored is None):
        steps[_bytes_of(after.updated_at)] += after.stored.size + sum(extra.size for extra in after.extras)
    return {name: step for name, step in steps.items() if step}


def _begins(before: Job | None, after: Job) -> bool:
    """Created, or asked for again."""
    return before is None or after.generation > before.generation


def _is_new_item(job: Job) -> bool:
    return job.item is not None and job.generation == 1


def _is_granted(job: Job) -> bool:
    """An item that was counted before it was made: see `Counters.grant`."""
    return _is_new_item(job) and job.limits is not None and job.limits.max_jobs_per_day is not None


def _jobs_of(now: float) -> str:
    return f"jobs_{_day(now)}"


def _bytes_of(now: float) -> str:
    return f"bytes_{_day(now)}"


def _day(now: float) -> str:
    return datetime.datetime.fromtimestamp(now, datetime.UTC).strftime("%Y%m%d")


def _version(gate: Item) -> int:
    return int(gate.get("version", 0))


def _sum(shards: list[Item], name: str) -> int:
    return sum(int(shard.get(name, 0)) for shard in shards)
