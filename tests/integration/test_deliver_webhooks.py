"""From a message of the webhook queue to a call that its receiver trusts, or to another try."""

import base64
import contextlib
import dataclasses
import itertools
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from deliver_webhooks import handler
from deliver_webhooks.courier import Courier
from deliver_webhooks.post import Poster
from reelhaul import aws, ids, remove, steps
from reelhaul.errors import FileExpired, SourceNotFound
from reelhaul.jobs import Delivery, DeliveryState, Job, State
from reelhaul.links import S3Links
from reelhaul.webhooks import WebhookMessage, WebhookQueue, schedule
from reelhaul.webhooks.signing import WebhookSecrets, as_secret, tenant_key
from tests.authority import Authority
from tests.canaries import WEBHOOK_MASTER
from tests.conftest import Cloud
from tests.events import Context, sqs_event
from tests.faults import hooked, meanwhile, refused, reply_lost
from tests.jobs_in import cancelled, done, expanded, expired, failed, queued
from tests.receiver import Receiver

Start = Callable[..., Receiver]


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def answering(cloud: Cloud, authority: Authority, monkeypatch: pytest.MonkeyPatch) -> Iterator[Start]:
    """Starts the receiver of all webhooks: `answering(500, 200)`. The function trusts it and may go there."""
    monkeypatch.setenv("SSL_CERT_FILE", str(authority.roots))
    with contextlib.ExitStack() as exits:

        def start(*answers: Any, allowed: bool = True) -> Receiver:
            receiver = exits.enter_context(Receiver(authority, *answers))
            monkeypatch.setenv("ALLOWED_ORIGINS", receiver.origin if allowed else "")
            handler.dependencies.cache_clear()
            return receiver

        yield start


@pytest.fixture
def sent(cloud: Cloud) -> Iterator[list[WebhookMessage]]:
    """Every message that is sent, however long SQS holds it back."""
    messages: list[WebhookMessage] = []

    def note(params: dict[str, Any], **_: Any) -> None:
        messages.append(WebhookMessage.parse(params["MessageBody"]))

    with hooked("provide-client-params", "sqs", "SendMessage", note):
        yield messages


def put(cloud: Cloud, receiver: Receiver, make: Callable[..., Job] = done, path: str = "/hook", **fields: Any) -> Job:
    job = make(now=round(time.time() - 1, 3), callback_url=receiver.url(path), **fields)
    cloud.store.create(job)
    return job


def deliver(message: WebhookMessage | str) -> bool:
    """Whether that settled the message; else it comes again."""
    reply = handler.lambda_handler(sqs_event(message if isinstance(message, str) else message.body()), Context())
    assert reply in ({"batchItemFailures": []}, {"batchItemFailures": [{"itemIdentifier": "message-0"}]})
    return not reply["batchItemFailures"]


def about(job: Job, **fields: Any) -> WebhookMessage:
    return dataclasses.replace(WebhookMessage.about(job), **fields)


def due(message: WebhookMessage) -> WebhookMessage:
    """As if its time had come."""
    return dataclasses.replace(message, not_before=0.0)


def webhook_of(cloud: Cloud, job: Job) -> Delivery:
    webhook = cloud.store.get(job.tenant, job.id).webhook
    assert webhook is not None
    return webhook


# --- what the receiver gets ------------------------------------------------------------------------------------------


def test_receiver_can_verify_what_it_gets(cloud: Cloud, answering: Start, sent: list[WebhookMessage]) -> None:
    receiver = answering(200)
    job = put(cloud, receiver, path="/hook?token=hush")
    assert deliver(about(job))
    [received] = receiver.received
    secret = as_secret(tenant_key(WEBHOOK_MASTER, "acme"))
    body = Webhook(secret).verify(received.body, received.headers)
    assert (body["type"], body["data"]["id"], body["data"]["status"]) == ("download.completed", job.id, "done")
    assert received.headers["webhook-id"] == ids.event_id(job)
    assert received.headers["content-type"] == "application/json"
    assert received.path == "/hook?token=hush"
    webhook = webhook_of(cloud, job)
    assert (webhook.state, webhook.attempts, webhook.response_status) == (DeliveryState.DELIVERED, 1, 200)
    assert (webhook.next_attempt_at, webhook.error) == (None, None)
    assert sent == []


def test_after_a_rotation_receivers_with_the_old_secret_and_with_the_new_one_trust_it(
    cloud: Cloud, answering: Start
) -> None:
    receiver = answering(200)
    aws.client("secretsmanager").put_secret_value(SecretId=cloud.webhook_secret, SecretString="another master")
    deliver(about(put(cloud, receiver)))
    [received] = receiver.received
    for master in (WEBHOOK_MASTER, "another master"):
        Webhook(as_secret(tenant_key(master, "acme"))).verify(received.body, received.headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(as_secret(tenant_key("another master", "other"))).verify(received.body, received.headers)


def test_finished_job_comes_with_a_fresh_link(cloud: Cloud, answering: Start) -> None:
    receiver = answering(200)
    job = put(cloud, receiver)
    assert "download_url" not in WebhookMessage.about(job).snapshot  # it did not come through the queue
    deliver(about(job))
    data = receiver.received[0].json["data"]
    assert job.stored is not None
    assert job.stored.key in data["download_url"]
    assert "X-Amz-Expires=86400" in data["download_url"]


@pytest.mark.parametrize(
    ("make", "kind", "error"),
    [
        (failed, "download.failed", SourceNotFound.sentence),
        (cancelled, "download.cancelled", "Cancelled"),
        (expired, "download.completed", FileExpired.sentence),
    ],
)  # fmt: skip
def test_job_without_a_file_is_told_without_a_link(
    cloud: Cloud, answering: Start, make: Any, kind: str, error: str
) -> None:
    receiver = answering(200)
    deliver(about(put(cloud, receiver, make)))
    body = receiver.received[0].json
    assert (body["type"], body["data"]["error"]) == (kind, error)
    assert "download_url" not in body["data"]


def test_playlist_is_told_by_its_counts(cloud: Cloud, answering: Start) -> None:
    receiver = answering(200)
    now = round(time.time(), 3)
    parent = expanded(total=2, now=now, callback_url=receiver.url())
    assert parent.playlist is not None
    ended = steps.recount(parent, dataclasses.replace(parent.playlist, done=1, failed=1), now=now)
    cloud.store.create(ended)
    deliver(about(ended))
    data = receiver.received[0].json["data"]
    assert (data["items_done"], data["items_failed"], data["items_total"]) == (1, 1, 2)
    assert "items" not in data


def test_deleted_job_is_told_as_it_was(cloud: Cloud, answering: Start, sent: list[WebhookMessage]) -> None:
    receiver = answering(500, 200)
    job = put(cloud, receiver)
    message = about(job)
    remove.delete("acme", job.id, store=cloud.store, bucket=cloud.media, log=print)
    assert deliver(message)
    [following] = sent
    assert following.attempts == 1
    assert deliver(due(following))
    assert [received.json["data"] for received in receiver.received] == [message.snapshot] * 2
    assert sent == [following]


def test_retried_job_is_told_of_its_earlier_end_and_not_changed(cloud: Cloud, answering: Start) -> None:
    receiver = answering(200)
    job = put(cloud, receiver, failed)
    message = about(job)
    again = cloud.store.swap(job, steps.retry(job, now=round(time.time(), 3)))
    assert deliver(message)
    assert receiver.received[0].event == ("download.failed", job.id)
    assert receiver.received[0].headers["webhook-id"] == message.event_id
    assert cloud.store.get("acme", job.id) == again


# --- when it does not work -------------------------------------------------------------------------------------------


def test_failed_attempt_is_repeated_and_has_the_same_id(
    cloud: Cloud, answering: Start, sent: list[WebhookMessage]
) -> None:
    receiver = answering(500, 200)
    job = put(cloud, receiver)
    assert deliver(about(job))
    webhook = webhook_of(cloud, job)
    assert (webhook.state, webhook.attempts, webhook.response_status) == (DeliveryState.PENDING, 1, 500)
    assert webhook.error == "The target answered 500."
    assert webhook.last_attempt_at is not None
    assert webhook.next_attempt_at is not None
    assert 5 <= webhook.next_attempt_at - webhook.last_attempt_at <= 5.6
    [following] = sent
    assert (following.attempts, following.not_before) == (1, webhook.next_attempt_at)
    assert deliver(due(following))
    webhook = webhook_of(cloud, job)
    assert (webhook.state, webhook.attempts, webhook.response_status) == (DeliveryState.DELIVERED, 2, 200)
    assert len({received.headers["webhook-id"] for received in receiver.received}) == 1


def test_410_stops_it(cloud: Cloud, answering: Start, sent: list[WebhookMessage]) -> None:
    job = put(cloud, answering(410))
    assert deliver(about(job))
    webhook = webhook_of(cloud, job)
    assert (webhook.state, webhook.response_status) == (DeliveryState.STOPPED, 410)
    assert sent == []


def test_redirect_is_a_failure_and_reaches_nobody(cloud: Cloud, answering: Start, authority: Authority) -> None:
    with Receiver(authority) as canary:
        receiver = answering((302, {"Location": canary.url()}))
        job = put(cloud, receiver)
        deliver(about(job))
        assert canary.connections == 0
    webhook = webhook_of(cloud, job)
    assert (webhook.state, webhook.response_status) == (DeliveryState.PENDING, 302)
    assert webhook.error == "The target answered 302, and redirects are not followed."


def test_inside_is_never_called(cloud: Cloud, answering: Start, sent: list[WebhookMessage]) -> None:
    canary = answering(200, allowed=False)
    job = put(cloud, canary)
    assert deliver(about(job))
    webhook = webhook_of(cloud, job)
    assert (webhook.state, webhook.response_status) == (DeliveryState.PENDING, None)
    assert webhook.error == "This service does not connect to the address that the target is at."
    assert canary.connections == 0
    assert len(sent) == 1


def test_target_may_ask_for_patience(cloud: Cloud, answering: Start) -> None:
    job = put(cloud, answering((429, {"Retry-After": "120"})))
    deliver(about(job))
    webhook = webhook_of(cloud, job)
    assert webhook.next_attempt_at is not None
    assert webhook.last_attempt_at is not None
    assert webhook.next_attempt_at - webhook.last_attempt_at == pytest.approx(120, abs=0.01)


# --- the schedule ----------------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = float(int(time.time()))

    def __call__(self) -> float:
        return self.now


class Quiet:
    def info(self, *_: object, **__: object) -> None:
        pass


def courier(cloud: Cloud, receiver: Receiver, clock: Clock) -> Courier:
    secrets = aws.client("secretsmanager")
    return Courier(
        store=cloud.store,
        queue=WebhookQueue(aws.client("sqs"), cloud.webhook_queue_url),
        links=S3Links(secrets, cloud.link_secret, cloud.bucket),
        secrets=WebhookSecrets(secrets, cloud.webhook_secret),
        poster=Poster(allowed_origins=frozenset({receiver.origin})),
        logger=Quiet(),
        clock=clock,
    )


def test_target_that_never_answers_well_is_tried_for_a_day_and_then_given_up(
    cloud: Cloud, answering: Start, sent: list[WebhookMessage]
) -> None:
    receiver, clock, delays = answering(500), Clock(), list[int]()
    job = put(cloud, receiver)
    begun, messages = clock.now, iter(sent)
    courier_ = courier(cloud, receiver, clock)
    with hooked(
        "provide-client-params", "sqs", "SendMessage", lambda params, **_: delays.append(params["DelaySeconds"])
    ):
        courier_.run(about(job))
        for message, number in zip(messages, itertools.count()):
            assert number < 200
            clock.now += delays[number]
            courier_.run(message)
    webhook = webhook_of(cloud, job)
    assert (webhook.state, webhook.attempts) == (DeliveryState.FAILED, schedule.MAX_ATTEMPTS)
    assert webhook.error == "The target answered 500."
    assert len(receiver.received) == schedule.MAX_ATTEMPTS
    assert 19 * 3600 < clock.now - begun <= 24 * 3600
    assert max(delays) <= 900


def test_early_message_is_sent_on_and_calls_nobody(cloud: Cloud, answering: Start, sent: list[WebhookMessage]) -> None:
    receiver = answering(200)
    message = about(put(cloud, receiver), not_before=time.time() + 5000)
    assert deliver(message)
    assert sent == [message]
    assert receiver.connections == 0


# --- at least once, and one chain ------------------------------------------------------------------------------------


def test_message_that_comes_again_after_its_attempt_does_nothing(
    cloud: Cloud, answering: Start, sent: list[WebhookMessage]
) -> None:
    receiver = answering(500)
    message = about(put(cloud, receiver))
    assert deliver(message)
    assert deliver(message)
    assert len(receiver.received) == len(sent) == 1


@pytest.mark.parametrize("answer", [200, 410])
def test_nothing_is_said_after_the_end_of_a_delivery(cloud: Cloud, answering: Start, answer: int) -> None:
    receiver = answering(answer)
    job = put(cloud, receiver)
    for attempts in (0, 0, 1):
        assert deliver(about(job, attempts=attempts))
    assert len(receiver.received) == 1


def test_two_who_make_the_same_attempt_leave_one_message(
    cloud: Cloud, answering: Start, sent: list[WebhookMessage]
) -> None:
    receiver = answering(500)
    job = put(cloud, receiver)
    with meanwhile("dynamodb", "PutItem", lambda: deliver(about(job))):
        assert deliver(about(job))
    assert len(receiver.received) == 2
    assert [message.attempts for message in sent] == [1]
    assert webhook_of(cloud, job).attempts == 1


def test_crash_before_the_outcome_is_written_repeats_the_call_with_the_same_id(
    cloud: Cloud, answering: Start, sent: list[WebhookMessage]
) -> None:
    receiver = answering(200)
    job = put(cloud, receiver)
    with refused("dynamodb", "PutItem"):
        assert not deliver(about(job))
    assert webhook_of(cloud, job).state is DeliveryState.PENDING
    assert deliver(about(job))
    assert webhook_of(cloud, job).state is DeliveryState.DELIVERED
    assert [received.headers["webhook-id"] for received in receiver.received] == [ids.event_id(job)] * 2
    assert sent == []


def test_crash_before_the_next_message_is_sent_is_mended_by_the_sweepers_message(
    cloud: Cloud, answering: Start
) -> None:
    receiver = answering(500, 200)
    job = put(cloud, receiver)
    with refused("sqs", "SendMessage"):
        assert not deliver(about(job))
    assert deliver(about(job))  # SQS brings it again: it is stale
    assert len(receiver.received) == 1
    left = cloud.store.get("acme", job.id)
    assert left.due_at is not None
    assert left.webhook is not None
    assert left.webhook.next_attempt_at is not None
    assert left.due_at - left.webhook.next_attempt_at == pytest.approx(600)  # when the sweeper looks at it
    cloud.store.swap(left, again := steps.announce_again(left, now=time.time()))
    WebhookQueue(aws.client("sqs"), cloud.webhook_queue_url).send(again)
    [body] = cloud.messages(cloud.webhook_queue_url)
    assert deliver(body)
    assert (webhook_of(cloud, job).state, webhook_of(cloud, job).attempts) == (DeliveryState.DELIVERED, 2)


def test_lost_reply_of_the_table_loses_nothing(cloud: Cloud, answering: Start, sent: list[WebhookMessage]) -> None:
    receiver = answering(500)
    job = put(cloud, receiver)
    with reply_lost("dynamodb", "PutItem") as lost:
        settled = deliver(about(job))
    assert lost
    assert settled or deliver(about(job))
    assert webhook_of(cloud, job).attempts == 1
    assert len(receiver.received) == 1


def test_table_that_cannot_be_read_keeps_the_target_from_being_called(cloud: Cloud, answering: Start) -> None:
    receiver = answering(200)
    job = put(cloud, receiver)
    with refused("dynamodb", "GetItem"):
        assert not deliver(about(job))
    assert receiver.connections == 0
    assert deliver(about(job))


def test_without_the_secret_nothing_is_sent_unsigned(cloud: Cloud, answering: Start) -> None:
    receiver = answering(200)
    job = put(cloud, receiver, failed)
    with refused("secretsmanager", "GetSecretValue"):
        assert not deliver(about(job))
    assert receiver.connections == 0


def test_job_deleted_during_the_call_is_told_on(cloud: Cloud, answering: Start, sent: list[WebhookMessage]) -> None:
    receiver = answering(500)
    job = put(cloud, receiver)
    delete = lambda: remove.delete("acme", job.id, store=cloud.store, bucket=cloud.media, log=print)  # noqa: E731
    with meanwhile("dynamodb", "PutItem", delete):
        assert deliver(about(job))
    assert [message.attempts for message in sent] == [1]


@pytest.mark.parametrize("body", ["", "{}", '{"version": 9}'])
def test_what_is_not_ours_is_left_for_the_dead_letters(
    cloud: Cloud, answering: Start, body: str, caplog: pytest.LogCaptureFixture
) -> None:
    assert not deliver(body)
    assert [record.getMessage() for record in caplog.records] == ["message_malformed"]


def test_state_of_other_jobs_and_of_this_one_is_left_alone(cloud: Cloud, answering: Start) -> None:
    receiver = answering(200)
    other, job = put(cloud, receiver, queued), put(cloud, receiver)
    deliver(about(job))
    after = cloud.store.get("acme", job.id)
    assert cloud.store.get("acme", other.id) == other
    assert (after.state, after.stored, after.completed_at) == (State.DONE, job.stored, job.completed_at)
    assert after.due_at == job.file_expires_at  # the sweeper comes for the file, no more for the webhook


def test_log_tells_the_host_and_no_secret(cloud: Cloud, answering: Start, caplog: pytest.LogCaptureFixture) -> None:
    receiver = answering(500)
    job = put(cloud, receiver, path="/hook/deeply?token=hush")
    deliver(about(job))
    deliver(about(job))
    with refused("dynamodb", "GetItem"):
        deliver(about(job))
    said = json.dumps([vars(record) for record in caplog.records], default=str)
    assert "webhook_attempted" in said
    assert "webhook_stale" in said
    assert "127.0.0.1" in said
    signature = receiver.received[0].headers["webhook-signature"].removeprefix("v1,")
    key = base64.b64encode(tenant_key(WEBHOOK_MASTER, "acme")).decode()
    for secret in ("hush", "deeply", signature, key, "a master secret", "X-Amz-Signature"):
        assert secret not in said
