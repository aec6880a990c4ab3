"""Submissions over time against everything that bounds an installation. A seed gives the same run again.

Clients ask once, and then hold one status request after the other until their job has ended. One that is refused by
the API is gone, a status request that is refused comes again, more and more slowly. Left out is what would make no
difference here: retries of failed jobs, the sweeper, webhooks. What DynamoDB or S3 throttle is taken to wait for its
turn, though the SDK tries it again at random: as much gets through.
"""

import dataclasses
import random
import statistics
from collections.abc import Callable
from typing import Any

import simpy

from tests.benchmarks.scale.demand import Demand, Writes
from tests.benchmarks.scale.parts import Bucket, Places, pollers
from tests.benchmarks.scale.quotas import Installation

_SUBMIT_S = 0.15  # of create_download and the authorizer; warm they take a tenth
_AGAIN_S, _LATEST_AGAIN_S = 5.0, 60.0  # after a status request that was refused; doubles
_SPREAD = 10  # the shape of the times that jobs take, a gamma distribution: two thirds within a third of the mean

Draw = Callable[[random.Random], float]


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Of `minutes` of submissions, all numbers of jobs but those with a unit. `use`: mean share of what there is, of
    the last third of the time, by the names of `paper.capacities`. Waits are from submission to a worker.
    """

    minutes: float
    submitted: int
    refused: int
    done: int
    running: int
    waiting: int
    done_late: int  # within the last third, as are
    refused_late: int
    submitted_late: int
    waits_s: tuple[float, ...]
    stays_s: tuple[float, ...]  # from submission to the end
    mean_in_system: float
    status_refused: int
    in_flight: int  # the most that were, in the queue's sense
    use: dict[str, float]

    @property
    def done_per_minute(self) -> float:
        return self.done_late / (self.minutes / 3)

    @property
    def refused_share(self) -> float:
        return self.refused_late / max(1, self.submitted_late)

    @property
    def median_wait_s(self) -> float:
        return statistics.median(self.waits_s) if self.waits_s else 0.0


def run(
    here: Installation, demand: Demand, *, per_minute: float, minutes: float, seed: int, seconds: Draw | None = None
) -> Outcome:
    """Simulate. Jobs take `seconds`, or what the demand says, more or less."""
    return _Run(here, demand, per_minute=per_minute, minutes=minutes, seed=seed, seconds=seconds).outcome()


class _Run:
    def __init__(
        self,
        here: Installation,
        demand: Demand,
        *,
        per_minute: float,
        minutes: float,
        seed: int,
        seconds: Draw | None,
    ) -> None:
        self._here, self._demand, self._until = here, demand, minutes * 60
        self._random = random.Random(seed)  # noqa: S311 - protects nothing
        self._seconds = seconds or (lambda chance: chance.gammavariate(_SPREAD, demand.seconds / _SPREAD))
        self._every_s = 60 / per_minute
        env = self._env = simpy.Environment()
        quotas = here.quotas
        self._api = Bucket(env, rate=here.api_rate, burst=here.api_burst)
        self._lambda = Places(env, limit=here.lambda_concurrency)
        self._environments = Bucket(env, rate=quotas.lambda_environments, burst=quotas.lambda_environments_at_once)
        self._status = Places(env, limit=here.lambda_concurrency)
        self._warm = 0
        self._workers = Places(env, limit=min(quotas.pollers_at_first, here.workers))
        self._table = _rate(env, here.table_writes)
        self._due = _rate(env, here.due_writes)
        self._partitions = [_rate(env, quotas.partition_writes) for _ in range(here.tenants)]
        self._puts = [_rate(env, quotas.bucket_puts) for _ in range(here.tenants)]
        self._submitted = self._refused = self._done = self._in_system = 0
        self._area, self._since = 0.0, 0.0
        self._waits: list[float] = []
        self._stays: list[float] = []
        self._begun: list[int] = [0] * here.tenants

    def outcome(self) -> Outcome:
        env, here = self._env, self._here
        env.process(pollers(env, self._workers, most=here.workers, added_per_s=here.quotas.pollers_added))
        env.process(self._arrivals())
        env.process(self._beats())
        env.run(until=self._until * 2 / 3)
        done, refused, submitted, before = self._done, self._refused, self._submitted, self._taken()
        env.run(until=self._until)
        self._moved(0)
        third = self._until / 3
        return Outcome(
            minutes=self._until / 60,
            submitted=self._submitted,
            refused=self._refused,
            done=self._done,
            running=sum(self._begun),
            waiting=self._submitted - self._refused - self._done - sum(self._begun),
            done_late=self._done - done,
            refused_late=self._refused - refused,
            submitted_late=self._submitted - submitted,
            waits_s=tuple(self._waits),
            stays_s=tuple(self._stays),
            mean_in_system=self._area / self._until,
            status_refused=self._status.refused,
            in_flight=self._workers.most,
            use={name: (taken - before[name]) / third / most for name, (taken, most) in self._used().items()},
        )

    def _used(self) -> dict[str, tuple[float, float]]:
        """What was taken of each until now, and how much of it there is in a second."""
        here, quotas = self._here, self._here.quotas
        return {
            "workers": (self._workers.place_seconds(), here.workers),
            "requests": (self._api.taken, here.api_rate),
            "lambda": (self._lambda.place_seconds(), here.lambda_concurrency),
            "table": (self._table.taken, here.table_writes),
            "due": (self._due.taken, here.due_writes),
            "tenant": (max(one.taken for one in self._partitions), quotas.partition_writes),
            "puts": (max(one.taken for one in self._puts), quotas.bucket_puts),
            "in_flight": (self._workers.place_seconds(), quotas.queue_in_flight),
        }

    def _taken(self) -> dict[str, float]:
        return {name: taken for name, (taken, _) in self._used().items()}

    def _arrivals(self) -> Any:
        while True:
            yield self._env.timeout(self._random.expovariate(1 / self._every_s))
            self._env.process(self._submission(self._random.randrange(self._here.tenants)))

    def _submission(self, tenant: int) -> Any:
        self._submitted += 1
        if not self._api.take() or not self._lambda.enter():
            self._refused += 1
            return
        self._moved(1)
        began, ended = self._env.now, self._env.event()
        yield from self._write(self._demand.create, tenant)
        self._env.process(self._job(tenant, began, ended))
        yield self._env.timeout(_SUBMIT_S)
        self._lambda.leave()
        yield from self._look(ended)

    def _look(self, ended: simpy.Event) -> Any:
        """The client, until its job has ended."""
        pause_s = _AGAIN_S
        while not ended.triggered:
            if not self._api.take() or not self._enter_status():
                yield self._env.timeout(pause_s)
                pause_s = min(_LATEST_AGAIN_S, 2 * pause_s)
                continue
            pause_s = _AGAIN_S
            yield ended | self._env.timeout(self._here.hold_s)
            self._status.leave()
            self._lambda.leave()

    def _enter_status(self) -> bool:
        """Of the account's concurrency, and if no environment of the function is idle, a new one."""
        if (self._status.used >= self._warm and not self._environments.take()) or not self._lambda.enter():
            self._status.refused += 1
            return False
        self._status.enter()
        self._warm = max(self._warm, self._status.used)
        return True

    def _job(self, tenant: int, began: float, ended: simpy.Event) -> Any:
        yield self._workers.wait()
        yield self._lambda.wait()
        self._waits.append(self._env.now - began)
        self._begun[tenant] += 1
        yield from self._write(self._demand.claim, tenant)
        delay = self._puts[tenant].owe(self._demand.puts)
        yield self._env.timeout(self._seconds(self._random) + delay)
        yield from self._write(self._demand.complete, tenant)
        self._begun[tenant] -= 1
        self._lambda.leave()
        self._workers.leave()
        self._moved(-1)
        self._done += 1
        self._stays.append(self._env.now - began)
        ended.succeed()

    def _beats(self) -> Any:
        """Heartbeats of all running jobs, once a second. They make others wait; that they do themselves ends no job."""
        while self._demand.beat != Writes():
            yield self._env.timeout(1)
            share, beat = 1 / self._demand.beat_s, self._demand.beat
            for tenant, begun in enumerate(self._begun):
                self._partitions[tenant].owe(begun * share * beat.tenant)
            self._table.owe(sum(self._begun) * share * beat.table)
            self._due.owe(sum(self._begun) * share * beat.due)

    def _write(self, writes: Writes, tenant: int) -> Any:
        delay = max(
            self._table.owe(writes.table), self._due.owe(writes.due), self._partitions[tenant].owe(writes.tenant)
        )
        if delay:
            yield self._env.timeout(delay)

    def _moved(self, by: int) -> None:
        self._area += self._in_system * (self._env.now - self._since)
        self._since = self._env.now
        self._in_system += by


def _rate(env: simpy.Environment, per_s: float) -> Bucket:
    return Bucket(env, rate=per_s, burst=per_s)
