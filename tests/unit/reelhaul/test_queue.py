"""The message that asks a worker to take a job."""

import json
from typing import Any

import pytest

from reelhaul import aws
from reelhaul.errors import MalformedMessage, ServiceUnavailable
from reelhaul.ids import new_id
from reelhaul.queue import JobMessage
from tests.conftest import Cloud
from tests.faults import hooked, refused
from tests.jobs_in import NOW, queued

VALID = {"version": 1, "tenant": "acme", "job_id": new_id(NOW), "generation": 2}


def test_a_message_survives_the_round_trip() -> None:
    for untried_only in (False, True):
        message = JobMessage(tenant="acme", job_id=new_id(NOW), generation=3, untried_only=untried_only)
        assert JobMessage.parse(message.body()) == message


@pytest.mark.parametrize(
    "changes",
    [{"version": 2}, {"version": None}, {"tenant": ""}, {"tenant": 1}, {"job_id": "download-1"}, {"job_id": None},
     {"generation": "1"}, {"generation": None}],
)  # fmt: skip
def test_a_message_with_a_wrong_field_is_malformed(changes: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        JobMessage.parse(json.dumps(VALID | changes))


@pytest.mark.parametrize("field", VALID)
def test_a_message_without_a_field_is_malformed(field: str) -> None:
    with pytest.raises(MalformedMessage):
        JobMessage.parse(json.dumps({name: value for name, value in VALID.items() if name != field}))


@pytest.mark.parametrize("body", ["", "null", "[]", '"text"', "{", "1", "\x00"])
def test_what_is_no_json_object_is_malformed(body: str) -> None:
    with pytest.raises(MalformedMessage):
        JobMessage.parse(body)


def test_a_message_that_does_not_say_whom_it_is_for_is_for_any_job() -> None:
    assert not JobMessage.parse(json.dumps(VALID)).untried_only


def test_fields_of_a_later_version_of_the_same_schema_are_ignored() -> None:
    assert JobMessage.parse(json.dumps(VALID | {"colour": "blue"})).generation == 2


def test_send_names_the_job_and_its_generation(cloud: Cloud) -> None:
    job = queued()
    cloud.queue.send(job)
    [body] = cloud.messages()
    assert JobMessage.parse(body) == JobMessage(tenant="acme", job_id=job.id, generation=1)


@pytest.mark.parametrize(("delay_s", "sent"), [(0, 0), (12.6, 13), (4000, 900)])
def test_send_groups_by_tenant_and_delays_as_long_as_sqs_can(cloud: Cloud, delay_s: float, sent: int) -> None:
    requests: list[dict[str, Any]] = []
    with hooked("provide-client-params", "sqs", "SendMessage", lambda params, **_: requests.append(params)):
        cloud.queue.send(queued(), delay_s=delay_s)
    assert [(request["MessageGroupId"], request["DelaySeconds"]) for request in requests] == [("acme", sent)]


def test_a_batch_is_grouped_by_tenant_as_well(cloud: Cloud) -> None:
    requests: list[dict[str, Any]] = []
    with hooked("provide-client-params", "sqs", "SendMessageBatch", lambda params, **_: requests.append(params)):
        cloud.queue.send_batch([queued(), queued(tenant="umbrella")])
    [request] = requests
    assert [entry["MessageGroupId"] for entry in request["Entries"]] == ["acme", "umbrella"]


def test_a_queue_that_cannot_be_reached_is_service_unavailable(cloud: Cloud) -> None:
    with refused("sqs", "SendMessage"), pytest.raises(ServiceUnavailable):
        cloud.queue.send(queued())


def test_a_postponed_message_comes_again(cloud: Cloud) -> None:
    cloud.queue.send(queued())
    [taken] = aws.client("sqs").receive_message(QueueUrl=cloud.queue_url)["Messages"]
    cloud.queue.postpone(taken["ReceiptHandle"], 0)
    assert cloud.messages() == [taken["Body"]]
