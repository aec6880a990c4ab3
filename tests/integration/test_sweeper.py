"""The sweeper mends what others leave behind."""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

import pytest

from reelhaul import aws, ids, items, steps
from reelhaul.errors import JobNotFound
from reelhaul.jobs import (
    LEASE_S,
    MAX_ATTEMPTS,
    MAX_SENDS,
    RECORD_DAYS,
    STRAY_S,
    DeliveryState,
    Job,
    Playlist,
    PlaylistItem,
    State,
)
from reelhaul.queue import JobMessage
from reelhaul.store import Tombstone
from sweeper import handler
from tests.conftest import Cloud
from tests.events import Context
from tests.faults import meanwhile, refused
from tests.integration.conftest import Api
from tests.jobs_in import MEDIA, PROGRESS, cancelled, done, expanded, extra, failed, queued, running, stored

Given = Callable[..., Job]
DAY_S = 86_400
EVENT = {"source": "aws.events", "detail-type": "Scheduled Event", "detail": {}}


def sweep(*, remaining_ms: int = 55_000) -> dict[str, int]:
    return handler.lambda_handler(EVENT, Context(remaining_ms=remaining_ms))  # type: ignore[arg-type]


def ago(seconds: float) -> float:
    return round(time.time() - seconds, 3)


def put(cloud: Cloud, job: Job, *fences: int) -> Job:
    """Store a job, and objects of the workers with these fences."""
    cloud.store.create(job)
    for fence in fences:
        cloud.put_object(f"acme/{job.id}/{fence}.mp4")
    return job


def read(cloud: Cloud, job: Job) -> Job:
    return cloud.store.get(job.tenant, job.id)


def messages(cloud: Cloud) -> list[tuple[str, int]]:
    return [(message.job_id, message.generation) for message in map(JobMessage.parse, cloud.messages())]


def test_with_nothing_due_nothing_happens(cloud: Cloud) -> None:
    for job in (queued(now=ago(0)), running(now=ago(0)), done(now=ago(0)), failed(now=ago(0))):
        put(cloud, job)
    assert sweep() == {}
    assert messages(cloud) == []


# --- lost messages, dead workers -------------------------------------------------------------------------------------


def test_a_job_that_waits_too_long_gets_another_message(cloud: Cloud) -> None:
    job = put(cloud, queued(now=ago(61)))
    assert sweep() == {"resent": 1}
    assert messages(cloud) == [(job.id, 1)]
    assert read(cloud, job).sends == 2
    assert sweep() == {}  # the next look comes later


def test_a_job_whose_worker_died_goes_back_into_the_queue(cloud: Cloud) -> None:
    job = put(cloud, running(now=ago(LEASE_S + 1)), 1)
    assert sweep() == {"requeued": 1}
    after = read(cloud, job)
    assert (after.state, after.attempts, after.untidy, after.fence) == (State.QUEUED, 1, True, job.fence + 1)
    assert messages(cloud) == [(job.id, 1)]


def test_a_job_whose_last_attempt_died_ends_with_a_reason(cloud: Cloud) -> None:
    job = put(cloud, dataclasses.replace(running(now=ago(LEASE_S + 1)), attempts=MAX_ATTEMPTS))
    assert sweep() == {"failed": 1}
    after = read(cloud, job)
    assert (after.state, after.error_code, after.untidy) == (State.FAILED, "job.crashed", True)
    assert messages(cloud) == []


def test_a_job_whose_messages_are_always_lost_is_given_up(cloud: Cloud) -> None:
    job = put(cloud, dataclasses.replace(queued(now=ago(61)), sends=MAX_SENDS))
    assert sweep() == {"failed": 1}
    after = read(cloud, job)
    assert (after.state, after.error_code) == (State.FAILED, "job.dead_letter")
    assert messages(cloud) == []


def test_a_queued_job_without_attempts_left_ends_too(cloud: Cloud) -> None:
    job = put(cloud, dataclasses.replace(queued(now=ago(61)), attempts=MAX_ATTEMPTS))
    assert sweep() == {"failed": 1}
    assert read(cloud, job).error_code == "job.crashed"


def test_a_message_that_cannot_be_sent_is_sent_by_a_later_pass(cloud: Cloud) -> None:
    job = put(cloud, queued(now=ago(61)))
    with refused("sqs", "SendMessage"):
        sweep()
    after = read(cloud, job)
    assert after.due_at is not None
    assert time.time() < after.due_at < time.time() + 121


def test_a_heartbeat_that_the_index_does_not_show_yet_keeps_the_job_with_its_worker(cloud: Cloud) -> None:
    job = put(cloud, running(now=ago(LEASE_S + 1)))
    beaten = steps.beat(job, PROGRESS, now=time.time())
    with meanwhile("dynamodb", "GetItem", lambda: cloud.store.swap(job, beaten)):
        assert sweep() == {"moved_on": 1}
    assert read(cloud, job).state is State.RUNNING


def test_a_worker_that_completes_at_the_same_moment_wins(cloud: Cloud) -> None:
    job = put(cloud, running(now=ago(LEASE_S + 1)))
    finished = steps.complete(job, MEDIA, stored(job), now=time.time())
    with meanwhile("dynamodb", "PutItem", lambda: cloud.store.swap(job, finished)):
        assert sweep() == {"moved_on": 1}
    assert read(cloud, job).state is State.DONE
    assert messages(cloud) == []


def test_of_two_sweepers_one_sends_the_message(cloud: Cloud) -> None:
    job = put(cloud, queued(now=ago(61)))

    def sweep_first() -> None:
        sweep()
        time.sleep(0.002)  # what is written in the same millisecond is the same

    with meanwhile("dynamodb", "PutItem", sweep_first):
        assert sweep() == {"moved_on": 1}
    assert messages(cloud) == [(job.id, 1)]


def test_a_job_deleted_at_the_same_moment_is_left_alone(cloud: Cloud) -> None:
    job = put(cloud, queued(now=ago(61)))
    with meanwhile("dynamodb", "PutItem", lambda: cloud.store.delete(job, now=time.time())):
        assert sweep() == {"moved_on": 1}
    with pytest.raises(JobNotFound):
        read(cloud, job)


# --- leftovers -------------------------------------------------------------------------------------------------------


def cut_off(job: Job, *, seconds_ago: float = LEASE_S + 1) -> Job:
    return steps.cancel(job, now=ago(seconds_ago))


def test_what_a_cancelled_worker_left_is_removed(cloud: Cloud) -> None:
    job = put(cloud, cut_off(running(now=ago(100))), 1)
    aws.client("s3").create_multipart_upload(Bucket=cloud.bucket, Key=f"acme/{job.id}/1.webm")
    assert sweep() == {"tidied": 1}
    after = read(cloud, job)
    assert (after.state, after.untidy, after.due_at) == (State.CANCELLED, False, job.stray_until)
    assert cloud.object_keys() == []
    assert "Uploads" not in aws.client("s3").list_multipart_uploads(Bucket=cloud.bucket)


def test_what_a_worker_writes_after_it_was_taken_for_dead_is_removed_once_it_cannot_live_any_more(cloud: Cloud) -> None:
    job = put(cloud, cut_off(running(now=ago(2000)), seconds_ago=STRAY_S + 1), 1)
    assert sweep() == {"tidied": 1}  # as soon as it could, and in time the sweeper comes at once
    late = put(cloud, steps.tidied(cut_off(running(now=ago(2000)), seconds_ago=STRAY_S + 1), now=ago(900)), 1)
    assert (late.untidy, late.due_at) == (False, late.stray_until)
    assert sweep() == {"tidied": 1}
    assert cloud.object_keys() == []
    for settled in (read(cloud, job), read(cloud, late)):
        assert (settled.stray_until, settled.due_at) == (None, settled.forgotten_at)


def test_a_worker_gets_its_lease_to_notice_before_its_leftovers_are_removed(cloud: Cloud) -> None:
    put(cloud, cut_off(running(now=ago(100)), seconds_ago=5), 1)
    assert sweep() == {}


def test_a_done_job_keeps_its_own_file_when_an_earlier_workers_is_removed(cloud: Cloud) -> None:
    again = steps.claim(steps.requeue(running(now=ago(300)), now=ago(200), cut_off=True), now=ago(150))
    job = put(cloud, steps.complete(again, MEDIA, stored(again), now=ago(LEASE_S + 1)), 1, again.fence)
    assert sweep() == {"tidied": 1}
    assert cloud.object_keys() == [stored(again).key]
    after = read(cloud, job)
    assert (after.state, after.stored, after.due_at) == (State.DONE, stored(again), job.stray_until)


def test_leftovers_that_cannot_be_removed_stay_due(cloud: Cloud) -> None:
    job = put(cloud, cut_off(running(now=ago(100))), 1)
    with refused("s3", "DeleteObject"):
        assert sweep() == {"broken": 1}
    assert read(cloud, job) == job
    assert sweep() == {"tidied": 1}


def test_a_retry_claimed_while_leftovers_are_removed_loses_nothing(cloud: Cloud) -> None:
    """The sweeper has read the job, and then a new worker starts to write under the same prefix."""
    job = put(cloud, cut_off(running(now=ago(100))), 1)

    def retry_and_claim() -> None:
        again = cloud.store.swap(job, steps.retry(job, now=ago(0)))
        claimed = cloud.store.swap(again, steps.claim(again, now=ago(0)))
        cloud.put_object(ids.object_key(claimed, "mp4"))

    with meanwhile("s3", "ListMultipartUploads", retry_and_claim):
        assert sweep() == {"moved_on": 1}
    assert cloud.object_keys() == [f"acme/{job.id}/4.mp4"]
    assert read(cloud, job).state is State.RUNNING


# --- files past their retention --------------------------------------------------------------------------------------


def test_a_file_expires_with_its_retention_and_is_removed_a_day_later(cloud: Cloud) -> None:
    """Links handed out on its last day live for 24 hours."""
    still_linked = put(cloud, done(now=ago(7 * DAY_S + 10)), 1)
    over = put(cloud, steps.expire(done(now=ago(8 * DAY_S + 10)), now=ago(DAY_S + 10)), 1)
    assert sweep() == {"expired": 1, "removed": 1}
    assert still_linked.stored is not None
    assert cloud.object_keys() == [still_linked.stored.key]
    assert read(cloud, still_linked).due_at == still_linked.removal_at
    after = read(cloud, over)
    assert (after.state, after.stored, after.due_at) == (State.EXPIRED, None, over.forgotten_at)


def test_a_list_of_finished_jobs_does_not_show_what_has_expired(cloud: Cloud) -> None:
    put(cloud, done(now=ago(7 * DAY_S + 10)), 1)
    sweep()
    assert cloud.store.page("acme", limit=10, status="done").jobs == []
    assert cloud.store.counts("acme") == {"processing": 0, "done": 0, "error": 1}


def test_a_file_that_cannot_be_removed_keeps_its_job_due(cloud: Cloud) -> None:
    job = put(cloud, steps.expire(done(now=ago(8 * DAY_S + 10)), now=ago(DAY_S + 10)), 1)
    with refused("s3", "DeleteObject"):
        assert sweep() == {"broken": 1}
    assert read(cloud, job).stored is not None
    assert sweep() == {"removed": 1}


def test_extras_stay_and_go_with_the_file(cloud: Cloud) -> None:
    again = steps.claim(steps.requeue(running(now=ago(300)), now=ago(200), cut_off=True), now=ago(150))
    thumbnail = extra(again)
    put(cloud, steps.complete(again, MEDIA, stored(again), extras=(thumbnail,), now=ago(LEASE_S + 1)), 1, again.fence)
    cloud.put_object(thumbnail.key)
    assert sweep() == {"tidied": 1}
    assert set(cloud.object_keys()) == {stored(again).key, thumbnail.key}


def test_a_record_is_forgotten_when_its_time_has_come(cloud: Cloud) -> None:
    job = put(cloud, failed(now=ago((7 + RECORD_DAYS) * DAY_S + 10)))
    assert sweep() == {"forgotten": 1}
    with pytest.raises(JobNotFound):
        read(cloud, job)
    assert cloud.store.total("acme") == 0


def test_an_old_file_of_a_retried_job_is_removed_once_the_new_one_is_there(cloud: Cloud, api: Api) -> None:
    old = put(cloud, done(now=ago(7 * DAY_S + 10)), 1)
    assert api("POST", f"/download/{old.id}").status == 200
    again = read(cloud, old)
    claimed = cloud.store.swap(again, steps.claim(again, now=ago(100)))
    cloud.put_object(ids.object_key(claimed, "mp4"))
    cloud.store.swap(claimed, steps.complete(claimed, MEDIA, stored(claimed), now=ago(LEASE_S + 1)))
    assert sweep() == {"tidied": 1}
    assert cloud.object_keys() == [stored(claimed).key]


# --- tombstones ------------------------------------------------------------------------------------------------------


def delete(cloud: Cloud, job: Job, *, seconds_ago: float) -> None:
    cloud.store.delete(job, now=ago(seconds_ago))


def test_what_a_worker_of_a_deleted_job_writes_late_is_removed(cloud: Cloud) -> None:
    job = put(cloud, running(now=ago(100)))
    delete(cloud, job, seconds_ago=LEASE_S + 1)
    cloud.put_object(ids.object_key(job, "mp4"))
    assert sweep() == {"cleaned": 1}
    assert cloud.object_keys() == []
    assert sweep() == {}
    assert [found.final_at for found in cloud.store.due(time.time() + STRAY_S) if isinstance(found, Tombstone)] != []


def test_a_tombstone_is_buried_when_no_worker_can_be_left(cloud: Cloud) -> None:
    job = put(cloud, running(now=ago(2000)))
    delete(cloud, job, seconds_ago=STRAY_S + 1)
    cloud.put_object(ids.object_key(job, "mp4"))
    assert sweep() == {"buried": 1}
    assert (sweep(), cloud.object_keys()) == ({}, [])


def test_a_tombstone_is_not_buried_before_its_files_are_removed(cloud: Cloud) -> None:
    job = put(cloud, running(now=ago(2000)))
    delete(cloud, job, seconds_ago=STRAY_S + 1)
    cloud.put_object(ids.object_key(job, "mp4"))
    with refused("s3", "DeleteObject"):
        assert sweep() == {"broken": 1}
    assert [type(found) for found in cloud.store.due(time.time())] == [Tombstone]


# --- one among many --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("broken", "what", "said"),
    [({"schema": 99}, "newer", "sweep_newer"), ({"job": '{"state":"ASLEEP"}'}, "condemned", "job_condemned")],
)
def test_what_cannot_be_read_does_not_stop_the_rest(
    cloud: Cloud, broken: dict[str, Any], what: str, said: str, caplog: pytest.LogCaptureFixture
) -> None:
    strange = [queued(now=ago(500 + number)) for number in range(8)]
    for job in strange:
        item = items.to_wire(items.to_item(job) | broken)
        aws.client("dynamodb").put_item(TableName=cloud.table, Item=item)
    sound = [put(cloud, queued(now=ago(61 + number))) for number in range(4)]
    assert sweep() == {what: 8, "resent": 4}
    assert sorted(job_id for job_id, _ in messages(cloud)) == sorted(job.id for job in sound)
    named = {vars(record)["job_id"] for record in caplog.records if record.getMessage() == said}
    assert named == {job.id for job in strange}


def test_one_that_fails_does_not_stop_the_rest(cloud: Cloud) -> None:
    for number in range(6):
        put(cloud, queued(now=ago(61 + number)))
    with refused("dynamodb", "PutItem", times=1):
        assert sweep() == {"broken": 1, "resent": 5}


def test_a_pass_ends_in_time_and_the_next_one_goes_on(cloud: Cloud) -> None:
    put(cloud, queued(now=ago(61)))
    assert sweep(remaining_ms=9_000) == {"postponed": 1}
    assert sweep() == {"resent": 1}


def test_a_table_that_cannot_be_read_fails_the_invocation(cloud: Cloud) -> None:
    """EventBridge and the function's error metric must see it."""
    with refused("dynamodb", "Query"), pytest.raises(Exception, match="cannot do this"):
        sweep()


def test_jobs_that_ended_and_left_nothing_are_not_due_while_they_are_remembered(cloud: Cloud) -> None:
    for job in (failed(now=ago(10_000)), cancelled(now=ago(10_000))):
        put(cloud, job)
    assert sweep() == {}


# --- playlists -------------------------------------------------------------------------------------------------------


def playlist(cloud: Cloud, parent: Job, *made: Job) -> list[Job]:
    """Store a playlist and its items."""
    put(cloud, parent)
    named = [
        dataclasses.replace(
            job,
            id=ids.item_id(parent, index),
            item=PlaylistItem(parent_id=parent.id, index=index, total=len(made)),
        )
        for index, job in enumerate(made, 1)
    ]
    return [put(cloud, job) for job in named]


def test_a_playlist_whose_items_ended_unheard_is_done(cloud: Cloud) -> None:
    parent = expanded(now=ago(61), total=2)
    playlist(cloud, parent, done(now=ago(5)), failed(now=ago(5)))
    assert sweep() == {"recounted": 1}
    after = read(cloud, parent)
    assert (after.state, after.playlist) == (State.DONE, Playlist(title="A list", total=2, done=1, failed=1))
    assert sweep() == {}


def test_a_playlist_that_goes_on_is_counted_again_a_minute_later(cloud: Cloud) -> None:
    parent = expanded(now=ago(61), total=2)
    playlist(cloud, parent, done(now=ago(5)), running(now=ago(5)))
    assert sweep() == {"recounted": 1}
    assert sweep() == {}


def test_items_of_a_cancelled_playlist_that_still_run_are_cancelled(cloud: Cloud) -> None:
    parent = steps.cancel(expanded(now=ago(100)), now=ago(LEASE_S + 1))
    items_there = playlist(cloud, parent, done(now=ago(5)), running(now=ago(5)), queued(now=ago(5)))
    assert sweep() == {"tidied": 1}
    assert [read(cloud, item).state for item in items_there] == [State.DONE, State.CANCELLED, State.CANCELLED]
    assert read(cloud, parent).due_at == parent.forgotten_at


def test_items_of_a_deleted_playlist_are_deleted_with_their_files(cloud: Cloud) -> None:
    parent = expanded(now=ago(300))
    made = playlist(cloud, parent, done(now=ago(5)), running(now=ago(5)))
    cloud.put_object(ids.object_key(made[0], "mp4"))
    delete(cloud, parent, seconds_ago=STRAY_S + 1)
    assert sweep() == {"buried": 1}
    assert (cloud.store.total("acme"), cloud.object_keys()) == (0, [])


# --- webhooks --------------------------------------------------------------------------------------------------------


def test_a_webhook_whose_message_is_lost_gets_another_one(cloud: Cloud) -> None:
    job = put(cloud, failed(now=ago(601), callback_url="https://hooks.example/x"))
    assert sweep() == {"announced": 1}
    [message] = cloud.messages(cloud.webhook_queue_url)
    assert job.id in message
    assert sweep() == {}


def test_a_webhook_that_is_pending_for_days_is_given_up(cloud: Cloud) -> None:
    job = put(cloud, failed(now=ago(2 * DAY_S + 10), callback_url="https://hooks.example/x"))
    assert sweep() == {"given_up": 1}
    webhook = read(cloud, job).webhook
    assert webhook is not None
    assert webhook.state is DeliveryState.FAILED
    assert cloud.messages(cloud.webhook_queue_url) == []


def test_a_webhook_that_is_under_way_is_left_alone(cloud: Cloud) -> None:
    put(cloud, failed(now=ago(500), callback_url="https://hooks.example/x"))
    assert sweep() == {}
    assert cloud.messages(cloud.webhook_queue_url) == []


def test_a_webhook_message_that_cannot_be_sent_is_sent_by_a_later_pass(cloud: Cloud) -> None:
    job = put(cloud, failed(now=ago(601), callback_url="https://hooks.example/x"))
    with refused("sqs", "SendMessage"):
        assert sweep() == {"broken": 1}
    assert (read(cloud, job).due_at or 0) < time.time() + 601
