"""Messages as SQS's event source mapping delivers them to the downloader's handler."""

import dataclasses
import time
from pathlib import Path
from typing import Any

from downloader import handler
from reelhaul import aws
from reelhaul.jobs import Job
from tests.conftest import Cloud
from tests.events import Context
from tests.jobs_in import queued


@dataclasses.dataclass(frozen=True)
class Deliveries:
    """`work` is the directory that the worker keeps its own in."""

    cloud: Cloud
    work: Path

    def submitted(self, url: str, **fields: Any) -> Job:
        job = queued(url=url, now=time.time(), **fields)
        self.cloud.store.create(job)
        self.cloud.queue.send(job)
        return job

    def received(self) -> dict[str, Any]:
        """The next message, which nobody else gets within the queue's time-out."""
        reply = aws.client("sqs").receive_message(QueueUrl=self.cloud.queue_url, VisibilityTimeout=900)
        message = reply["Messages"][0]
        return {
            "messageId": message["MessageId"],
            "receiptHandle": message["ReceiptHandle"],
            "body": message["Body"],
            "eventSourceARN": f"arn:aws:sqs:eu-central-1:123456789012:{self.cloud.queue_url.rpartition('/')[2]}",
        }

    def handled(self, *records: dict[str, Any], seconds: float = 60) -> list[str]:
        """Hand them to the handler, with that much time left. The ids of those that it wants again."""
        reply = handler.lambda_handler({"Records": list(records)}, Context(remaining_ms=int(seconds * 1000)))
        return [failure["itemIdentifier"] for failure in reply["batchItemFailures"]]

    def job(self, job: Job) -> Job:
        return self.cloud.store.get(job.tenant, job.id)

    def content(self, job: Job) -> bytes:
        """The bytes of the job's object."""
        stored = self.job(job).stored
        assert stored is not None
        body: bytes = aws.client("s3").get_object(Bucket=self.cloud.bucket, Key=stored.key)["Body"].read()
        return body
