"""The downloader's handler with real SQS events, its real fetcher and its real guard, on moto."""

import time
import uuid
from pathlib import Path
from typing import Any

import pytest

from downloader import handler, kernel
from downloader.kernel import Support
from reelhaul import aws
from reelhaul.jobs import Job, State
from tests.conftest import Cloud
from tests.events import Context
from tests.faults import refused
from tests.jobs_in import queued
from tests.media import SourceServer


@pytest.fixture(autouse=True)
def _installed(cloud: Cloud, source: SourceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORK_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("ALLOWED_ORIGINS", source.origin)
    handler.dependencies.cache_clear()


def submitted(cloud: Cloud, url: str, **fields: Any) -> Job:
    job = queued(url=url, now=time.time(), **fields)
    cloud.store.create(job)
    cloud.queue.send(job)
    return job


def received(cloud: Cloud, queue_url: str | None = None) -> dict[str, Any]:
    """The next message as SQS's event source mapping hands it on."""
    url = queue_url or cloud.queue_url
    message = aws.client("sqs").receive_message(QueueUrl=url, VisibilityTimeout=900)["Messages"][0]
    arn = f"arn:aws:sqs:eu-central-1:123456789012:{url.rpartition('/')[2]}"
    return {
        "messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"],
        "eventSourceARN": arn,
    }  # fmt: skip


def handled(*records: dict[str, Any]) -> list[str]:
    reply = handler.lambda_handler({"Records": list(records)}, Context(remaining_ms=60_000))
    return [failure["itemIdentifier"] for failure in reply["batchItemFailures"]]


def test_message_becomes_a_stored_file(cloud: Cloud, source: SourceServer, tmp_path: Path) -> None:
    job = submitted(cloud, source.url("clip.mp4"))

    assert handled(received(cloud)) == []

    done = cloud.store.get(job.tenant, job.id)
    assert done.state is State.DONE, done
    assert done.stored is not None
    stored = aws.client("s3").get_object(Bucket=cloud.bucket, Key=done.stored.key)["Body"].read()
    assert stored == (source.directory / "clip.mp4").read_bytes()
    assert list(tmp_path.iterdir()) == []


def test_source_that_is_gone_ends_the_job(cloud: Cloud, source: SourceServer) -> None:
    job = submitted(cloud, source.url("status/404"))

    assert handled(received(cloud)) == []

    assert cloud.store.get(job.tenant, job.id).error_code == "source.not_found"


def test_without_the_seccomp_that_is_required_no_job_is_taken_nor_lost(
    cloud: Cloud, source: SourceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submitted(cloud, source.url("clip.mp4"))
    record = received(cloud)
    with monkeypatch.context() as patch:
        patch.setattr(kernel, "support", lambda: Support(seccomp=False, landlock=False))
        patch.setenv("REQUIRE_SECCOMP", "true")
        for _ in range(2):  # not only when the process is new
            with pytest.raises(kernel.WallMissing):  # which is a failure that Lambda counts
                handled(record)
    assert cloud.store.get(job.tenant, job.id) == job
    assert source.connections == 0

    assert handled(record) == []  # the same message, somewhere else

    assert cloud.store.get(job.tenant, job.id).state is State.DONE


@pytest.mark.parametrize("queue", ["work", "express"])
@pytest.mark.parametrize("body", ["", "no json", "{}", '{"version": 0, "tenant": "acme", "job_id": "x"}', "[1]"])
def test_message_that_is_not_ours_is_reported_and_comes_again_at_once(cloud: Cloud, queue: str, body: str) -> None:
    url = cloud.queue_url if queue == "work" else cloud.express_queue_url
    aws.client("sqs").send_message(QueueUrl=url, MessageBody=body or " ")
    record = received(cloud, url) | {"body": body}

    assert handled(record) == [record["messageId"]]

    assert received(cloud, url)["messageId"] == record["messageId"]  # and so soon becomes a dead letter


def test_message_waits_for_a_table_that_is_down(cloud: Cloud, source: SourceServer) -> None:
    job = submitted(cloud, source.url("clip.mp4"))
    record = received(cloud)

    with refused("dynamodb", "GetItem"):
        assert handled(record) == [record["messageId"]]

    assert cloud.store.get(job.tenant, job.id).state is State.QUEUED
    assert handled(record) == []
    assert cloud.store.get(job.tenant, job.id).state is State.DONE


def test_job_of_a_schema_to_come_is_left_for_a_newer_worker(cloud: Cloud, source: SourceServer) -> None:
    job = submitted(cloud, source.url("clip.mp4"))
    aws.client("dynamodb").update_item(
        TableName=cloud.table,
        Key={"pk": {"S": f"TENANT#{job.tenant}"}, "sk": {"S": job.id}},
        UpdateExpression="SET #schema = :newer",
        ExpressionAttributeNames={"#schema": "schema"},
        ExpressionAttributeValues={":newer": {"N": "99"}},
    )
    record = received(cloud)

    assert handled(record) == [record["messageId"]]
    assert source.connections == 0


def test_site_that_is_denied_since_the_job_came_is_not_asked(
    cloud: Cloud, source: SourceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    job = submitted(cloud, source.url("clip.mp4").replace("127.0.0.1", "www.localhost"))
    monkeypatch.setenv("DENIED_SITES", "localhost")
    handler.dependencies.cache_clear()

    assert handled(received(cloud)) == []

    assert cloud.store.get(job.tenant, job.id).error_code == "source.site_not_allowed"
    assert source.connections == 0


@pytest.mark.parametrize("url", ["http://[::1/clip.mp4", "file:///etc/passwd", "http://me@10.0.0.1/clip.mp4"])
def test_job_with_an_address_that_is_none_ends_at_once(cloud: Cloud, url: str) -> None:
    job = submitted(cloud, url)

    assert handled(received(cloud)) == []

    assert cloud.store.get(job.tenant, job.id).error_code == "source.unsupported"


def test_limits_of_the_operator_reach_the_fetcher(
    cloud: Cloud, source: SourceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_DURATION_S", "1")
    handler.dependencies.cache_clear()
    job = submitted(cloud, source.url("clip.mp4"))

    assert handled(received(cloud)) == []

    assert cloud.store.get(job.tenant, job.id).error_code == "source.too_long"


def test_message_of_an_unknown_job_is_done_with(cloud: Cloud, source: SourceServer) -> None:
    job = submitted(cloud, source.url("clip.mp4"))
    record = received(cloud) | {"messageId": str(uuid.uuid4())}
    cloud.store.delete(job, now=time.time())

    assert handled(record) == []
    assert source.connections == 0
