"""AWS as moto imitates it, laid out as `infra` does it."""

import dataclasses
import importlib
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings
from moto import mock_aws
from moto.core.botocore_stubber import BotocoreStubber

from reelhaul import aws
from reelhaul.links import AccessKey
from reelhaul.objects import MediaBucket
from reelhaul.queue import JobQueue
from reelhaul.store import JobStore
from tests import canaries
from tests.canaries import pytest_runtest_makereport, pytest_sessionfinish, pytest_sessionstart  # noqa: F401 - hooks
from tests.media import SourceServer, make_media

REGION = "eu-central-1"
settings.register_profile("reelhaul", deadline=None)  # nothing fails because a machine is busy
settings.load_profile("reelhaul")
# Every function that keeps what it is wired with from one call to the next.
FUNCTIONS = sorted(
    handler.parent.name
    for handler in (Path(__file__).parents[1] / "functions").glob("*/handler.py")
    if "def dependencies(" in handler.read_text()
)
TABLE = {
    "TableName": "reelhaul",
    "BillingMode": "PAY_PER_REQUEST",
    "KeySchema": [{"AttributeName": "pk", "KeyType": "HASH"}, {"AttributeName": "sk", "KeyType": "RANGE"}],
    "AttributeDefinitions": [
        {"AttributeName": name, "AttributeType": "N" if name == "due_at" else "S"}
        for name in ("pk", "sk", "due_shard", "due_at", "status_key")
    ],
    "GlobalSecondaryIndexes": [
        {
            "IndexName": name,
            "KeySchema": [
                {"AttributeName": partition, "KeyType": "HASH"},
                {"AttributeName": sort, "KeyType": "RANGE"},
            ],
            "Projection": {"ProjectionType": "ALL"},
        }
        for name, partition, sort in (("due", "due_shard", "due_at"), ("status", "status_key", "sk"))
    ],
}


@dataclasses.dataclass(frozen=True)
class Cloud:
    """What the template would have made."""

    table: str
    bucket: str
    queue_url: str
    express_queue_url: str
    webhook_queue_url: str
    bus: str
    link_user: str
    link_secret: str
    link_key: AccessKey
    pepper_secret: str
    webhook_secret: str

    @property
    def store(self) -> JobStore:
        """With a clock that stands still: whatever the day of the test run, no record is past its time to live."""
        return JobStore(aws.client("dynamodb"), self.table, clock=lambda: 0.0)

    @property
    def queue(self) -> JobQueue:
        return JobQueue(aws.client("sqs"), self.queue_url)

    @property
    def media(self) -> MediaBucket:
        return MediaBucket(aws.client("s3"), self.bucket)

    def put_object(self, key: str, content: bytes = b"media") -> None:
        aws.client("s3").put_object(Bucket=self.bucket, Key=key, Body=content)

    def object_keys(self) -> list[str]:
        found = aws.client("s3").list_objects_v2(Bucket=self.bucket).get("Contents", [])
        return [entry["Key"] for entry in found]

    def messages(self, queue_url: str | None = None) -> list[str]:
        """Take all messages from the queue of jobs, or from another one."""
        taken: list[str] = []
        while True:
            reply = aws.client("sqs").receive_message(QueueUrl=queue_url or self.queue_url, MaxNumberOfMessages=10)
            if "Messages" not in reply:
                return taken
            taken += [message["Body"] for message in reply["Messages"]]


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Media of several kinds, see `tests.media`, made once."""
    return make_media(tmp_path_factory.mktemp("media"))


@pytest.fixture
def source(media: Path) -> Iterator[SourceServer]:
    """A source on the loopback, for tests that have the egress guard allow it."""
    with SourceServer(media) as server:
        yield server


@pytest.fixture
def canary(media: Path) -> Iterator[SourceServer]:
    """A neighbour on the inside. No connection may ever reach it."""
    with SourceServer(media) as server:
        yield server
        assert server.connections == 0


@pytest.fixture
def cloud() -> Iterator[Cloud]:
    """An empty installation in moto, and the environment that tells the functions about it."""
    with installed() as made:
        yield made


@contextmanager
def installed() -> Iterator[Cloud]:
    """An empty installation in moto, and the environment that tells the functions about it.

    The clients of `reelhaul.aws` are made once and live on: making them takes longer than most tests. All are made
    after moto was imported, without which it would not intercept them.
    """
    with pytest.MonkeyPatch.context() as patch:
        for name, value in {
            "AWS_ACCESS_KEY_ID": "testing",
            "AWS_DEFAULT_REGION": REGION,
            **canaries.ENVIRONMENT,
        }.items():
            patch.setenv(name, value)
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        forget_dependencies(*FUNCTIONS)
        patch.setattr(BotocoreStubber, "process_request", _one_at_a_time(BotocoreStubber.process_request))
        canaries.mark_new_secrets(patch)
        with mock_aws():
            made = _installation()
            for name, value in environment(made).items():
                patch.setenv(name, value)
            yield made
            canaries.search_cloud(REGION)


def forget_dependencies(*functions: str) -> None:
    """What a function keeps from one call to the next is gone, as when its process has ended."""
    for name in functions:
        importlib.import_module(f"{name}.handler").dependencies.cache_clear()


def _one_at_a_time(process: Callable[..., Any]) -> Callable[..., Any]:
    """moto copies whole tables for a transaction, and fails when another thread writes meanwhile. DynamoDB does not."""
    lock = threading.RLock()

    def processed(*args: Any) -> Any:
        with lock:
            return process(*args)

    return processed


def _installation() -> Cloud:
    aws.client("dynamodb").create_table(**TABLE)
    aws.client("s3").create_bucket(Bucket="media", CreateBucketConfiguration={"LocationConstraint": REGION})
    queue_url = aws.client("sqs").create_queue(QueueName="work")["QueueUrl"]
    webhook_queue_url = aws.client("sqs").create_queue(QueueName="webhooks")["QueueUrl"]
    aws.client("events").create_event_bus(Name="reelhaul")
    aws.client("iam").create_user(UserName="links")
    made = aws.client("iam").create_access_key(UserName="links")["AccessKey"]
    key = AccessKey(made["AccessKeyId"], made["SecretAccessKey"])
    return Cloud(
        table="reelhaul",
        bucket="media",
        queue_url=queue_url,
        express_queue_url=aws.client("sqs").create_queue(QueueName="express")["QueueUrl"],
        webhook_queue_url=webhook_queue_url,
        bus="reelhaul",
        link_user="links",
        link_secret=_secret("link-key", key.to_secret()),
        link_key=key,
        pepper_secret=_secret("pepper", canaries.PEPPER),
        webhook_secret=_secret("webhooks", canaries.WEBHOOK_MASTER),
    )


def _secret(name: str, value: str) -> str:
    arn: str = aws.client("secretsmanager").create_secret(Name=name, SecretString=value)["ARN"]
    return arn


def environment(made: Cloud) -> dict[str, Any]:
    return {
        "TABLE_NAME": made.table,
        "BUCKET_NAME": made.bucket,
        "QUEUE_URL": made.queue_url,
        "EXPRESS_QUEUE_URL": made.express_queue_url,
        "LINK_SECRET_ARN": made.link_secret,
        "LINK_USER_NAME": made.link_user,
        "PEPPER_SECRET_ARN": made.pepper_secret,
        "WEBHOOK_QUEUE_URL": made.webhook_queue_url,
        "WEBHOOK_SECRET_ARN": made.webhook_secret,
        "BUS_NAME": made.bus,
        "SITES_PREFIX": "Reelhaul-test/sites",
        "RETENTION_DAYS": "7",
        "HOLD_S": "0",
    }
