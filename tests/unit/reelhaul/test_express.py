"""The express lane: one job of each tenant, and never more."""

import dataclasses
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from reelhaul import aws, steps
from reelhaul.errors import SourceNotFound
from reelhaul.express import ExpressLane
from reelhaul.jobs import Job
from reelhaul.options import DownloadRequest
from reelhaul.queue import JobMessage, JobQueue
from reelhaul.store import IdempotentRequest
from reelhaul.submit import retry, submit
from tests.conftest import Cloud
from tests.faults import hooked, meanwhile, refused
from tests.jobs_in import NOW, expanded, failed, queued, running

REQUEST = DownloadRequest(url="https://media.example/a.mp4")


class Log:
    def __init__(self) -> None:
        self.events: list[str] = []

    def __call__(self, event: str, **_: Any) -> None:
        self.events.append(event)


def lane(cloud: Cloud) -> ExpressLane:
    return ExpressLane(cloud.store, JobQueue(aws.client("sqs"), cloud.express_queue_url))


def sent(cloud: Cloud, tenant: str = "acme", *, log: Log | None = None) -> Job:
    """A job that was asked for."""
    return submit(
        REQUEST, tenant=tenant, retention_days=7, store=cloud.store, queue=cloud.queue, express=lane(cloud),
        log=log or Log(), clock=lambda: NOW,
    )  # fmt: skip


Lane = list[tuple[JobMessage, int]]


@pytest.fixture
def in_lane(cloud: Cloud) -> Iterator[Lane]:
    """The messages that were sent into the lane, and after how many seconds they can be taken."""
    sent: Lane = []

    def note(params: Any, **_: Any) -> None:
        if params["QueueUrl"] == cloud.express_queue_url:
            sent.append((JobMessage.parse(params["MessageBody"]), params["DelaySeconds"]))

    with hooked("provide-client-params", "sqs", "SendMessage", note):
        yield sent


def ids_in(lane: Lane) -> list[str]:
    return [message.job_id for message, _ in lane]


def test_a_tenants_first_job_stands_in_both_queues(cloud: Cloud, in_lane: Lane) -> None:
    job = sent(cloud)
    assert ids_in(in_lane) == [job.id]
    assert [JobMessage.parse(body).job_id for body in cloud.messages()] == [job.id]


def test_the_usual_workers_have_a_head_start(cloud: Cloud, in_lane: Lane) -> None:
    sent(cloud)
    assert [(message.untried_only, delay_s > 0) for message, delay_s in in_lane] == [(True, True)]
    assert cloud.messages(cloud.express_queue_url) == []


def test_of_a_flood_one_is_in_the_lane_and_of_each_other_tenant_one(cloud: Cloud, in_lane: Lane) -> None:
    first, *_ = [sent(cloud) for _ in range(5)]
    other, *_ = [sent(cloud, "umbrella") for _ in range(2)]
    assert ids_in(in_lane) == [first.id, other.id]


def test_of_several_at_once_exactly_one_is_in_the_lane(cloud: Cloud, in_lane: Lane) -> None:
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda _: sent(cloud), range(12)))
    assert len(in_lane) == 1


def test_who_is_outrun_to_the_place_waits_with_the_others(cloud: Cloud, in_lane: Lane) -> None:
    jobs: list[Job] = []
    with meanwhile("dynamodb", "PutItem", lambda: jobs.append(sent(cloud))):
        sent(cloud)
    assert ids_in(in_lane) == [jobs[0].id]


def test_the_place_is_taken_as_long_as_its_job_waits_or_runs(cloud: Cloud, in_lane: Lane) -> None:
    first = sent(cloud)
    cloud.store.change("acme", first.id, lambda job: steps.claim(job, now=NOW))
    sent(cloud)
    cloud.store.change("acme", first.id, lambda job: steps.requeue(job, now=NOW))
    sent(cloud)
    assert ids_in(in_lane) == [first.id]


@pytest.mark.parametrize("end", ["fail", "delete", "expand"])
def test_the_place_is_free_once_its_job_needs_no_worker_any_more(cloud: Cloud, end: str, in_lane: Lane) -> None:
    first = cloud.store.change("acme", sent(cloud).id, lambda job: steps.claim(job, now=NOW))
    if end == "delete":
        cloud.store.delete(first, now=NOW)
    elif end == "fail":
        cloud.store.swap(first, steps.fail(first, SourceNotFound(), now=NOW))
    else:
        playlist = expanded().playlist
        assert playlist is not None
        cloud.store.swap(first, steps.expand(first, playlist, now=NOW))
    second = sent(cloud)
    assert ids_in(in_lane) == [first.id, second.id]


def test_a_retried_job_is_in_the_lane_as_well(cloud: Cloud, in_lane: Lane) -> None:
    job = failed()
    cloud.store.create(job)
    for _ in range(2):
        retry("acme", job.id, store=cloud.store, queue=cloud.queue, express=lane(cloud), log=Log(), clock=lambda: NOW)
        cloud.store.change("acme", job.id, lambda job: steps.cancel(job, now=NOW))
    assert ids_in(in_lane) == [job.id, job.id]


def test_the_same_request_again_is_not_sent_again(cloud: Cloud, in_lane: Lane) -> None:
    once = IdempotentRequest(key="order-1", fingerprint="f-1")
    for _ in range(2):
        submit(
            REQUEST, tenant="acme", retention_days=7, store=cloud.store, queue=cloud.queue, express=lane(cloud),
            log=Log(), idempotency=once,
        )  # fmt: skip
    assert len(in_lane) == 1


@pytest.mark.parametrize(("service", "operation"), [("sqs", "SendMessage"), ("dynamodb", "GetItem")])
def test_a_lane_that_cannot_be_reached_costs_nothing_but_its_use(cloud: Cloud, service: str, operation: str) -> None:
    log = Log()
    with refused(service, operation):
        job = sent(cloud, log=log)
    assert cloud.store.get("acme", job.id) == job
    assert "express_lane_missed" in log.events


def test_the_place_is_the_tenants_own(cloud: Cloud) -> None:
    for make in (queued, running):
        job = make(tenant="umbrella")
        cloud.store.create(job)
        assert cloud.store.take_express_place(job) is (make is queued)
    assert cloud.store.take_express_place(dataclasses.replace(queued(), tenant="acme"))
