"""The handlers in the image, behind AWS's runtime interface emulator, as Lambda runs them.

They, the source and the AWS that they talk to are alone in a network that has nothing but a loopback interface.
"""

import dataclasses
import http.client
import json
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra.local.engine import CREDENTIALS, Engine
from infra.local.runtime import emulator
from reelhaul.jobs import State
from reelhaul.options import Options
from reelhaul.queue import JobQueue
from reelhaul.store import JobStore
from tests.conftest import TABLE
from tests.containers import engine as containers
from tests.containers import images
from tests.containers.asset import Asset
from tests.containers.network import loopback_only
from tests.events import HttpRequest
from tests.jobs_in import queued
from tests.media import SourceServer, make_media, probed

_AWS_PORT, _INVOKE_PORT, _RUNTIME_PORT = 4566, 9000, 9001  # in a network of their own, so they are free
_INVOKE = "/2015-03-31/functions/function/invocations"
_MAX_BYTES = 50 * 1024**2


@pytest.fixture(scope="module", autouse=True)
def _alone() -> Iterator[None]:
    with loopback_only():
        yield


@pytest.fixture(scope="module")
def source(image: str, _alone: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SourceServer]:
    with SourceServer(make_media(tmp_path_factory.mktemp("media"))) as server:
        yield server


@dataclasses.dataclass(frozen=True)
class Cloud:
    aws: Engine
    table: str = "reelhaul"
    bucket: str = "media"

    @property
    def queue_url(self) -> str:
        return self.made_for("QUEUE_URL")

    def made_for(self, variable: str) -> str:
        """What stands in a function's variable of that name for a resource of the template."""
        if variable.endswith("QUEUE_URL"):
            url: str = self.aws.client("sqs").create_queue(QueueName=variable.lower())["QueueUrl"]
            return url
        return {"TABLE_NAME": self.table, "BUCKET_NAME": self.bucket}.get(variable, f"made-for-{variable.lower()}")

    @property
    def store(self) -> JobStore:
        return JobStore(self.aws.client("dynamodb"), self.table)

    @property
    def queue(self) -> JobQueue:
        return JobQueue(self.aws.client("sqs"), self.queue_url)

    def received(self) -> dict[str, Any]:
        """The next message as SQS's event source mapping hands it on."""
        reply = self.aws.client("sqs").receive_message(QueueUrl=self.queue_url, VisibilityTimeout=900)
        (message,) = reply["Messages"]
        return {"messageId": message["MessageId"], "receiptHandle": message["ReceiptHandle"], "body": message["Body"]}


@pytest.fixture(scope="module")
def cloud(_alone: None, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cloud]:
    with Engine(port=_AWS_PORT, directory=tmp_path_factory.mktemp("engine")) as aws:
        aws.client("dynamodb").create_table(**TABLE)
        aws.client("s3").create_bucket(Bucket="media")
        yield Cloud(aws)


class Function:
    """A started container, and the emulator in it."""

    def __init__(self, container: str) -> None:
        self.container = container

    def invoke(self, event: dict[str, Any]) -> Any:
        """What the handler returns for `event`. A new container takes a moment before it listens."""
        deadline = time.monotonic() + 60
        while True:
            connection = http.client.HTTPConnection("127.0.0.1", _INVOKE_PORT, timeout=200)
            try:
                connection.request("POST", _INVOKE, json.dumps(event))
                return json.loads(connection.getresponse().read())
            except ConnectionRefusedError:
                assert time.monotonic() < deadline, containers.podman("logs", self.container)
                time.sleep(0.1)
            finally:
                connection.close()

    def changed_files(self) -> list[str]:
        """What the container's root has that the image has not, but for where podman itself mounts something."""
        listed = containers.podman("diff", "--format", "json", self.container)
        changes = {path for kind in json.loads(listed).values() for path in kind}
        mounted = containers.podman("inspect", "--format", "{{range .Mounts}}{{.Destination}} {{end}}", self.container)
        own = {"/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/mtab", "/run/.containerenv", *mounted.split()}
        parents = {str(parent) for path in own for parent in Path(path).parents}
        return sorted(changes - own - parents)


@contextmanager
def _started(image: str, options: list[str], *, command: list[str], **environment: str) -> Iterator[Function]:
    """The image as it is configured, with the emulator before its entry point."""
    entrypoint = images.inspect(image)["Config"]["Entrypoint"]
    given = {"AWS_LAMBDA_FUNCTION_TIMEOUT": "180", **environment}
    container = containers.start(
        *options,
        *("--network", "host"),  # the one that we are in
        *(option for name, value in given.items() for option in ("--env", f"{name}={value}")),
        *("--volume", f"{emulator()}:/aws-lambda-rie:ro", "--entrypoint", "/aws-lambda-rie"),
        image=image,
        command=[
            *("--runtime-interface-emulator-address", f"127.0.0.1:{_INVOKE_PORT}"),
            *("--runtime-api-address", f"127.0.0.1:{_RUNTIME_PORT}"),
            *(*entrypoint, *command),
        ],
    )
    try:
        yield Function(container)
    finally:
        containers.remove(container)


@pytest.fixture
def downloader(
    image: str, as_on_lambda: list[str], asset: Asset, cloud: Cloud, source: SourceServer
) -> Iterator[Function]:
    given = asset.variables["downloader"].items()
    own = {name: value if isinstance(value, str) else cloud.made_for(name) for name, value in given}
    own |= {"ALLOWED_ORIGINS": source.origin, "MAX_BYTES": str(_MAX_BYTES)}
    command = images.inspect(image)["Config"]["Cmd"]
    environment = {**CREDENTIALS, "AWS_ENDPOINT_URL": cloud.aws.url, **own}
    with _started(image, as_on_lambda, command=command, **environment) as function:
        yield function


@pytest.mark.parametrize("container", ["mp4", "mkv"])
def test_separate_tracks_are_downloaded_and_merged(
    downloader: Function, cloud: Cloud, source: SourceServer, tmp_path: Path, container: str
) -> None:
    before = source.hits.copy()
    job = queued(url=source.url("dash/manifest.mpd"), now=time.time(), options=Options(container=container))
    cloud.store.create(job)
    cloud.queue.send(job)

    reply = downloader.invoke({"Records": [cloud.received()]})

    assert reply == {"batchItemFailures": []}
    done = cloud.store.get(job.tenant, job.id)
    assert done.state is State.DONE, (done, containers.podman("logs", downloader.container))
    assert done.stored is not None
    assert done.stored.key.endswith(f".{container}")
    file = tmp_path / f"merged.{container}"
    cloud.aws.client("s3").download_file(cloud.bucket, done.stored.key, str(file))
    found = probed(file)
    assert found["tracks"] == ["audio", "video"]
    assert found["codecs"] == ["aac", "h264"]
    assert found["duration_s"] == pytest.approx(2, abs=0.2)
    fetched = {path for path, count in (source.hits - before).items() if count and path.endswith(".m4s")}
    assert len({path.split("-stream")[1][0] for path in fetched}) == 2  # two tracks, each fetched by itself
    assert downloader.changed_files() == []


def test_what_encodes_works_as_well(downloader: Function, cloud: Cloud, source: SourceServer, tmp_path: Path) -> None:
    job = queued(url=source.url("hls/master.m3u8"), now=time.time(), options=Options(container="webm"))
    cloud.store.create(job)
    cloud.queue.send(job)

    assert downloader.invoke({"Records": [cloud.received()]}) == {"batchItemFailures": []}

    done = cloud.store.get(job.tenant, job.id)
    assert done.state is State.DONE, (done, containers.podman("logs", downloader.container))
    assert done.stored is not None
    file = tmp_path / "encoded.webm"
    cloud.aws.client("s3").download_file(cloud.bucket, done.stored.key, str(file))
    assert probed(file)["tracks"] == ["audio", "video"]


def test_same_image_looks_at_a_source_without_downloading_it(
    image: str, as_on_lambda: list[str], asset: Asset, source: SourceServer
) -> None:
    own = asset.variables["inspect_source"] | {"ALLOWED_ORIGINS": source.origin}
    request = HttpRequest(method="POST", path="/api/info", body=json.dumps({"url": source.url("clip.mp4")}))
    with _started(image, as_on_lambda, command=["inspect_source.handler.lambda_handler"], **own) as function:
        reply = function.invoke(request.event())
        assert reply["statusCode"] == 200, reply
        assert json.loads(reply["body"])["formats"]
        assert function.changed_files() == []
