"""The worker's hold on its job."""

import dataclasses
import threading
import time

import pytest

from downloader import lease as lease_module
from downloader.lease import Lease
from reelhaul import steps
from reelhaul.errors import LeaseLost
from reelhaul.jobs import LEASE_S, Job, Progress, State
from tests.conftest import Cloud
from tests.faults import refused
from tests.jobs_in import queued


@dataclasses.dataclass
class Clock:
    now: float

    def __call__(self) -> float:
        return self.now


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "BEAT_S", 0.02)


@pytest.fixture
def clock() -> Clock:
    return Clock(time.time())


@pytest.fixture
def job(cloud: Cloud, clock: Clock) -> Job:
    waiting = queued(now=clock.now)
    cloud.store.create(waiting)
    return cloud.store.swap(waiting, steps.claim(waiting, now=clock.now))


@pytest.fixture
def stop() -> threading.Event:
    return threading.Event()


@pytest.fixture
def lease(cloud: Cloud, job: Job, stop: threading.Event, clock: Clock) -> Lease:
    return Lease(job, store=cloud.store, stop=stop, clock=clock)


def test_progress_reaches_the_table(cloud: Cloud, job: Job, lease: Lease) -> None:
    with lease:
        lease.report(Progress(downloaded_bytes=7, total_bytes=10))
        _wait(lambda: cloud.store.get(job.tenant, job.id).progress.downloaded_bytes == 7)

    assert lease.end().progress.downloaded_bytes == 7


def test_lease_is_extended_though_nothing_moves(cloud: Cloud, job: Job, lease: Lease, clock: Clock) -> None:
    with lease:
        clock.now += LEASE_S / 2
        _wait(lambda: cloud.store.get(job.tenant, job.id).due_at == pytest.approx(clock.now + LEASE_S, abs=1))


def test_nothing_is_written_while_nothing_moves_and_the_lease_is_young(cloud: Cloud, job: Job, lease: Lease) -> None:
    with refused("dynamodb", "PutItem") as writes, lease:
        time.sleep(0.2)

    assert writes == []


def test_cancel_stops_the_work(cloud: Cloud, job: Job, lease: Lease, stop: threading.Event) -> None:
    with lease:
        cloud.store.change(job.tenant, job.id, lambda seen: steps.cancel(seen, now=job.updated_at))
        assert stop.wait(10)

    with pytest.raises(LeaseLost):
        lease.end()


def test_delete_stops_the_work(cloud: Cloud, job: Job, lease: Lease, stop: threading.Event) -> None:
    with lease:
        cloud.store.delete(cloud.store.get(job.tenant, job.id), now=job.updated_at)
        assert stop.wait(10)


def test_being_taken_over_stops_the_work(cloud: Cloud, job: Job, lease: Lease, stop: threading.Event) -> None:
    with lease:
        lease.report(Progress(downloaded_bytes=1))
        requeued = cloud.store.change(
            job.tenant, job.id, lambda seen: steps.requeue(seen, now=job.updated_at, cut_off=True)
        )
        cloud.store.swap(requeued, steps.claim(requeued, now=job.updated_at))
        assert stop.wait(10)

    assert cloud.store.get(job.tenant, job.id).state is State.RUNNING  # the other's


def test_short_outage_of_the_table_is_sat_out(cloud: Cloud, lease: Lease, stop: threading.Event) -> None:
    with lease:
        with refused("dynamodb", "GetItem") as refusals:
            _wait(lambda: len(refusals) > 2)
        assert not stop.is_set()


def test_outage_longer_than_the_lease_stops_the_work(lease: Lease, stop: threading.Event, clock: Clock) -> None:
    with refused("dynamodb", "GetItem"), refused("dynamodb", "PutItem"), lease:
        clock.now += LEASE_S + 1
        assert stop.wait(10)


def _wait(done: object) -> None:
    deadline = time.monotonic() + 10
    while not done():  # type: ignore[operator]
        assert time.monotonic() < deadline
        time.sleep(0.01)
