"""Every end of a job is announced: on the bus, and by a message about its webhook."""

import dataclasses
import json
from collections.abc import Callable
from typing import Any

import pytest

from announcer.handler import lambda_handler
from reelhaul import aws, ids, steps
from reelhaul.jobs import ACTIVE, Delivery, DeliveryState, Job, PlaylistItem, State
from reelhaul.webhooks import WebhookMessage
from tests.conftest import Cloud
from tests.events import Context
from tests.faults import hooked, refused
from tests.jobs_in import NOW, cancelled, done, expanded, expired, failed, in_state, queued, running
from tests.stream import change, of_items, sequence

URL = "https://hooks.example/x?token=hush"
ENDS = [
    (done, "download.completed"),
    (failed, "download.failed"),
    (cancelled, "download.cancelled"),
]


@pytest.fixture
def listener(cloud: Cloud) -> Callable[[], list[dict[str, Any]]]:
    """Somebody who listens to the bus. Gives the events that have come since it was last asked."""
    url = aws.client("sqs").create_queue(QueueName="listener")["QueueUrl"]
    pattern = json.dumps({"source": ["reelhaul"]})
    aws.client("events").put_rule(Name="all", EventBusName=cloud.bus, EventPattern=pattern)
    arn = aws.client("sqs").get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    aws.client("events").put_targets(Rule="all", EventBusName=cloud.bus, Targets=[{"Id": "1", "Arn": arn}])
    return lambda: [json.loads(body) for body in cloud.messages(url)]


def announce(*records: dict[str, Any]) -> list[str]:
    """The sequence numbers that have to come again."""
    reply = lambda_handler({"Records": list(records)}, Context())
    assert json.loads(json.dumps(reply)) == reply
    return [failure["itemIdentifier"] for failure in reply["batchItemFailures"]]


def webhooks(cloud: Cloud) -> list[WebhookMessage]:
    return [WebhookMessage.parse(body) for body in cloud.messages(cloud.webhook_queue_url)]


def before(job: Job) -> Job:
    """The job just before it ended."""
    return dataclasses.replace(
        job, state=State.RUNNING, fence=job.fence - 1, webhook=None, completed_at=None, stored=None
    )


def item_of(parent: Job, make: Callable[..., Job] = done, *, index: int = 1, **fields: Any) -> Job:
    place = PlaylistItem(parent_id=parent.id, index=index, total=3)
    return dataclasses.replace(make(item=place, **fields), id=ids.item_id(parent, index))


# --- what is announced --------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "kind"), ENDS)
def test_every_end_is_told_on_the_bus(cloud: Cloud, listener: Any, make: Any, kind: str) -> None:
    job = make()
    assert announce(change(before(job), job)) == []
    [event] = listener()
    assert (event["source"], event["detail-type"]) == ("reelhaul", kind)
    detail = event["detail"]
    assert (detail["type"], detail["tenant"], detail["id"]) == (kind, "acme", ids.event_id(job))
    assert detail["data"]["id"] == job.id
    assert "download_url" not in detail["data"]
    assert webhooks(cloud) == []


@pytest.mark.parametrize(("make", "kind"), ENDS)
def test_webhook_gets_its_message_if_one_is_wanted(cloud: Cloud, make: Any, kind: str) -> None:
    job = make(callback_url=URL)
    assert announce(change(before(job), job)) == []
    [message] = webhooks(cloud)
    assert message == WebhookMessage.about(job)
    assert (message.type, message.callback_url, message.attempts) == (kind, URL, 0)
    assert message.snapshot["id"] == job.id


def test_job_that_is_deleted_while_it_is_active_was_cancelled(cloud: Cloud, listener: Any) -> None:
    job = running(callback_url=URL)
    assert announce(change(job, None, at=NOW + 5)) == []
    [event], [message] = listener(), webhooks(cloud)
    assert event["detail-type"] == message.type == "download.cancelled"
    assert event["detail"]["data"]["error"] == message.snapshot["error"] == "Cancelled"
    assert (message.event_id, message.occurred_at) == (ids.event_id(job), NOW + 5)


def silent(job: Job, **fields: Any) -> tuple[Job, Job]:
    return job, dataclasses.replace(job, **fields)


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (None, queued()),
        (queued(), running()),
        silent(running(), updated_at=NOW + 2),
        silent(done(callback_url=URL), webhook=Delivery(event_id="x", state=DeliveryState.DELIVERED)),
        silent(failed(), untidy=True),
        (done(), expired()),
        (failed(), queued()),
        (done(), None),
        (failed(), None),
        (cancelled(), None),
        (expired(), None),
    ],
)
def test_what_is_no_end_of_a_job_is_not_announced(
    cloud: Cloud, listener: Any, old: Job | None, new: Job | None
) -> None:
    assert announce(change(old, new)) == []
    assert (listener(), webhooks(cloud)) == ([], [])


def test_end_of_a_second_generation_is_an_event_of_its_own(cloud: Cloud) -> None:
    first = failed(callback_url=URL)
    waiting = steps.retry(first, now=NOW)
    second = steps.cancel(waiting, now=NOW)
    assert announce(change(before(first), first), change(first, waiting), change(waiting, second)) == []
    assert [message.type for message in webhooks(cloud)] == ["download.failed", "download.cancelled"]
    assert ids.event_id(first) != ids.event_id(second)


@pytest.mark.parametrize("state", [State.DONE, State.FAILED, State.CANCELLED])
@pytest.mark.parametrize("active", sorted(ACTIVE))
def test_from_whichever_state_it_came(cloud: Cloud, state: State, active: State) -> None:
    job = in_state(state, callback_url=URL)
    announce(change(dataclasses.replace(before(job), state=active), job))
    assert len(webhooks(cloud)) == 1


def test_repeated_records_repeat_the_same_event(cloud: Cloud, listener: Any) -> None:
    job = done(callback_url=URL)
    record = change(before(job), job)
    assert announce(record, record) == announce(record) == []
    assert len({event["detail"]["id"] for event in listener()}) == 1
    assert len({message.body() for message in webhooks(cloud)}) == 1


# --- what else is in the table -------------------------------------------------------------------------------------

_KEYS = {"pk": {"S": "TENANT#acme"}, "sk": {"S": "download-00000000000000000000000000"}}
_ENDED = _KEYS | {"state": {"S": "DONE"}, "generation": {"N": "1"}}


@pytest.mark.parametrize(
    "item",
    [
        {"pk": {"S": "DELETED"}, "sk": _KEYS["sk"], "tenant": {"S": "acme"}},
        {"pk": {"S": "TENANT#acme#counts"}, "sk": {"S": "3"}, "done": {"N": "7"}},
        {"pk": {"S": "KEY#ab12"}, "sk": {"S": "KEY"}, "revoked": {"BOOL": True}},
    ],
)
def test_what_is_no_job_is_passed_over(cloud: Cloud, listener: Any, item: Any, caplog: Any) -> None:
    assert announce(of_items(None, item), of_items(item, item), of_items(item, None)) == []
    assert (listener(), webhooks(cloud), caplog.records) == ([], [], [])


@pytest.mark.parametrize(
    ("item", "said"),
    [
        (_ENDED, "change_unreadable"),
        (_ENDED | {"schema": {"N": "1"}, "job": {"S": "{"}}, "change_unreadable"),
        (_ENDED | {"schema": {"N": "99"}, "job": {"S": "{}"}}, "change_newer"),
        (_KEYS, "change_unreadable"),
    ],
)
def test_unreadable_record_is_logged_and_holds_up_nothing(cloud: Cloud, item: Any, said: str, caplog: Any) -> None:
    job = done(callback_url=URL)
    assert announce(of_items(None, item), change(before(job), job)) == []
    assert [message.job_id for message in webhooks(cloud)] == [job.id]
    assert [r.getMessage() for r in caplog.records if r.levelname == "ERROR"] == [said]


# --- what AWS cannot do at the moment -------------------------------------------------------------------------------


@pytest.mark.parametrize(("service", "operation"), [("events", "PutEvents"), ("sqs", "SendMessage")])
def test_from_the_first_that_could_not_be_announced_all_comes_again(
    cloud: Cloud, listener: Any, service: str, operation: str
) -> None:
    first, second, third = (done(callback_url=URL) for _ in range(3))
    records = [change(before(job), job) for job in (first, second, third)]
    assert announce(records[0]) == []
    with refused(service, operation, times=2):  # the SDK itself tries no more often
        assert announce(*records[1:]) == [sequence(records[1])]
    assert {message.job_id for message in webhooks(cloud)} == {first.id}
    assert announce(*records[1:]) == []
    assert {message.job_id for message in webhooks(cloud)} == {second.id, third.id}
    assert {event["detail"]["data"]["id"] for event in listener()} == {first.id, second.id, third.id}


def test_event_that_the_bus_did_not_take_comes_again(cloud: Cloud) -> None:
    job = done(callback_url=URL)
    record = change(before(job), job)

    def spoil(parsed: dict[str, Any], **_: Any) -> None:
        parsed |= {"FailedEntryCount": 1, "Entries": [{"ErrorCode": "ThrottlingException"}]}

    with hooked("after-call", "events", "PutEvents", spoil):
        assert announce(record) == [sequence(record)]
    assert webhooks(cloud) == []


# --- playlists -----------------------------------------------------------------------------------------------------


def test_playlist_is_counted_when_items_end_and_done_with_the_last(cloud: Cloud) -> None:
    parent = expanded(total=2)
    cloud.store.create(parent)
    first, second = item_of(parent, index=1), item_of(parent, failed, index=2)
    cloud.store.create(first)
    cloud.store.create(before(second))
    announce(change(before(first), first))
    seen = cloud.store.get("acme", parent.id)
    assert seen.playlist is not None
    assert (seen.state, seen.playlist.done) == (State.EXPANDED, 1)

    cloud.store.swap(before(second), second)
    announce(change(before(second), second))
    seen = cloud.store.get("acme", parent.id)
    assert seen.playlist is not None
    assert (seen.state, seen.playlist.done, seen.playlist.failed) == (State.DONE, 1, 1)


def test_playlist_is_counted_once_for_many_items(cloud: Cloud) -> None:
    parent = expanded(total=3)
    cloud.store.create(parent)
    items = [item_of(parent, index=index) for index in (1, 2, 3)]
    for item in items:
        cloud.store.create(item)
    queries: list[Any] = []
    with hooked("before-call", "dynamodb", "Query", lambda **call: queries.append(call)):
        announce(*(change(before(item), item) for item in items))
    assert len(queries) == 1
    assert cloud.store.get("acme", parent.id).state is State.DONE


def test_deleted_item_counts_as_ended(cloud: Cloud) -> None:
    parent = expanded(total=1)
    cloud.store.create(parent)
    announce(change(item_of(parent, running), None))
    assert cloud.store.get("acme", parent.id).state is State.DONE


def test_item_of_a_deleted_playlist_is_announced_all_the_same(cloud: Cloud) -> None:
    item = item_of(expanded(), callback_url=URL)
    assert announce(change(before(item), item)) == []
    assert len(webhooks(cloud)) == 1


def test_playlist_that_could_not_be_counted_is_with_the_next_try(cloud: Cloud) -> None:
    parent, other = expanded(total=1), done()
    item = item_of(parent)
    for job in (parent, item):
        cloud.store.create(job)
    records = [change(before(other), other), change(before(item), item)]
    with refused("dynamodb", "Query"):
        assert announce(*records) == [sequence(records[1])]
    assert announce(records[1]) == []
    assert cloud.store.get("acme", parent.id).state is State.DONE


def test_log_holds_no_callback(cloud: Cloud, caplog: Any) -> None:
    job = done(callback_url=URL)
    with refused("sqs", "SendMessage"):
        announce(change(before(job), job))
    announce(change(before(job), job))
    assert caplog.records
    assert "hush" not in caplog.text
    assert not any("hush" in str(vars(record)) for record in caplog.records)
