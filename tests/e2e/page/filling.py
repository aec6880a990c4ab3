"""A list as long as somebody's who uses the service much, written where the service has it."""

import dataclasses
import itertools
import time
from collections import Counter
from typing import Any

import boto3

from infra.local.assembly import STACK
from infra.local.engine import CREDENTIALS, REGION
from reelhaul import items
from reelhaul.jobs import Job
from reelhaul.table import Table
from tests import jobs_in
from tests.e2e.running import Service

_BATCH = 25  # that is how many DynamoDB takes at once


def fill(service: Service, tenant: str, count: int) -> None:
    """Give `tenant` that many jobs that are done, one a minute, "Number 1" the first. There are no files."""
    cloud = Cloud(service)
    began = time.time() - count * 60
    made = (_job(tenant, number, began + number * 60) for number in range(1, count + 1))
    shards: Counter[str] = Counter()
    while batch := list(itertools.islice(made, _BATCH)):
        puts = [{"PutRequest": {"Item": items.to_wire(items.to_item(job))}} for job in batch]
        reply = cloud.dynamodb.batch_write_item(RequestItems={cloud.table: puts})
        assert not reply.get("UnprocessedItems")
        shards.update(items.count_shard(job.id) for job in batch)
    table = Table(cloud.dynamodb, cloud.table)
    table.write(*(table.addition(items.counts_partition(tenant), shard, {"done": n}) for shard, n in shards.items()))


def _job(tenant: str, number: int, now: float) -> Job:
    media = dataclasses.replace(jobs_in.MEDIA, title=f"Number {number}", thumbnail=None)
    return jobs_in.done(tenant=tenant, now=now, media=media, url=f"https://media.example/{number}.mp4")


class Cloud:
    """The engine's AWS, and the table that the service has there."""

    def __init__(self, service: Service) -> None:
        self._url = service.url
        self.dynamodb = self._client("dynamodb")
        stacks = self._client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}
        self.table: str = outputs["TableName"]

    def _client(self, name: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]  # stubs: literal names only
            name,
            endpoint_url=self._url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
