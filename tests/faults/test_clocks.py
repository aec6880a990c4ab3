"""Clocks: frozen ones, to show what is mended and when, and ones that disagree."""

import logging
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from downloader.worker import Worker
from reelhaul import aws, steps
from reelhaul.errors import JobNotFound, LeaseLost
from reelhaul.jobs import LEASE_S, Job, State
from reelhaul.measures import Measures
from reelhaul.queue import JobMessage
from reelhaul.store import JobStore
from reelhaul.submit import send
from sweeper.sweep import Sweeper
from tests.conftest import Cloud
from tests.faults import refused
from tests.jobs_in import NOW, done, expired, queued, running
from tests.unit.downloader.worker.working import Fetching, run

MINUTE_S = 60  # between two sweeps
PROMISED_S = 120  # within which a crash or a failed send is mended


class _Logger(logging.LoggerAdapter[logging.Logger]):
    def process(self, msg: Any, kwargs: Any) -> Any:
        return f"{msg} {kwargs}", {}


def sweep(cloud: Cloud, at: float) -> dict[str, int]:
    """The sweeper comes by at that time."""
    sweeper = Sweeper(
        store=cloud.store, queue=cloud.queue, bucket=cloud.media, announce=lambda _: None,
        logger=_Logger(logging.getLogger("sweeper")), clock=lambda: at,
    )  # fmt: skip
    return sweeper.run(has_time=lambda: True)


def put(cloud: Cloud, job: Job) -> Job:
    cloud.store.create(job)
    return job


def read(cloud: Cloud, job: Job) -> Job:
    return cloud.store.get(job.tenant, job.id)


def worker_at(cloud: Cloud, fetching: Fetching, tmp_path: Path, clock: Callable[[], float]) -> Worker:
    return Worker(
        store=cloud.store, queue=cloud.queue, s3=aws.client("s3"), bucket_name=cloud.bucket, fetch=fetching,
        work_directory=tmp_path, logger=_Logger(logging.getLogger("worker")),
        measures=Measures("Reelhaul-test"), clock=clock,
    )  # fmt: skip


# --- when it is mended -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("phase_s", [0, 1, 30, 59])
def test_crashed_workers_job_is_queued_by_the_first_sweep_after_its_lease(cloud: Cloud, phase_s: float) -> None:
    """However the sweeper's minutes lie: the message is there within two minutes of the lease's end."""
    job = put(cloud, running(now=NOW))
    assert job.due_at == NOW + LEASE_S
    sweeps = [NOW + phase_s + number * MINUTE_S for number in range(4)]
    first = next(at for at in sweeps if at >= NOW + LEASE_S)

    done = [sweep(cloud, at) for at in sweeps if at <= first]

    assert done == [{}] * (len(done) - 1) + [{"requeued": 1}]
    assert first - (NOW + LEASE_S) <= PROMISED_S
    assert [JobMessage.parse(body).job_id for body in cloud.messages()] == [job.id]


@pytest.mark.parametrize("phase_s", [0, 1, 30, 59])
def test_send_that_failed_is_repaired_within_two_minutes(cloud: Cloud, phase_s: float) -> None:
    job = put(cloud, queued(now=NOW))
    with refused("sqs", "SendMessage"):
        send(job, queue=cloud.queue, log=lambda *_, **__: None)
    sweeps = [NOW + phase_s + number * MINUTE_S for number in range(4)]

    sent_at = next(at for at in sweeps if sweep(cloud, at) == {"resent": 1})

    assert sent_at - NOW <= PROMISED_S
    assert [JobMessage.parse(body).job_id for body in cloud.messages()] == [job.id]


def test_sweeper_that_was_away_for_an_hour_mends_everything_with_its_first_pass(cloud: Cloud) -> None:
    lost = [put(cloud, queued(now=NOW)) for _ in range(3)]
    crashed = [put(cloud, running(now=NOW)) for _ in range(3)]
    cut_off = put(cloud, steps.cancel(running(now=NOW), now=NOW))
    cloud.put_object(f"acme/{cut_off.id}/1.mp4")
    deleted = put(cloud, running(now=NOW))
    cloud.store.delete(deleted, now=NOW)
    cloud.put_object(f"acme/{deleted.id}/1.mp4")

    assert sweep(cloud, NOW + 3600) == {"resent": 3, "requeued": 3, "tidied": 1, "buried": 1}

    assert sorted(JobMessage.parse(body).job_id for body in cloud.messages()) == sorted(
        job.id for job in lost + crashed
    )
    assert cloud.object_keys() == []
    assert sweep(cloud, NOW + 3600) == {}


@pytest.mark.parametrize("make", [done, expired])
def test_record_past_its_time_is_neither_shown_nor_revived(cloud: Cloud, make: Callable[..., Job]) -> None:
    """Until DynamoDB removes it, days later. The sweeper, which may come late as well, still counts it out."""
    job = put(cloud, make(now=NOW))
    over = job.forgotten_at
    assert over is not None
    late = JobStore(aws.client("dynamodb"), cloud.table, clock=lambda: over + 1)
    with pytest.raises(JobNotFound):
        late.get(job.tenant, job.id)
    with pytest.raises(JobNotFound):
        late.change(job.tenant, job.id, lambda seen: steps.retry(seen, now=over + 1))
    assert late.page(job.tenant, limit=10).jobs == []

    for later in range(4):  # it expires, its file goes, then its record
        sweep(cloud, over + later * MINUTE_S)

    assert cloud.store.total(job.tenant) == 0


# --- clocks that are five minutes apart ------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("apart_s", "swept", "state"),
    [(300.0, [{}], State.DONE), (-300.0, [{"requeued": 1}, {"requeued": 1}, {"failed": 1}], State.FAILED)],
)
def test_workers_clock_that_is_wrong_costs_attempts_and_nothing_else(
    cloud: Cloud, tmp_path: Path, apart_s: float, swept: list[dict[str, int]], state: State
) -> None:
    """The sweeper's is right. To it a slow worker's lease is over at once, a fast one's only minutes later."""
    job, fetching = put(cloud, queued(now=NOW)), Fetching()
    seen: list[dict[str, int]] = []

    def sweep_meanwhile(_job: Job, _directory: Path, stop: threading.Event) -> None:
        seen.append(sweep(cloud, NOW))
        if seen[-1]:
            assert stop.wait(60)  # the worker sees with its next heartbeat that the job is not its own any more
            raise LeaseLost

    fetching.act = sweep_meanwhile
    worker = worker_at(cloud, fetching, tmp_path, lambda: NOW + apart_s)
    run(worker, job)
    while read(cloud, job).state is State.QUEUED:
        assert cloud.messages() != []
        run(worker, job)

    after = read(cloud, job)
    assert (seen, after.state, after.attempts) == (swept, state, len(swept))
    assert cloud.object_keys() == ([after.stored.key] if after.stored else [])
    assert cloud.store.counts(job.tenant)["processing"] == 0
