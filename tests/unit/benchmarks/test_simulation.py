"""The simulation against what queueing theory knows, on cases that are simple enough for it."""

import dataclasses
import math

import pytest
import simpy

from infra.settings import Settings
from tests.benchmarks.scale import paper
from tests.benchmarks.scale.demand import Demand, Writes
from tests.benchmarks.scale.parts import Bucket, Places, pollers
from tests.benchmarks.scale.quotas import Installation, Quotas
from tests.benchmarks.scale.simulation import Outcome, run

NOTHING = Writes()
SECONDS = 10.0
FREE = Demand(seconds=SECONDS, size_mb=0, create=NOTHING, claim=NOTHING, beat=NOTHING, complete=NOTHING)
BOUNDLESS = Quotas(
    lambda_environments=1e9, lambda_environments_at_once=10**9, pollers_at_first=10**6, partition_writes=10**9,
    bucket_puts=10**9,
)  # fmt: skip
LARGE = Installation(
    workers=10**6, api_rate=1e9, api_burst=1e9, lambda_concurrency=10**9, table_writes=10**9, hold_s=1e9,
    quotas=BOUNDLESS,
)  # fmt: skip


def erlang_c(servers: int, offered: float) -> float:
    """The probability of having to wait in M/M/c, `offered` in Erlang. By Erlang B's recursion (Cooper 1981, 3.5)."""
    blocked = 1.0
    for number in range(1, servers + 1):
        blocked = offered * blocked / (number + offered * blocked)
    return servers * blocked / (servers - offered * (1 - blocked))


def of(demand: Demand, *, per_minute: float, minutes: float = 120, seed: int = 1, **bounds: float) -> Outcome:
    here = dataclasses.replace(LARGE, **bounds)  # type: ignore[arg-type]  # of the fields' types, all numbers
    return run(
        here, demand, per_minute=per_minute, minutes=minutes, seed=seed,
        seconds=lambda chance: chance.expovariate(1 / SECONDS),
    )  # fmt: skip


@pytest.mark.parametrize(("workers", "use"), [(1, 0.5), (4, 0.8), (20, 0.8)])
def test_wait_for_a_worker_is_erlangs(workers: int, use: float) -> None:
    per_s = use * workers / SECONDS
    runs = [of(FREE, per_minute=60 * per_s, minutes=2000 / workers, workers=workers, seed=seed) for seed in range(4)]
    waits = [wait for one in runs for wait in one.waits_s]
    theory = erlang_c(workers, use * workers) * SECONDS / (workers * (1 - use))
    assert math.fsum(waits) / len(waits) == pytest.approx(theory, rel=0.2)
    assert sum(wait > 0 for wait in waits) / len(waits) == pytest.approx(erlang_c(workers, use * workers), rel=0.1)


def test_as_many_are_in_the_system_as_littles_law_says() -> None:
    seen = of(FREE, per_minute=40, workers=8)
    arrived_per_s = seen.submitted / (seen.minutes * 60)
    assert seen.mean_in_system == pytest.approx(arrived_per_s * sum(seen.stays_s) / len(seen.stays_s), rel=0.02)


@pytest.mark.parametrize("workers", [2, 10])
def test_saturated_workers_do_as_much_as_they_can(workers: int) -> None:
    seen = of(FREE, per_minute=3 * workers * 60 / SECONDS, minutes=400 / workers, workers=workers)
    assert seen.done_per_minute == pytest.approx(workers * 60 / SECONDS, rel=0.05)
    assert seen.use["workers"] == pytest.approx(1.0)


def test_saturated_api_lets_its_rate_through() -> None:
    seen = of(FREE, per_minute=600, minutes=9, api_rate=4.0, api_burst=4.0)
    assert seen.use["requests"] == pytest.approx(1.0, rel=0.01)
    assert seen.refused > 0


@pytest.mark.parametrize("name", ["table", "due", "tenant"])
def test_saturated_table_takes_its_rate(name: str) -> None:
    writes = Writes(**{name: 10})
    demand = dataclasses.replace(FREE, create=writes)
    quotas = dataclasses.replace(BOUNDLESS, partition_writes=50 if name == "tenant" else 10**9)
    seen = of(demand, per_minute=600, minutes=9, table_writes=10**9 if name == "tenant" else 50, quotas=quotas)  # type: ignore[arg-type]
    assert seen.done_per_minute == pytest.approx(50 / 10 * 60, rel=0.05)


@pytest.mark.parametrize("per_minute", [1, 60, 400])
@pytest.mark.parametrize("seed", [1, 2])
def test_nothing_is_lost(per_minute: float, seed: int) -> None:
    here = Installation.from_settings(Settings(throttle_rate=5, throttle_burst=5))
    seen = run(here, FREE, per_minute=per_minute, minutes=10, seed=seed)
    assert seen.submitted == seen.refused + seen.done + seen.running + seen.waiting
    assert min(seen.refused, seen.done, seen.running, seen.waiting) >= 0
    assert len(seen.waits_s) == seen.done + seen.running
    assert len(seen.stays_s) == seen.done


def test_the_same_seed_is_the_same_run_and_another_is_not() -> None:
    here = Installation.from_settings(Settings())
    first, again, other = (run(here, FREE, per_minute=50, minutes=20, seed=seed) for seed in (1, 1, 2))
    assert first == again != other


@pytest.mark.parametrize(("share", "grows"), [(0.85, False), (1.2, True)])
def test_paper_and_simulation_agree_on_what_is_enough(share: float, grows: bool) -> None:  # noqa: FBT001 - a case
    writes = Writes(table=3, tenant=2, due=3, status=2)
    demand = dataclasses.replace(FREE, size_mb=1, create=writes, beat=writes, complete=writes)
    here = Installation.from_settings(Settings())
    first = paper.capacities(here, demand)[0]
    seen = run(here, demand, per_minute=share * first.per_minute, minutes=60, seed=3)
    assert (seen.use[first.name] == pytest.approx(1.0, abs=0.01)) is grows
    assert (seen.waiting > 100) is grows


def test_workers_come_as_the_event_source_mapping_adds_them() -> None:
    env = simpy.Environment()
    places = Places(env, limit=5)
    env.process(pollers(env, places, most=20, added_per_s=2))
    for _ in range(100):
        places.wait()
    widths = []
    for second in range(1, 12):
        env.run(until=second + 0.5)
        widths.append(places.used)
    assert widths == [7, 9, 11, 13, 15, 17, 19, 20, 20, 20, 20]


def test_a_bucket_gives_its_burst_and_then_its_rate() -> None:
    env = simpy.Environment()
    bucket = Bucket(env, rate=2, burst=10)
    assert [bucket.take() for _ in range(12)] == [True] * 10 + [False] * 2
    env.run(until=3)
    assert [bucket.take() for _ in range(7)] == [True] * 6 + [False]
    assert bucket.owe(4) == pytest.approx(2.0)


def test_what_is_deployed_is_what_the_settings_say() -> None:
    here = Installation.from_settings(Settings(worker_concurrency=33, throttle_rate=44, throttle_burst=55))
    assert (here.workers, here.api_rate, here.api_burst) == (33, 44, 55)
