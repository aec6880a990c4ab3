"""Keys and lists of people who use the service, written where it has them."""

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
from reelhaul.keys import KeyStore, pepper_from
from reelhaul.limits import Limits
from reelhaul.table import Table
from tests import jobs_in
from tests.e2e.running import Service

_BATCH = 25  # that is how many DynamoDB takes at once


def fill(cloud: "Cloud", tenant: str, count: int) -> None:
    """Give `tenant` that many jobs that are done, one a minute, "Number 1" the first. There are no files."""
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
    """The engine's AWS, and what of the service is there."""

    def __init__(self, service: Service) -> None:
        self._url = service.url
        self.dynamodb = self._client("dynamodb")
        stacks = self._client("cloudformation").describe_stacks(StackName=STACK)["Stacks"]
        outputs = {output["OutputKey"]: output["OutputValue"] for output in stacks[0]["Outputs"]}
        self.table: str = outputs["TableName"]
        pepper = pepper_from(self._client("secretsmanager"), outputs["PepperSecretArn"])
        self._keys = KeyStore(self.dynamodb, self.table, pepper)

    def new_key(self, tenant: str, limits: Limits) -> str:
        return self._keys.issue(tenant, label="a test", limits=limits)[0]

    def _client(self, name: str) -> Any:
        return boto3.client(  # type: ignore[call-overload]  # stubs: literal names only
            name,
            endpoint_url=self._url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        )
