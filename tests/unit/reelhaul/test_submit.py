"""Submitting a job, and submitting it again."""

import dataclasses
from typing import Any

import pytest

from reelhaul import aws
from reelhaul.errors import Conflict, JobNotFound, KeyReused, ServiceUnavailable
from reelhaul.ids import new_id
from reelhaul.jobs import Job, State
from reelhaul.options import DownloadRequest, Options
from reelhaul.queue import JobMessage
from reelhaul.store import IdempotentRequest, JobStore
from reelhaul.submit import retry, submit
from tests.conftest import Cloud
from tests.faults import meanwhile, refused, reply_lost
from tests.jobs_in import NOW, cancelled, done, expired, failed, queued, running

OPTIONS = Options(quality="480p", download_type="audio")
REQUEST = DownloadRequest(
    url="https://media.example/a.mp4", name="mine", options=OPTIONS, callback_url="https://hooks.example/x"
)
ONCE = IdempotentRequest(key="order-1", fingerprint="f-1")
DAY_S = 86_400


class Log:
    def __init__(self) -> None:
        self.events: list[tuple[str, dict[str, Any]]] = []

    def __call__(self, event: str, **fields: Any) -> None:
        self.events.append((event, fields))


def submitted(cloud: Cloud, log: Log) -> Job:
    return submit(
        REQUEST, tenant="acme", retention_days=3, store=cloud.store, queue=cloud.queue, log=log, clock=lambda: NOW
    )


def retried(cloud: Cloud, job: Job, *, now: float = NOW) -> Job:
    return retry("acme", job.id, store=cloud.store, queue=cloud.queue, log=Log(), clock=lambda: now)


def generations(cloud: Cloud) -> list[int]:
    return [JobMessage.parse(body).generation for body in cloud.messages()]


def test_a_submitted_job_is_stored_and_its_message_sent(cloud: Cloud) -> None:
    job = submitted(cloud, Log())
    assert cloud.store.get("acme", job.id) == job
    assert (job.state, job.url, job.name, job.options, job.retention_days, job.callback_url) == (
        State.QUEUED, REQUEST.url, "mine", OPTIONS, 3, "https://hooks.example/x",
    )  # fmt: skip
    [body] = cloud.messages()
    assert JobMessage.parse(body).job_id == job.id


def test_a_send_that_fails_keeps_the_job_and_leaves_it_to_the_sweeper(cloud: Cloud) -> None:
    log = Log()
    with refused("sqs", "SendMessage"):
        job = submitted(cloud, log)
    assert [found.id for found in cloud.store.due(NOW + 60) if isinstance(found, Job)] == [job.id]
    assert [event for event, _ in log.events] == ["job_send_failed"]


def test_a_send_whose_reply_is_lost_is_no_error_for_the_caller(cloud: Cloud) -> None:
    with reply_lost("sqs", "SendMessage"):
        job = submitted(cloud, Log())
    assert cloud.store.get("acme", job.id) == job


def test_a_job_that_cannot_be_stored_is_never_queued(cloud: Cloud) -> None:
    with refused("dynamodb", "TransactWriteItems"), pytest.raises(ServiceUnavailable):
        submitted(cloud, Log())
    assert cloud.messages() == []


@pytest.mark.parametrize("job", [failed(), cancelled(), expired()])
def test_a_job_that_ended_badly_can_be_retried(cloud: Cloud, job: Job) -> None:
    cloud.store.create(job)
    again = retried(cloud, job)
    assert (again.id, again.state, again.generation, again.url) == (job.id, State.QUEUED, 2, job.url)
    assert generations(cloud) == [2]


@pytest.mark.parametrize("job", [queued(), running(), done()])
def test_a_job_that_is_under_way_or_done_cannot(cloud: Cloud, job: Job) -> None:
    cloud.store.create(job)
    with pytest.raises(Conflict):
        retried(cloud, job)
    assert cloud.store.get("acme", job.id) == job
    assert cloud.messages() == []


def test_a_file_past_its_retention_can_be_retried_before_the_sweeper_came_by(cloud: Cloud) -> None:
    job = done()
    cloud.store.create(job)
    again = retried(cloud, job, now=NOW + 7 * DAY_S)
    assert (again.state, again.generation) == (State.QUEUED, 2)
    assert again.untidy  # its old object is still there


def test_an_unknown_job_cannot_be_retried(cloud: Cloud) -> None:
    with pytest.raises(JobNotFound):
        retried(cloud, dataclasses.replace(queued(), id=new_id(NOW)))


def test_of_two_retries_at_once_one_makes_a_generation_and_the_other_is_told(cloud: Cloud) -> None:
    job = failed()
    cloud.store.create(job)
    with meanwhile("dynamodb", "TransactWriteItems", lambda: retried(cloud, job, now=NOW + 1)), pytest.raises(Conflict):
        retried(cloud, job)
    assert cloud.store.get("acme", job.id).generation == 2
    assert generations(cloud) == [2]


# --- idempotency -----------------------------------------------------------------------------------------------------


def once(cloud: Cloud, request: IdempotentRequest = ONCE, *, tenant: str = "acme", now: float = NOW) -> Job:
    store = JobStore(aws.client("dynamodb"), cloud.table, clock=lambda: now)
    return submit(
        REQUEST, tenant=tenant, retention_days=3, store=store, queue=cloud.queue, log=Log(), idempotency=request,
        clock=lambda: now,
    )  # fmt: skip


def test_the_same_request_with_the_same_key_is_one_job_and_one_message(cloud: Cloud) -> None:
    first, second = once(cloud), once(cloud, now=NOW + 5)
    assert second.id == first.id
    assert len(cloud.messages()) == 1
    assert cloud.store.total("acme") == 1


def test_the_same_key_for_another_request_is_refused_and_makes_nothing(cloud: Cloud) -> None:
    once(cloud)
    with pytest.raises(KeyReused):
        once(cloud, IdempotentRequest(key=ONCE.key, fingerprint="f-2"))
    assert cloud.store.total("acme") == 1
    assert len(cloud.messages()) == 1


def test_keys_of_two_tenants_have_nothing_to_do_with_each_other(cloud: Cloud) -> None:
    assert once(cloud).id != once(cloud, tenant="umbrella").id


def test_a_key_is_free_again_after_a_day(cloud: Cloud) -> None:
    first = once(cloud)
    assert once(cloud, now=NOW + DAY_S - 1).id == first.id
    assert once(cloud, IdempotentRequest(key=ONCE.key, fingerprint="f-2"), now=NOW + DAY_S).id != first.id


def test_a_key_whose_job_was_deleted_makes_a_new_one(cloud: Cloud) -> None:
    first = once(cloud)
    cloud.store.delete(first, now=NOW)
    second = once(cloud)
    assert second.id != first.id
    assert once(cloud).id == second.id


def test_of_two_at_once_with_one_key_both_get_the_same_job(cloud: Cloud) -> None:
    others: list[Job] = []
    with meanwhile("dynamodb", "TransactWriteItems", lambda: others.append(once(cloud))):
        mine = once(cloud)
    assert [other.id for other in others] == [mine.id]
    assert cloud.store.total("acme") == 1


def test_a_job_that_could_not_be_stored_does_not_use_its_key_up(cloud: Cloud) -> None:
    with refused("dynamodb", "TransactWriteItems"), pytest.raises(ServiceUnavailable):
        once(cloud)
    assert once(cloud, IdempotentRequest(key=ONCE.key, fingerprint="f-2")).state is State.QUEUED
