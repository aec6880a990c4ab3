"""What tenants use in a day, as told from every change that there ever was: what their counters have to say."""

import collections
import datetime

from reelhaul import items
from reelhaul.jobs import Job
from reelhaul.limits import Limits
from tests import counters
from tests.conftest import Cloud

# Of one tenant, and low enough to be met.
LIMITS = {"beta": Limits(max_concurrent_jobs=3, max_jobs_per_day=3, max_bytes_per_day=400)}
_GRANTED_FOR_S = 7 * 86_400  # from the grant to the end of its record
_KEPT_DAYS = 2  # what is older goes when the shard is written to


def _day(at: float) -> int:
    return datetime.datetime.fromtimestamp(at, datetime.UTC).toordinal()


class Use:
    def __init__(self) -> None:
        self._used: collections.Counter[tuple[str, str, str, int]] = collections.Counter()
        self._last_days: dict[tuple[str, str], int] = collections.defaultdict(int)  # of what was counted in a shard

    def changed(self, before: Job | None, after: Job | None) -> None:
        """A job was written or removed."""
        if after is None:
            return
        if before is None or after.generation > before.generation:
            is_granted = after.item is not None and after.generation == 1 and after.limits is not None
            self._count(after, "jobs", 0 if is_granted else 1, at=after.updated_at)
        if after.stored is not None and (before is None or before.stored is None):
            sizes = [after.stored.size, *(extra.size for extra in after.extras)]
            self._count(after, "bytes", sum(sizes), at=after.updated_at)

    def granted(self, tenant: str, record: items.Item) -> None:
        """A playlist was granted its items before they are there."""
        at = record["ttl"] - _GRANTED_FOR_S
        self._used[tenant, items.count_shard(record["sk"].split()[0]), "jobs", _day(at)] += record["jobs"]
        self._last_days[tenant, items.count_shard(record["sk"].split()[0])] = _day(at)

    def _count(self, job: Job, what: str, number: int, *, at: float) -> None:
        shard = items.count_shard(job.id)
        if number:
            self._used[job.tenant, shard, what, _day(at)] += number
            self._last_days[job.tenant, shard] = max(_day(at), self._last_days[job.tenant, shard])

    def differences(self, cloud: Cloud) -> list[str]:
        """Where the days' counters are not the truth, and where more was begun than the limits allow."""
        told = _told(cloud)
        used = {key: number for key, number in self._used.items() if key in told or not self._is_dropped(key)}
        wrong = [
            f"{tenant}: in shard {shard} the {what} of day {day} are {used.get(key, 0)}, and not {told.get(key, 0)}"
            for key in sorted({*used, *told})
            if used.get(key, 0) != told.get(key, 0)
            for tenant, shard, what, day in [key]
        ]
        return wrong + self._beyond_limits()

    def _is_dropped(self, key: tuple[str, str, str, int]) -> bool:
        tenant, shard, _, day = key
        return day <= self._last_days[tenant, shard] - _KEPT_DAYS

    def _beyond_limits(self) -> list[str]:
        begun: collections.Counter[tuple[str, int]] = collections.Counter()
        for (tenant, _, what, day), number in self._used.items():
            begun[tenant, day] += number if what == "jobs" else 0
        return [
            f"{tenant} began {number} jobs on day {day}"
            for (tenant, day), number in begun.items()
            if tenant in LIMITS and number > (LIMITS[tenant].max_jobs_per_day or 0)
        ]


def _told(cloud: Cloud) -> dict[tuple[str, str, str, int], int]:
    """By tenant, shard, what is counted, and day."""
    told = {}
    for item in counters.all_items(cloud):
        if not item["pk"].endswith("#counts"):
            continue
        for name, number in item.items():
            what, _, day = name.partition("_")
            if what in {"jobs", "bytes"} and number:
                at = datetime.datetime.strptime(day, "%Y%m%d").replace(tzinfo=datetime.UTC)
                told[items.tenant_of(item["pk"]).partition("#")[0], item["sk"], what, at.toordinal()] = int(number)
    return told
