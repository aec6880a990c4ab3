"""Ending a job before its time."""

import dataclasses
from typing import Any

import pytest

from reelhaul import jobs
from reelhaul.errors import Conflict, JobNotFound, ServiceUnavailable
from reelhaul.jobs import Job, State
from reelhaul.remove import cancel, delete
from reelhaul.store import Tombstone
from tests.conftest import Cloud
from tests.faults import hooked, meanwhile, refused
from tests.jobs_in import MEDIA, NOW, PROGRESS, done, expired, failed, queued, running, stored


def cancel_now(cloud: Cloud, job: Job) -> Job:
    return cancel(job.tenant, job.id, store=cloud.store, clock=lambda: NOW)


def delete_now(cloud: Cloud, job: Job, log: Any = lambda *_, **__: None) -> None:
    delete(job.tenant, job.id, store=cloud.store, bucket=cloud.media, log=log, clock=lambda: NOW)


@pytest.mark.parametrize("job", [queued(), running()])
def test_a_job_under_way_is_cancelled(cloud: Cloud, job: Job) -> None:
    cloud.store.create(job)
    assert cancel_now(cloud, job).state is State.CANCELLED
    assert cloud.store.get("acme", job.id).error == "Cancelled"


@pytest.mark.parametrize("job", [done(), failed(), expired()])
def test_a_job_that_has_ended_stays_as_it_is(cloud: Cloud, job: Job) -> None:
    cloud.store.create(job)
    assert cancel_now(cloud, job) == job
    assert cloud.store.get("acme", job.id) == job


def test_a_worker_that_reports_at_the_same_time_does_not_win_against_a_cancel(cloud: Cloud) -> None:
    job = running()
    cloud.store.create(job)
    with meanwhile("dynamodb", "PutItem", lambda: cloud.store.swap(job, jobs.beat(job, PROGRESS, now=NOW + 1))):
        cancel_now(cloud, job)
    with pytest.raises(Conflict):
        cloud.store.swap(job, jobs.complete(job, MEDIA, stored(job), now=NOW + 2))


def test_a_job_that_is_retried_while_it_is_cancelled_is_cancelled(cloud: Cloud) -> None:
    job = failed()
    cloud.store.create(job)
    looks: list[int] = []

    def retried_before_the_second_look(**_: Any) -> None:
        looks.append(1)
        if len(looks) == 2:
            cloud.store.swap(job, jobs.retry(job, now=NOW))

    with hooked("before-call", "dynamodb", "GetItem", retried_before_the_second_look):
        assert cancel_now(cloud, job).state is State.CANCELLED


def test_a_cancel_that_comes_a_moment_too_late_leaves_the_job_done(cloud: Cloud) -> None:
    job = running()
    cloud.store.create(job)
    finish = jobs.complete(job, MEDIA, stored(job), now=NOW)
    with meanwhile("dynamodb", "PutItem", lambda: cloud.store.swap(job, finish)):
        assert cancel_now(cloud, job).state is State.DONE


def test_another_tenants_job_can_be_neither_cancelled_nor_deleted(cloud: Cloud) -> None:
    job = running()
    cloud.store.create(job)
    foreign = dataclasses.replace(job, tenant="umbrella")
    for act in (cancel_now, delete_now):
        with pytest.raises(JobNotFound):
            act(cloud, foreign)
    assert cloud.store.get("acme", job.id) == job


def test_delete_removes_record_and_objects_and_nothing_else(cloud: Cloud) -> None:
    job, other = done(), done()
    for each in (job, other):
        cloud.store.create(each)
        cloud.put_object(stored(each).key)
    delete_now(cloud, job)
    with pytest.raises(JobNotFound):
        cloud.store.get("acme", job.id)
    assert cloud.object_keys() == [stored(other).key]


def test_delete_wins_against_a_worker_that_reports_at_the_same_time(cloud: Cloud) -> None:
    job = queued()
    cloud.store.create(job)
    claim = jobs.claim(job, now=NOW)
    with meanwhile("dynamodb", "TransactWriteItems", lambda: cloud.store.swap(job, claim)):
        delete_now(cloud, job)
    with pytest.raises(Conflict):
        cloud.store.swap(claim, jobs.beat(claim, PROGRESS, now=NOW))


def test_a_file_that_cannot_be_removed_now_is_left_to_the_sweeper(cloud: Cloud) -> None:
    job, events = done(), []
    cloud.store.create(job)
    cloud.put_object(stored(job).key)
    with refused("s3", "DeleteObject"):
        delete_now(cloud, job, log=lambda event, **_: events.append(event))
    assert events == ["file_removal_postponed"]
    assert list(cloud.store.due(NOW + 1000)) == [Tombstone("acme", job.id, NOW + 90)]


def test_a_record_that_cannot_be_removed_keeps_its_file(cloud: Cloud) -> None:
    job = done()
    cloud.store.create(job)
    cloud.put_object(stored(job).key)
    with refused("dynamodb", "TransactWriteItems"), pytest.raises(ServiceUnavailable):
        delete_now(cloud, job)
    assert cloud.object_keys() == [stored(job).key]
