"""What a worker tells of where the time went, and of what is broken."""

import dataclasses
import time

import pytest

from downloader.worker import Worker
from reelhaul import steps
from reelhaul.errors import ExtractorBroken, SourceInterrupted
from reelhaul.jobs import Job, State
from tests.conftest import Cloud
from tests.emf import Point, lines, points
from tests.jobs_in import queued
from tests.unit.downloader.worker.working import CONTENT, Fetching, failing, now_in, run


def measured(capsys: pytest.CaptureFixture[str]) -> dict[str, float]:
    return {point.name: point.value for point in points(capsys.readouterr().out)}


def test_broken_extractor_is_counted_when_its_job_ends(
    worker: Worker, job: Job, fetching: Fetching, capsys: pytest.CaptureFixture[str]
) -> None:
    error = ExtractorBroken()
    error.extractor = "Youtube"
    fetching.act = failing(error)

    run(worker, job)

    dimensions = (("extractor", "Youtube"), ("service", "Reelhaul-test"))
    assert points(capsys.readouterr().out) == {Point("Reelhaul", "ExtractorBroken", "Count", dimensions, 1.0)}


def test_attempt_that_is_made_again_is_measured_once_it_succeeds(
    worker: Worker, cloud: Cloud, job: Job, fetching: Fetching, capsys: pytest.CaptureFixture[str]
) -> None:
    fetching.act = failing(SourceInterrupted())
    run(worker, job)
    assert lines(capsys.readouterr().out) == []

    fetching.act = None
    run(worker, job)

    assert now_in(cloud, job).state is State.DONE
    assert measured(capsys)["Bytes"] == len(CONTENT)


def test_job_has_waited_since_it_was_asked_for(
    worker: Worker, cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    job = queued(now=time.time() - 100)
    cloud.store.create(job)
    job = cloud.store.swap(job, steps.resend(job, now=time.time() - 10))  # a second message starts no new wait

    run(worker, job)

    assert measured(capsys)["QueuedSeconds"] >= 100


def test_retried_job_has_waited_since_the_retry(
    worker: Worker, cloud: Cloud, capsys: pytest.CaptureFixture[str]
) -> None:
    job = dataclasses.replace(queued(now=time.time() - 1000), generation=2, updated_at=time.time() - 50)
    cloud.store.create(job)

    run(worker, job)

    assert 50 <= measured(capsys)["QueuedSeconds"] < 1000  # it is the records' times that are compared


def test_lost_job_is_not_measured(
    worker: Worker, cloud: Cloud, job: Job, fetching: Fetching, capsys: pytest.CaptureFixture[str]
) -> None:
    def deleted(*_: object) -> None:
        cloud.store.delete(now_in(cloud, job), now=time.time())

    fetching.act = deleted

    run(worker, job)

    assert lines(capsys.readouterr().out) == []
