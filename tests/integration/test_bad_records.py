"""A record that cannot be read ends its job and holds up nobody else's: whoever meets it, however it is damaged."""

import dataclasses
import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from announcer import handler as announcer
from dead_letters import handler as dead_letters
from deliver_webhooks import handler as deliver_webhooks
from deliver_webhooks.post import Poster
from downloader import handler as downloader
from reelhaul import aws, ids, items
from reelhaul.errors import JobNotFound, RecordUnreadable
from reelhaul.jobs import Job, PlaylistItem, State
from reelhaul.queue import JobMessage
from reelhaul.webhooks import WebhookMessage
from reelhaul.webhooks.schedule import Outcome
from sweeper import handler as sweeper
from tests import counters, stream
from tests.conftest import Cloud
from tests.events import Context, sqs_event
from tests.integration.conftest import Api
from tests.jobs_in import done, expanded, failed, queued, running

Item = dict[str, Any]
Damage = Callable[[Item], Item]


def _without(field: str) -> Damage:
    def damage(item: Item) -> Item:
        fields = json.loads(item["job"])
        del fields[field]
        return item | {"job": json.dumps(fields)}

    return damage


def _with(**fields: Any) -> Damage:
    return lambda item: item | {"job": json.dumps(json.loads(item["job"]) | fields)}


def _dropped(*names: str) -> Damage:
    return lambda item: {name: value for name, value in item.items() if name not in names}


DAMAGES: dict[str, Damage] = {
    **{f"no {field}": _without(field) for field in ("url", "options", "created_at", "state", "fence", "generation")},
    "a number as a text": _with(attempts="1"),
    "an unknown state": _with(state="ASLEEP"),
    "options that are none": _with(options=[1]),
    "not JSON": lambda item: item | {"job": item["job"][:40]},
    "another kind of JSON": lambda item: item | {"job": "[1]"},
    "no text": _dropped("job"),
    "no schema": _dropped("schema"),
    "no state to compare": _dropped("state"),
    "no fence to compare": _dropped("fence"),
    "nothing but its key, and when it is due": _dropped("schema", "state", "fence", "generation", "job", "written_as"),
}
NEWER: Damage = lambda item: item | {"schema": 99}  # noqa: E731 - of the same kind as those above
EVERY_DAMAGE = pytest.mark.parametrize("damage", DAMAGES.values(), ids=list(DAMAGES))


def put(
    cloud: Cloud, damage: Damage, make: Callable[..., Job] = queued, *, seconds_ago: float = 100, **fields: Any
) -> Job:
    """A job that was stored as jobs are, and damaged since."""
    job = make(now=round(time.time() - seconds_ago, 3), **fields)
    cloud.store.create(job)
    spoil(cloud, job, damage)
    return job


def spoil(cloud: Cloud, job: Job, damage: Damage) -> None:
    aws.client("dynamodb").put_item(TableName=cloud.table, Item=items.to_wire(damage(raw(cloud, job))))


def raw(cloud: Cloud, job: Job) -> Item:
    key = items.to_wire({"pk": items.partition(job.tenant), "sk": job.id})
    return items.from_wire(aws.client("dynamodb").get_item(TableName=cloud.table, Key=key)["Item"])


def sweep() -> dict[str, int]:
    return sweeper.lambda_handler({}, Context(remaining_ms=55_000))  # type: ignore[arg-type]


def message(job: Job) -> dict[str, Any]:
    return sqs_event(JobMessage(tenant=job.tenant, job_id=job.id, generation=job.generation).body())


def in_error(cloud: Cloud, job: Job) -> Job:
    after = cloud.store.get(job.tenant, job.id)
    assert (after.state, after.error_code) == (State.FAILED, "job.damaged")
    assert counters.differences(cloud, ["acme"]) == []
    return after


# --- damaged ---------------------------------------------------------------------------------------------------------


@EVERY_DAMAGE
def test_the_sweeper_ends_a_job_whose_record_is_damaged(cloud: Cloud, damage: Damage) -> None:
    job = put(cloud, damage, running)
    cloud.put_object(ids.object_key(job, "mp4"))

    assert sweep() == {"condemned": 1}

    after = in_error(cloud, job)
    assert (after.generation, after.untidy) == (1, True)  # what it may have left is looked for
    assert sweep() == {}


@EVERY_DAMAGE
def test_a_message_about_a_damaged_record_ends_the_job_as_a_dead_letter(
    cloud: Cloud, damage: Damage, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORK_DIRECTORY", str(tmp_path))
    job = put(cloud, damage)

    assert downloader.lambda_handler(message(job), Context()) == {
        "batchItemFailures": [{"itemIdentifier": "message-0"}]
    }
    assert dead_letters.lambda_handler(message(job), Context()) == {"batchItemFailures": []}

    in_error(cloud, job)


def test_one_damaged_record_does_not_keep_the_sweeper_from_the_others(cloud: Cloud) -> None:
    put(cloud, DAMAGES["no url"])
    other = queued(now=time.time() - 100)
    cloud.store.create(other)
    assert sweep() == {"condemned": 1, "resent": 1}


def test_what_two_sweepers_find_damaged_ends_once(cloud: Cloud) -> None:
    job = put(cloud, DAMAGES["no url"])
    cloud.store.condemn(job.tenant, job.id)
    after = in_error(cloud, job)
    cloud.store.condemn(job.tenant, job.id)
    assert cloud.store.get(job.tenant, job.id) == after


@pytest.mark.parametrize("make", [queued, running, done, failed, expanded])
def test_whatever_a_damaged_job_was_its_counters_are_right_afterwards(cloud: Cloud, make: Any) -> None:
    job = put(cloud, DAMAGES["not JSON"], make)
    cloud.store.condemn(job.tenant, job.id)
    in_error(cloud, job)


def test_the_end_of_a_damaged_job_is_announced_if_it_had_not_ended(cloud: Cloud) -> None:
    for make, announced in ((running, 1), (done, 0)):
        job = put(cloud, DAMAGES["no url"], make, callback_url="https://hooks.example/x")
        was = items.to_wire(raw(cloud, job))
        cloud.store.condemn(job.tenant, job.id)
        record = stream.of_items(was, items.to_wire(raw(cloud, job)))
        assert announcer.lambda_handler({"Records": [record]}, Context()) == {"batchItemFailures": []}
        told = [WebhookMessage.parse(body).type for body in cloud.messages(cloud.webhook_queue_url)]
        assert told == ["download.failed"] * announced


def test_an_announcement_of_a_damaged_record_holds_up_nothing(cloud: Cloud) -> None:
    spoilt, other = failed(), failed(callback_url="https://hooks.example/x")
    records = [
        stream.of_items(
            items.to_wire(items.to_item(running())), items.to_wire(DAMAGES["not JSON"](items.to_item(spoilt)))
        ),
        stream.change(running(callback_url="https://hooks.example/x"), other),
    ]
    assert announcer.lambda_handler({"Records": records}, Context()) == {"batchItemFailures": []}
    assert len(cloud.messages(cloud.webhook_queue_url)) == 1


def test_an_owner_is_asked_to_come_again_until_the_damage_is_seen_to(cloud: Cloud, api: Api) -> None:
    job = put(cloud, DAMAGES["no url"])
    reply = api("GET", f"/download/{job.id}")
    assert (reply.status, reply.body["code"]) == (503, "service.unavailable")
    sweep()
    shown = api("GET", f"/download/{job.id}").body["data"]
    assert (shown["status"], shown["error_code"]) == ("error", "job.damaged")


@EVERY_DAMAGE
def test_a_damaged_job_can_be_deleted(cloud: Cloud, api: Api, damage: Damage) -> None:
    job = put(cloud, damage, done)
    cloud.put_object(f"acme/{job.id}/1.mp4")
    assert api("DELETE", f"/download/{job.id}").status == 200
    with pytest.raises(JobNotFound):
        cloud.store.get(job.tenant, job.id)
    assert (cloud.object_keys(), counters.differences(cloud, ["acme"])) == ([], [])


def test_a_damaged_job_can_be_retried(cloud: Cloud, api: Api) -> None:
    job = put(cloud, DAMAGES["options that are none"])
    assert api("POST", f"/download/{job.id}").status == 200
    again = cloud.store.get(job.tenant, job.id)
    assert (again.state, again.generation, again.url) == (State.QUEUED, 2, job.url)
    assert len(cloud.messages()) == 1


def test_a_damaged_job_that_is_cancelled_is_in_error(cloud: Cloud, api: Api) -> None:
    job = put(cloud, DAMAGES["no url"])
    assert api("DELETE", f"/api/downloads/{job.id}").status == 200
    in_error(cloud, job)


def test_lists_show_the_others(cloud: Cloud, api: Api) -> None:
    put(cloud, DAMAGES["no url"])
    put(cloud, DAMAGES["a number as a text"])
    put(cloud, NEWER)
    good = queued(now=time.time())
    cloud.store.create(good)
    assert [row["id"] for row in api("GET", "/download").body["data"]["downloads"]] == [good.id]
    assert [row["id"] for row in api("GET", "/api/downloads").body] == [good.id]


def a_playlist(cloud: Cloud) -> tuple[Job, Job, Job]:
    """A playlist of two, of whom one is done and the other's record is damaged."""
    parent = expanded(now=time.time() - 100, total=2)
    first, second = (
        dataclasses.replace(
            done(now=time.time() - 90, item=PlaylistItem(parent_id=parent.id, index=index, total=2)),
            id=ids.item_id(parent, index),
        )
        for index in (1, 2)
    )
    for job in (parent, first, second):
        cloud.store.create(job)
    spoil(cloud, second, DAMAGES["no url"])
    return parent, first, second


def test_a_playlist_is_shown_without_its_damaged_item(cloud: Cloud, api: Api) -> None:
    parent, first, _ = a_playlist(cloud)
    assert [row["id"] for row in api("GET", f"/download/{parent.id}").body["data"]["items"]] == [first.id]


def test_a_playlist_ends_although_an_item_was_damaged(cloud: Cloud) -> None:
    parent, _, second = a_playlist(cloud)
    sweep()
    in_error(cloud, second)
    sweep()
    after = cloud.store.get(parent.tenant, parent.id)
    assert after.playlist is not None
    assert (after.state, after.playlist.done, after.playlist.failed) == (State.DONE, 1, 1)


def test_a_playlist_is_deleted_with_its_damaged_item(cloud: Cloud, api: Api) -> None:
    parent, _, _ = a_playlist(cloud)
    assert api("DELETE", f"/download/{parent.id}").status == 200
    tombstone = next(item for item in counters.all_items(cloud) if item["sk"] == parent.id)
    later = items.to_wire(tombstone | {"due_at": int(time.time()) - 1})
    aws.client("dynamodb").put_item(TableName=cloud.table, Item=later)
    for _ in range(2):  # one that finds the damage, one that goes on
        aws.client("dynamodb").put_item(TableName=cloud.table, Item=later)
        sweep()
    assert counters.all_jobs(cloud) == []


def test_a_recount_that_meets_a_damaged_item_is_not_repeated_by_the_stream(cloud: Cloud) -> None:
    _, first, _ = a_playlist(cloud)
    record = stream.change(running(now=time.time() - 95, item=first.item), first)
    assert announcer.lambda_handler({"Records": [record]}, Context()) == {"batchItemFailures": []}


@pytest.mark.parametrize("damage", [DAMAGES["no url"], NEWER], ids=["damaged", "newer"])
def test_a_webhook_is_told_although_its_job_cannot_be_read(
    cloud: Cloud, monkeypatch: pytest.MonkeyPatch, damage: Damage
) -> None:
    told: list[str] = []

    def post(_poster: Poster, url: str, *_: Any) -> Outcome:
        told.append(url)
        return Outcome(status=200)

    monkeypatch.setattr(Poster, "post", post)
    job = put(cloud, damage, failed, callback_url="https://hooks.example/x")
    body = WebhookMessage.about(job).body()
    assert deliver_webhooks.lambda_handler(sqs_event(body), Context()) == {"batchItemFailures": []}
    assert told == ["https://hooks.example/x"]


def test_a_tombstone_that_cannot_be_read_is_kept_for_people_and_not_due_any_more(cloud: Cloud) -> None:
    bad = {"pk": "DELETED", "sk": queued().id, **items.due_keys(queued().id, 1.0)}
    aws.client("dynamodb").put_item(TableName=cloud.table, Item=items.to_wire(bad))
    assert sweep() == {"broken": 1}
    assert sweep() == {}
    [kept] = counters.all_items(cloud)
    assert (kept["sk"], kept["ttl"] > 0) == (bad["sk"], True)


# --- of a later version ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [queued, running, done])
def test_nobody_touches_a_record_of_a_later_version(
    cloud: Cloud, api: Api, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, make: Any
) -> None:
    monkeypatch.setenv("WORK_DIRECTORY", str(tmp_path))
    job = put(cloud, NEWER, make, seconds_ago=100 + 8 * 86_400)
    cloud.put_object(f"acme/{job.id}/1.mp4")
    before = raw(cloud, job)

    assert sweep() == {"newer": 1}
    assert downloader.lambda_handler(message(job), Context())["batchItemFailures"] != []  # comes again, somewhere else
    assert dead_letters.lambda_handler(message(job), Context()) == {"batchItemFailures": []}
    for method, path in (
        ("GET", "/download/"),
        ("POST", "/download/"),
        ("DELETE", "/download/"),
        ("DELETE", "/api/downloads/"),
    ):
        assert api(method, path + job.id).status == 503

    assert raw(cloud, job) == before
    assert cloud.object_keys() == [f"acme/{job.id}/1.mp4"]
    assert cloud.messages() == []
    with pytest.raises(RecordUnreadable):
        cloud.store.get(job.tenant, job.id)


def test_a_change_of_a_later_version_waits_for_its_announcer_and_not_for_ever(cloud: Cloud) -> None:
    job = failed(callback_url="https://hooks.example/x")
    was, new = (items.to_wire(NEWER(items.to_item(each))) for each in (running(), job))
    fresh, stale = (stream.of_items(was, new, at=time.time() - age) for age in (10, 1000))
    reply = announcer.lambda_handler({"Records": [stale, fresh]}, Context())
    assert reply == {"batchItemFailures": [{"itemIdentifier": stream.sequence(fresh)}]}


def test_a_tombstone_of_a_later_version_is_left_alone(cloud: Cloud) -> None:
    job = queued()
    tombstone = {"pk": "DELETED", "sk": job.id, "schema": 99, **items.due_keys(job.id, 1.0)}
    aws.client("dynamodb").put_item(TableName=cloud.table, Item=items.to_wire(tombstone))
    assert sweep() == {"newer": 1}
    assert counters.all_items(cloud) == [tombstone]
