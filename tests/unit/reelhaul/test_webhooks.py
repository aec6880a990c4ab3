"""Webhooks: how they are signed, when they are tried again, and their message in the queue."""

import base64
import dataclasses
import json
import random
import time
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook, WebhookVerificationError

from reelhaul import aws, ids, jobs
from reelhaul.errors import MalformedMessage, ServiceUnavailable
from reelhaul.jobs import DeliveryState, Job
from reelhaul.webhooks import WebhookMessage, WebhookQueue, events, schedule
from reelhaul.webhooks.schedule import Outcome
from reelhaul.webhooks.signing import WebhookSecrets, as_secret, signed_headers, tenant_key
from tests.canaries import WEBHOOK_MASTER
from tests.conftest import Cloud
from tests.faults import refused
from tests.jobs_in import NOW, cancelled, done, expired, failed, queued

URL = "https://hooks.example/x?token=hush"
BODY = '{"type":"download.completed","data":{"title":"文字 “x”"}}'.encode()
DAY_S = 86_400


def key_of(tenant: str, master: str = "master") -> bytes:
    return tenant_key(master, tenant)


def headers_for(*keys: bytes, event_id: str = "msg_1", now: float | None = None, body: bytes = BODY) -> dict[str, str]:
    return signed_headers(keys, event_id=event_id, now=time.time() if now is None else now, body=body)


# --- signatures ------------------------------------------------------------------------------------------------------


def test_receivers_library_accepts_what_was_signed() -> None:
    receiver = Webhook(as_secret(key_of("acme")))
    assert receiver.verify(BODY, headers_for(key_of("acme"))) == json.loads(BODY)


def test_library_signs_alike() -> None:
    at = datetime(2026, 11, 22, 1, 2, 3, tzinfo=UTC)
    expected = Webhook(as_secret(key_of("acme"))).sign("msg_1", at, BODY.decode())
    assert headers_for(key_of("acme"), now=at.timestamp() + 0.9)["webhook-signature"] == expected


@pytest.mark.parametrize(
    "changed",
    [{"webhook-id": "msg_2"}, {"webhook-timestamp": str(int(time.time()) - 60)}, {"webhook-signature": "v1,AAAA"}],
)
def test_anything_changed_on_the_way_is_refused(changed: dict[str, str]) -> None:
    headers = headers_for(key_of("acme")) | changed
    with pytest.raises(WebhookVerificationError):
        Webhook(as_secret(key_of("acme"))).verify(BODY, headers)
    with pytest.raises(WebhookVerificationError):
        Webhook(as_secret(key_of("acme"))).verify(BODY + b" ", headers_for(key_of("acme")))


def test_replay_after_some_minutes_is_refused() -> None:
    with pytest.raises(WebhookVerificationError, match="too old"):
        Webhook(as_secret(key_of("acme"))).verify(BODY, headers_for(key_of("acme"), now=time.time() - 400))


def test_tenants_cannot_forge_each_others_webhooks() -> None:
    with pytest.raises(WebhookVerificationError):
        Webhook(as_secret(key_of("acme"))).verify(BODY, headers_for(key_of("other")))


def test_secret_has_the_form_that_the_specification_asks_for() -> None:
    prefix, _, text = as_secret(key_of("acme")).partition("_")
    assert prefix == "whsec"
    assert 24 <= len(base64.b64decode(text, validate=True)) <= 64


def test_signed_with_two_keys_it_is_trusted_by_who_knows_either() -> None:
    headers = headers_for(key_of("acme", "new"), key_of("acme", "old"))
    for master in ("new", "old"):
        assert Webhook(as_secret(key_of("acme", master))).verify(BODY, headers)
    assert len(headers["webhook-signature"].split(" ")) == 2


# --- the master secret -----------------------------------------------------------------------------------------------


class Clock:
    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> float:
        return self.now


def secrets_of(cloud: Cloud, clock: Clock) -> WebhookSecrets:
    return WebhookSecrets(aws.client("secretsmanager"), cloud.webhook_secret, clock=clock)


def rotate(cloud: Cloud, master: str) -> None:
    aws.client("secretsmanager").put_secret_value(SecretId=cloud.webhook_secret, SecretString=master)


def test_before_the_first_rotation_there_is_one_key(cloud: Cloud) -> None:
    assert secrets_of(cloud, Clock()).keys("acme") == (key_of("acme", WEBHOOK_MASTER),)


def test_after_a_rotation_the_previous_key_signs_too(cloud: Cloud) -> None:
    clock = Clock()
    secrets = secrets_of(cloud, clock)
    first = secrets.keys("acme")
    rotate(cloud, "another")
    assert secrets.keys("acme") == first  # read every five minutes only
    clock.now += 301
    assert secrets.keys("acme") == (key_of("acme", "another"), *first)


def test_known_keys_do_while_the_secret_cannot_be_read(cloud: Cloud) -> None:
    clock = Clock()
    secrets = secrets_of(cloud, clock)
    known = secrets.keys("acme")
    clock.now += 301
    with refused("secretsmanager", "GetSecretValue") as refusals:
        assert secrets.keys("acme") == known
    assert refusals


def test_without_any_key_it_is_our_trouble(cloud: Cloud) -> None:
    with refused("secretsmanager", "GetSecretValue"), pytest.raises(ServiceUnavailable):
        secrets_of(cloud, Clock()).keys("acme")


# --- when it is tried again ------------------------------------------------------------------------------------------


def after(attempts: int, outcome: Outcome, *, now: float = NOW, jitter: Any = random.uniform) -> jobs.Delivery:
    return schedule.after(attempts, outcome, event_id="msg_1", now=now, jitter=jitter)


@pytest.mark.parametrize("status", [200, 201, 204, 299])
def test_every_2xx_is_a_delivery(status: int) -> None:
    delivery = after(2, Outcome(status=status))
    assert (delivery.state, delivery.attempts, delivery.response_status) == (DeliveryState.DELIVERED, 3, status)
    assert (delivery.error, delivery.next_attempt_at, delivery.last_attempt_at) == (None, None, NOW)


def test_410_is_the_end_of_it() -> None:
    delivery = after(0, Outcome(status=410))
    assert (delivery.state, delivery.next_attempt_at) == (DeliveryState.STOPPED, None)
    assert delivery.error == "The target answered 410: it wants no more."


@pytest.mark.parametrize("status", [103, 301, 302, 307, 400, 404, 500, 502])
def test_any_other_status_is_tried_again_and_told(status: int) -> None:
    delivery = after(0, Outcome(status=status), jitter=min)
    assert (delivery.state, delivery.next_attempt_at) == (DeliveryState.PENDING, NOW + 5)
    assert str(status) in str(delivery.error)


def test_what_went_wrong_before_there_was_a_status_is_told() -> None:
    delivery = after(0, Outcome(error="The target did not answer in time."))
    assert (delivery.state, delivery.response_status) == (DeliveryState.PENDING, None)
    assert delivery.error == "The target did not answer in time."


@pytest.mark.parametrize("status", [429, 503])
def test_target_may_ask_for_more_patience_within_bounds(status: int) -> None:
    assert after(0, Outcome(status=status, retry_after_s=60)).next_attempt_at == NOW + 60
    assert after(0, Outcome(status=status, retry_after_s=1e9)).next_attempt_at == NOW + 900
    assert (after(4, Outcome(status=status, retry_after_s=0)).next_attempt_at or 0) >= NOW + 1800


def test_other_statuses_may_not_ask_for_patience() -> None:
    assert (after(0, Outcome(status=500, retry_after_s=60)).next_attempt_at or 0) < NOW + 6


@pytest.mark.parametrize("outcome", [Outcome(status=500), Outcome(status=503, retry_after_s=1e9)])
@pytest.mark.parametrize("jitter", [min, max])
def test_the_last_attempt_comes_most_of_a_day_after_the_first_and_within_it(outcome: Outcome, jitter: Any) -> None:
    now, attempts = NOW, 0
    while True:
        delivery = after(attempts, outcome, now=now, jitter=jitter)
        if delivery.state is not DeliveryState.PENDING:
            break
        assert (delivery.next_attempt_at or 0) > now
        now, attempts = delivery.next_attempt_at or 0, delivery.attempts
    assert delivery.state is DeliveryState.FAILED
    assert delivery.attempts == schedule.MAX_ATTEMPTS
    assert 0.8 * DAY_S < now - NOW <= DAY_S


def test_what_failed_together_does_not_come_again_together() -> None:
    times = {after(5, Outcome(status=500)).next_attempt_at for _ in range(20)}
    assert len(times) > 10


# --- what is said ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "kind"),
    [
        (done, "download.completed"),
        (failed, "download.failed"),
        (cancelled, "download.cancelled"),
        (expired, "download.completed"),
    ],
)
def test_event_is_named_for_how_the_job_ended(make: Any, kind: str) -> None:
    assert events.event_type(make()) == kind


def test_job_that_has_not_ended_is_no_event() -> None:
    with pytest.raises(ValueError, match="has not ended"):
        events.event_type(queued())


def test_bus_learns_whose_job_it_was_and_neither_links_nor_callbacks() -> None:
    job = done(callback_url=URL)
    detail = events.bus_detail(job)
    assert (detail["id"], detail["tenant"], detail["type"]) == (ids.event_id(job), "acme", "download.completed")
    assert detail["timestamp"] == "2026-11-22T00:00:00.000Z"
    assert (detail["data"]["id"], detail["data"]["status"]) == (job.id, "done")
    assert "hush" not in json.dumps(detail)
    assert "X-Amz" not in json.dumps(detail)


# --- the message -----------------------------------------------------------------------------------------------------


def message(**fields: Any) -> WebhookMessage:
    return dataclasses.replace(WebhookMessage.about(done(callback_url=URL)), **fields)


def test_message_survives_its_way_through_the_queue() -> None:
    sent = message(attempts=3, not_before=NOW + 0.5)
    assert WebhookMessage.parse(sent.body()) == sent


def test_first_message_is_about_the_end_of_the_job_and_due_at_once() -> None:
    job = failed(callback_url=URL)
    about = WebhookMessage.about(job)
    assert (about.event_id, about.type, about.occurred_at) == (ids.event_id(job), "download.failed", NOW)
    assert (about.attempts, about.not_before, about.callback_url) == (0, 0.0, URL)


def test_next_message_continues_where_the_last_attempt_ended() -> None:
    following = message().after(after(4, Outcome(status=500), jitter=min))
    assert (following.attempts, following.not_before) == (5, NOW + 1800)


@pytest.mark.parametrize("make", [queued, done])
def test_there_is_no_message_about_what_nobody_is_to_know(make: Any) -> None:
    with pytest.raises(ValueError, match="nobody"):
        WebhookMessage.about(make())


@pytest.mark.parametrize(
    "change",
    [
        {"version": 2}, {"version": None}, {"tenant": ""}, {"tenant": 1}, {"job_id": "x"}, {"generation": "1"},
        {"attempts": -1}, {"attempts": True}, {"attempts": 1.5}, {"not_before": "soon"}, {"snapshot": []},
        {"callback_url": None},
    ],
)  # fmt: skip
def test_what_is_not_ours_is_malformed(change: dict[str, Any]) -> None:
    with pytest.raises(MalformedMessage):
        WebhookMessage.parse(json.dumps(json.loads(message().body()) | change))


@pytest.mark.parametrize("body", ["", "nothing", "[]", "{}", "null", '{"version": 1}'])
def test_what_is_no_message_at_all_is_malformed(body: str) -> None:
    with pytest.raises(MalformedMessage):
        WebhookMessage.parse(body)


def queue_of(cloud: Cloud) -> WebhookQueue:
    return WebhookQueue(aws.client("sqs"), cloud.webhook_queue_url)


def test_message_about_a_job_can_be_taken_at_once(cloud: Cloud) -> None:
    job: Job = done(callback_url=URL)
    queue_of(cloud).send(job)
    assert [WebhookMessage.parse(body) for body in cloud.messages(cloud.webhook_queue_url)] == [
        WebhookMessage.about(job)
    ]


@pytest.mark.parametrize(("left_s", "delay_s"), [(-5.0, 0), (0.2, 1), (30.0, 30), (900.0, 900), (20_000.0, 900)])
def test_message_is_delayed_as_far_as_sqs_allows(cloud: Cloud, left_s: float, delay_s: int) -> None:
    delays: list[int] = []
    name = "provide-client-params.sqs.SendMessage"
    aws.client("sqs").meta.events.register(name, watch := lambda params, **_: delays.append(params["DelaySeconds"]))
    try:
        queue_of(cloud).send_later(message(not_before=NOW + left_s), now=NOW)
    finally:
        aws.client("sqs").meta.events.unregister(name, watch)
    assert delays == [delay_s]


def test_failure_to_send_is_our_trouble(cloud: Cloud) -> None:
    with refused("sqs", "SendMessage"), pytest.raises(ServiceUnavailable):
        queue_of(cloud).send(done(callback_url=URL))
