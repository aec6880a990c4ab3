"""Two versions at work at once, as in a deploy: each handles what the other has written.

`previous.json` was written by the code of the version before this one, and `previous.zip` is that code, of its worker
and its sweeper. They are not to be written anew: when the schema changes, others join them, made by `git archive`.
"""

import dataclasses
import json
import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from dead_letters import handler as dead_letters
from deliver_webhooks import handler as deliver_webhooks
from deliver_webhooks.post import Poster
from downloader import handler as downloader
from reelhaul import aws, items, remove, steps
from reelhaul.jobs import SCHEMA_VERSION, Job, State
from reelhaul.queue import MESSAGE_VERSION, JobMessage
from reelhaul.store import JobStore
from reelhaul.webhooks import WebhookMessage, messages
from reelhaul.webhooks.schedule import Outcome
from sweeper import handler as sweeper
from tests import counters
from tests.conftest import REGION, TABLE, Cloud, installed
from tests.events import Context, sqs_event
from tests.jobs_in import MEDIA, NOW, queued, running, stored
from tests.unit.downloader.worker.working import Fetching, made

HERE = Path(__file__).parent
PREVIOUS = json.loads((HERE / "previous.json").read_text())
JOBS = [name for name in PREVIOUS["items"] if name != "a tombstone"]
VALID = {"version": MESSAGE_VERSION, "tenant": "acme", "job_id": queued().id, "generation": 1}


def put(cloud: Cloud, name: str) -> Job:
    """A record as the previous version left it, counted as it did."""
    wire = PREVIOUS["items"][name]
    job = items.from_item(items.from_wire(wire))
    cloud.store.create(job)
    aws.client("dynamodb").put_item(TableName=cloud.table, Item=wire)
    return job


def sweep() -> dict[str, int]:
    return sweeper.lambda_handler({}, Context(remaining_ms=55_000))  # type: ignore[arg-type]


# --- the version before ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", JOBS)
def test_what_the_previous_version_wrote_is_read_and_written_again(cloud: Cloud, name: str) -> None:
    job = put(cloud, name)
    assert job.state.value == name.partition(",")[0]
    assert cloud.store.get(job.tenant, job.id) == job
    cloud.store.swap(job, job)
    after = json.loads(items.to_item(cloud.store.get(job.tenant, job.id))["job"])
    assert lost(json.loads(PREVIOUS["items"][name]["job"]["S"]), after) == []


def lost(before: dict[str, Any], after: dict[str, Any]) -> list[str]:
    """The fields of `before`, at any depth, that `after` has not, or that say something else there."""
    parts = {name: value for name, value in before.items() if isinstance(value, dict)}
    return [name for name, value in before.items() if name not in parts and after.get(name) != value] + [
        f"{name}.{field}" for name, part in parts.items() for field in lost(part, after.get(name, {}))
    ]


@pytest.mark.parametrize("name", PREVIOUS["messages"])
def test_its_messages_are_understood(name: str) -> None:
    message = JobMessage.parse(PREVIOUS["messages"][name])
    assert message.job_id == PREVIOUS["items"][name]["sk"]["S"]


def test_a_job_that_it_queued_is_downloaded(cloud: Cloud, tmp_path: Path) -> None:
    job = put(cloud, "QUEUED")
    worker = made(cloud, Fetching(), tmp_path)
    worker.run(JobMessage.parse(PREVIOUS["messages"]["QUEUED"]), ends_at=time.monotonic() + 60)
    assert cloud.store.get(job.tenant, job.id).state is State.DONE


def test_a_job_whose_worker_went_with_it_is_taken_over(cloud: Cloud, tmp_path: Path) -> None:
    job = put(cloud, "RUNNING, cut off before")
    cloud.put_object(f"{job.tenant}/{job.id}/1.mp4")
    assert sweep() == {"requeued": 1}
    worker = made(cloud, Fetching(), tmp_path)
    worker.run(JobMessage.parse(cloud.messages()[0]), ends_at=time.monotonic() + 60)
    done = cloud.store.get(job.tenant, job.id)
    assert (done.state, done.untidy) == (State.DONE, True)


def test_what_it_left_untidy_is_tidied(cloud: Cloud) -> None:
    job = put(cloud, "CANCELLED, untidy")
    cloud.put_object(f"{job.tenant}/{job.id}/1.mp4")
    assert sweep() == {"tidied": 1}
    assert cloud.object_keys() == []


def test_a_playlist_that_it_expanded_is_counted(cloud: Cloud) -> None:
    parent = put(cloud, "EXPANDED, a playlist")
    for name in ("QUEUED, its item", "DONE, its item"):
        put(cloud, name)
    remove.cancel("acme", PREVIOUS["items"]["QUEUED, its item"]["sk"]["S"], store=cloud.store)
    sweep()
    after = cloud.store.get(parent.tenant, parent.id)
    assert after.playlist is not None
    assert (after.state, after.playlist.done, after.playlist.cancelled) == (State.DONE, 1, 1)


def test_its_tombstones_are_buried(cloud: Cloud) -> None:
    aws.client("dynamodb").put_item(TableName=cloud.table, Item=PREVIOUS["items"]["a tombstone"])
    assert sweep() == {"buried": 1}


@pytest.mark.parametrize("name", PREVIOUS["webhook_messages"])
def test_its_webhooks_are_delivered(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    told: list[str] = []

    def post(_poster: Poster, _url: str, headers: dict[str, str], _body: bytes) -> Outcome:
        told.append(headers["webhook-id"])
        return Outcome(status=200)

    monkeypatch.setattr(Poster, "post", post)
    job = put(cloud, name)
    body = PREVIOUS["webhook_messages"][name]
    assert deliver_webhooks.lambda_handler(sqs_event(body), Context()) == {"batchItemFailures": []}
    assert job.webhook is not None
    assert told == [job.webhook.event_id]


# --- the version before, at what this one has left behind -------------------------------------------------------------


@dataclasses.dataclass(frozen=True)
class Left:
    """What this version has left, and what the one before has `made` of it."""

    waiting: Job
    cut_off: Job
    silent: Job
    called_off: Job
    deleted: Job
    made: dict[str, Any]


@pytest.fixture(scope="module")
def left() -> Left:
    waiting, deleted = queued(now=NOW + 90), queued(now=NOW - 2000)
    cut_off = steps.requeue(running(), now=NOW, cut_off=True)
    called_off = steps.cancel(running(callback_url="https://hooks.example/x"), now=NOW)
    jobs = (waiting, cut_off, running(), called_off)
    with installed() as cloud:
        for job in (*jobs, deleted):
            cloud.store.create(job)
        cloud.store.delete(deleted, now=NOW - 2000)
        items_left = aws.client("dynamodb").scan(TableName=cloud.table)["Items"]
    given = {
        "table": TABLE,
        "now": NOW + 100,
        "items": items_left,
        "objects": [f"acme/{called_off.id}/1.mp4", f"acme/{deleted.id}/1.mp4"],
        "messages": [JobMessage(tenant="acme", job_id=waiting.id, generation=1).body()],
        "webhook_messages": [WebhookMessage.about(called_off).body()],
    }
    return Left(*jobs, deleted, made=by_the_previous_version(given))


def by_the_previous_version(given: dict[str, Any]) -> dict[str, Any]:
    archive = HERE / "previous.zip"
    ours = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
    code = os.pathsep.join((f"{archive}/layers/core/python", f"{archive}/functions"))
    as_there = {
        "PYTHONPATH": code,
        "AWS_DEFAULT_REGION": REGION,
        "AWS_ACCESS_KEY_ID": "x",
        "AWS_SECRET_ACCESS_KEY": "x",
    }
    command = [sys.executable, str(HERE / "previous_version.py")]
    ran = subprocess.run(
        command, input=json.dumps(given), env=ours | as_there, capture_output=True, text=True, check=False
    )
    assert ran.returncode == 0, ran.stderr
    answer: dict[str, Any] = json.loads(ran.stdout.splitlines()[-1])
    assert answer["code"].startswith(str(archive))
    return answer


@pytest.fixture
def after(cloud: Cloud, left: Left) -> Cloud:
    """This version again, with the table as the one before has left it."""
    for item in left.made["items"]:
        aws.client("dynamodb").put_item(TableName=cloud.table, Item=item)
    return cloud


@pytest.mark.parametrize("which", ["waiting", "cut_off", "silent"])
def test_the_previous_version_downloads_a_job_of_this_one(after: Cloud, left: Left, which: str) -> None:
    job: Job = getattr(left, which)
    made = after.store.get(job.tenant, job.id)
    assert made.stored is not None
    assert (made.state, made.stored.key in left.made["objects"]) == (State.DONE, True)
    assert counters.differences(after, ["acme"]) == []


def test_the_previous_version_tidies_up_after_this_one(after: Cloud, left: Left) -> None:
    assert left.made["swept"] == {"requeued": 1, "resent": 1, "tidied": 1, "buried": 1}
    assert not after.store.is_deleted(left.deleted.id)
    assert len(left.made["objects"]) == 3  # of the three that were downloaded
    made = after.store.get("acme", left.called_off.id)
    assert (made.state, made.untidy, made.webhook) == (State.CANCELLED, False, left.called_off.webhook)


def test_messages_cross_in_both_directions(left: Left) -> None:
    assert {JobMessage.parse(body).job_id for body in left.made["sent"]} == {left.cut_off.id, left.silent.id}
    assert left.made["webhooks"] == [left.called_off.id]


# --- the version to come ---------------------------------------------------------------------------------------------


def test_everything_that_is_kept_or_sent_says_its_version(cloud: Cloud) -> None:
    job = queued(callback_url="https://hooks.example/x")
    cloud.store.create(job)
    cloud.store.delete(job, now=0)
    [tombstone] = [item for item in scanned(cloud) if item["pk"] == "DELETED"]
    about = WebhookMessage.about(steps.cancel(job, now=0))
    assert tombstone["schema"] == items.to_item(job)["schema"] == SCHEMA_VERSION
    assert json.loads(JobMessage(tenant="acme", job_id=job.id, generation=1).body())["version"] == MESSAGE_VERSION
    assert json.loads(about.body())["version"] == messages.MESSAGE_VERSION


def scanned(cloud: Cloud) -> list[items.Item]:
    return [items.from_wire(item) for item in aws.client("dynamodb").scan(TableName=cloud.table)["Items"]]


def test_what_a_later_version_added_to_a_record_survives_a_whole_job(cloud: Cloud) -> None:
    job = queued()
    cloud.store.create(job)
    item = items.to_item(job)
    text = json.dumps(json.loads(item["job"]) | {"colour": "blue", "shades": [1, {"x": None}]})
    aws.client("dynamodb").put_item(TableName=cloud.table, Item=items.to_wire(item | {"job": text}))

    claimed = cloud.store.change(job.tenant, job.id, lambda seen: steps.claim(seen, now=1))
    cloud.store.swap(claimed, steps.complete(claimed, MEDIA, stored(claimed), now=2))

    [kept] = [json.loads(item["job"]) for item in scanned(cloud) if "job" in item]
    assert (kept["state"], kept["colour"], kept["shades"]) == ("DONE", "blue", [1, {"x": None}])


def test_what_a_later_version_added_to_a_webhook_is_ignored() -> None:
    fields = json.loads(PREVIOUS["webhook_messages"]["DONE"])
    assert WebhookMessage.parse(json.dumps(fields | {"colour": "blue"})) == WebhookMessage.parse(json.dumps(fields))


def test_a_message_of_a_later_version_waits_for_somebody_who_knows_it(
    cloud: Cloud, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WORK_DIRECTORY", str(tmp_path))
    body = json.dumps(VALID | {"version": MESSAGE_VERSION + 1})
    aws.client("sqs").send_message(QueueUrl=cloud.queue_url, MessageBody=body)
    [taken] = aws.client("sqs").receive_message(QueueUrl=cloud.queue_url, VisibilityTimeout=900)["Messages"]
    event = sqs_event(body)
    event["Records"][0]["receiptHandle"] = taken["ReceiptHandle"]

    assert downloader.lambda_handler(event, Context())["batchItemFailures"] != []

    assert cloud.messages() == []  # in some seconds, and neither at once nor after the whole time-out
    attributes = aws.client("sqs").get_queue_attributes(
        QueueUrl=cloud.queue_url, AttributeNames=["ApproximateNumberOfMessagesNotVisible"]
    )
    assert attributes["Attributes"]["ApproximateNumberOfMessagesNotVisible"] == "1"


@pytest.mark.parametrize(
    ("version", "state"),
    [(MESSAGE_VERSION + 1, State.QUEUED), (0, State.FAILED), ("1", State.FAILED), (None, State.FAILED)],
)
def test_a_dead_letter_of_an_unknown_version_ends_its_job_unless_a_later_one_knows_better(
    cloud: Cloud, version: Any, state: State
) -> None:
    job = queued(now=time.time())
    cloud.store.create(job)
    body = json.dumps(VALID | {"version": version, "job_id": job.id})
    assert dead_letters.lambda_handler(sqs_event(body), Context()) == {"batchItemFailures": []}
    assert cloud.store.get(job.tenant, job.id).state is state


def test_an_unforeseen_error_does_not_keep_a_dead_letter_coming(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: Any) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(JobStore, "change", broken)
    assert dead_letters.lambda_handler(sqs_event(json.dumps(VALID)), Context()) == {"batchItemFailures": []}
