"""A message that was tried in vain ends its job."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import pytest

from dead_letters.handler import lambda_handler
from reelhaul import steps
from reelhaul.errors import JobNotFound
from reelhaul.jobs import LEASE_S, Job, State
from reelhaul.queue import JobMessage
from tests.conftest import Cloud
from tests.events import Context, sqs_event
from tests.faults import meanwhile, refused
from tests.jobs_in import PROGRESS, cancelled, done, expired, failed, queued, running

SETTLED: dict[str, Any] = {"batchItemFailures": []}


def message_of(job: Job, *, generation: int | None = None) -> str:
    return JobMessage(tenant=job.tenant, job_id=job.id, generation=generation or job.generation).body()


def bury(*bodies: str) -> dict[str, Any]:
    return lambda_handler(sqs_event(*bodies), Context())


def put(cloud: Cloud, make: Callable[..., Job], *, seconds_ago: float = 0) -> Job:
    job = make(now=round(time.time() - seconds_ago, 3))
    cloud.store.create(job)
    return job


@pytest.mark.parametrize(("make", "untidy"), [(queued, False), (running, True)])
def test_a_job_that_still_waits_for_its_message_fails_with_a_reason(cloud: Cloud, make: Any, untidy: bool) -> None:  # noqa: FBT001 - a table's column
    job = put(cloud, make, seconds_ago=LEASE_S + 1)
    assert bury(message_of(job)) == SETTLED
    after = cloud.store.get("acme", job.id)
    assert (after.state, after.error_code, after.untidy) == (State.FAILED, "job.dead_letter", untidy)


def test_a_job_with_a_live_worker_is_left_to_it(cloud: Cloud) -> None:
    job = put(cloud, running)
    assert bury(message_of(job)) == SETTLED
    assert cloud.store.get("acme", job.id) == job


@pytest.mark.parametrize("make", [done, failed, cancelled, expired])
def test_a_job_that_has_ended_stays_as_it_is(cloud: Cloud, make: Any) -> None:
    job = put(cloud, make)
    assert bury(message_of(job)) == SETTLED
    assert cloud.store.get("acme", job.id) == job


def test_a_retried_job_is_no_business_of_an_old_message(cloud: Cloud) -> None:
    job = dataclasses.replace(queued(now=round(time.time(), 3)), generation=2)
    cloud.store.create(job)
    assert bury(message_of(job, generation=1)) == SETTLED
    assert cloud.store.get("acme", job.id) == job


def test_a_deleted_job_stays_deleted(cloud: Cloud) -> None:
    job = queued(now=time.time())
    assert bury(message_of(job)) == SETTLED
    with pytest.raises(JobNotFound):
        cloud.store.get("acme", job.id)


def test_a_job_claimed_at_the_same_moment_is_left_to_its_worker(cloud: Cloud) -> None:
    job = put(cloud, queued)
    claim = steps.claim(job, now=time.time())
    with meanwhile("dynamodb", "TransactWriteItems", lambda: cloud.store.swap(job, claim)):
        assert bury(message_of(job)) == SETTLED
    assert cloud.store.get("acme", job.id).state is State.RUNNING


def test_a_late_worker_cannot_complete_a_job_that_was_given_up(cloud: Cloud) -> None:
    job = put(cloud, running, seconds_ago=LEASE_S + 1)
    bury(message_of(job))
    with pytest.raises(Exception, match="state that allows"):
        cloud.store.swap(job, steps.beat(job, PROGRESS, now=time.time()))


@pytest.mark.parametrize("body", ["", "not json", "{}", '{"version": 99}'])
def test_what_is_not_ours_is_dropped_and_logged_without_its_text(
    cloud: Cloud, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert bury(body) == SETTLED
    [record] = caplog.records
    assert (record.getMessage(), record.levelname) == ("dead_letter_unreadable", "ERROR")


def test_a_message_comes_again_while_the_table_is_down_and_others_are_settled(cloud: Cloud) -> None:
    first, second = put(cloud, queued), put(cloud, queued)
    with refused("dynamodb", "GetItem", times=1):
        reply = bury(message_of(first), "not json", message_of(second))
    assert reply == {"batchItemFailures": [{"itemIdentifier": "message-0"}]}
    assert cloud.store.get("acme", first.id).state is State.QUEUED
    assert cloud.store.get("acme", second.id).state is State.FAILED
