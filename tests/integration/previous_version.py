"""Run by `test_versions` as a process that has the code of the version before: its worker and its sweeper at work.

On standard input is what this version has left behind, on standard output what they have made of it.
"""

import json
import logging
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from moto import mock_aws

import reelhaul
from downloader.fetch import Fetched
from downloader.worker import Worker
from reelhaul import aws
from reelhaul.jobs import Job, Media, Progress
from reelhaul.measures import Measures
from reelhaul.objects import MediaBucket
from reelhaul.queue import JobMessage, JobQueue
from reelhaul.store import JobStore
from reelhaul.webhooks import WebhookMessage
from sweeper.sweep import Sweeper

MEDIA = Media(title="A title", extension="mp4", content_type="video/mp4")


class Logger(logging.LoggerAdapter[logging.Logger]):
    """Powertools' way of calling a logger: fields as keyword arguments."""

    def process(self, msg: Any, kwargs: Any) -> Any:
        return f"{msg} {kwargs}", {name: kwargs.pop(name) for name in ("exc_info",) if name in kwargs}


LOGGER = Logger(logging.getLogger("previous"))


def fetch(
    job: Job,
    *,
    directory: Path,
    deadline: float,
    on_progress: Callable[[Progress], None],
    stop: threading.Event,
    outlet: object = None,  # which the version before does not have
) -> Fetched:
    path = directory / "media.mp4"
    path.write_bytes(job.id.encode())
    return Fetched(path=path, media=MEDIA)


def work(given: dict[str, Any]) -> dict[str, Any]:
    table, now = given["table"]["TableName"], lambda: float(given["now"])
    database, s3, sqs = aws.client("dynamodb"), aws.client("s3"), aws.client("sqs")
    database.create_table(**given["table"])
    for item in given["items"]:
        database.put_item(TableName=table, Item=item)
    s3.create_bucket(Bucket="media", CreateBucketConfiguration={"LocationConstraint": "eu-central-1"})
    for key in given["objects"]:
        s3.put_object(Bucket="media", Key=key, Body=b"left behind")
    url = sqs.create_queue(QueueName="work")["QueueUrl"]
    store, queue = JobStore(database, table, clock=now), JobQueue(sqs, url)

    sweeper = Sweeper(
        store=store, queue=queue, bucket=MediaBucket(s3, "media"), announce=lambda _: None, logger=LOGGER, clock=now
    )
    swept = sweeper.run(has_time=lambda: True)
    received = sqs.receive_message(QueueUrl=url, MaxNumberOfMessages=10).get("Messages", [])
    with tempfile.TemporaryDirectory() as directory:
        worker = Worker(
            store=store, queue=queue, s3=s3, bucket_name="media", fetch=fetch, work_directory=Path(directory),
            logger=LOGGER, measures=Measures("Reelhaul-test"), clock=now,
        )  # fmt: skip
        for body in [*given["messages"], *(message["Body"] for message in received)]:
            worker.run(JobMessage.parse(body), ends_at=time.monotonic() + 60)
    return {
        "code": reelhaul.__file__,
        "swept": swept,
        "sent": [message["Body"] for message in received],
        "webhooks": [WebhookMessage.parse(body).job_id for body in given["webhook_messages"]],
        "items": database.scan(TableName=table)["Items"],
        "objects": [found["Key"] for found in s3.list_objects_v2(Bucket="media").get("Contents", [])],
    }


if __name__ == "__main__":
    with mock_aws():
        answer = work(json.load(sys.stdin))
    sys.stdout.write(f"\n{json.dumps(answer)}")  # after lines of metrics
