"""One tenant floods the service, and another one's job starts at once."""

import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import boto3
import pytest

from infra.local.engine import CREDENTIALS, REGION
from tests.e2e.running import REELHAUL, Client, Service, serve, until
from tests.media import SourceServer

pytestmark = pytest.mark.e2e

WORKERS = 10  # the template's default
FLOOD = 150


@pytest.fixture
def own_service(source: SourceServer, tmp_path: Path) -> Iterator[Service]:
    with serve(tmp_path / "data", "--allow-origin", source.origin) as running:
        yield running


def client_of(service: Service, tenant: str, *limits: str) -> Client:
    command = [REELHAUL, "keys", "create", "--tenant", tenant, *limits, "--local", service.url]
    return service.client(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


def claims(service: Service) -> list[str]:
    """Whose jobs were claimed, in this order, as the workers' log tells."""
    log = (service.data / "downloader.log").read_text(errors="replace")
    return re.findall(r'"message":"job_claimed".*?"tenant":"(\w+)"', log)


def test_another_tenants_job_does_not_wait_behind_a_flood(own_service: Service, source: SourceServer) -> None:
    flooding, other = client_of(own_service, "flood"), client_of(own_service, "other")
    flooding.create(source.url(f"feed/{FLOOD}"))
    until(lambda: flooding.call("GET", "/download?count=1").json["data"]["total"], lambda n: n > FLOOD, within_s=120)
    before = len(claims(own_service))

    job_id = other.create(source.url("clip.mp4"))

    assert other.ended(job_id)["status"] == "done"
    seen = claims(own_service)
    overtaking = seen.index("other") - before
    waiting = FLOOD - before
    assert overtaking <= 2 * WORKERS < waiting / 2, (overtaking, waiting)


def test_another_tenants_job_starts_while_every_worker_is_held_up_by_one(
    own_service: Service, source: SourceServer
) -> None:
    flooding, other = client_of(own_service, "flood"), client_of(own_service, "other")
    workers, express = has_workers(own_service, main=2), 2
    slow = [flooding.create(source.url(f"slow/clip.mp4?rate=100&{number}")) for number in range(workers + express + 1)]
    until(lambda: len(claims(own_service)), lambda claimed: claimed >= workers, within_s=120)

    job_id = other.create(source.url("clip.mp4"))

    assert other.ended(job_id)["status"] == "done"
    assert {flooding.job(slow_id)["status"] for slow_id in slow} == {"processing"}
    # The flood has all the usual workers, and at most one of the others; the rest of it waits.
    assert workers <= claims(own_service).count("flood") <= workers + 1


def has_workers(service: Service, *, main: int) -> int:
    """Leave the queue of jobs that many workers."""
    functions: Any = boto3.client(
        "lambda", endpoint_url=service.url, region_name=REGION, aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )  # fmt: skip
    (mapping,) = (
        mapping["UUID"]
        for mapping in functions.list_event_source_mappings()["EventSourceMappings"]
        if "WorkQueue" in mapping["EventSourceArn"]
    )
    functions.update_event_source_mapping(UUID=mapping, ScalingConfig={"MaximumConcurrency": main})
    return main
