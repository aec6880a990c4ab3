"""An installation for each case: what moto keeps of the case before is not there for the next."""

import dataclasses
import itertools

from reelhaul import aws
from tests.conftest import REGION, TABLE, Cloud

_numbers = itertools.count(1)


def fresh(cloud: Cloud) -> Cloud:
    """As `cloud`, with a table, a bucket and queues of its own. It takes a tenth of what a whole one does."""
    number = next(_numbers)
    table, bucket = f"reelhaul-{number}", f"media-{number}"
    aws.client("dynamodb").create_table(**TABLE | {"TableName": table})
    aws.client("s3").create_bucket(Bucket=bucket, CreateBucketConfiguration={"LocationConstraint": REGION})
    work, express, webhooks = (
        aws.client("sqs").create_queue(QueueName=f"{name}-{number}")["QueueUrl"]
        for name in ("work", "express", "webhooks")
    )
    return dataclasses.replace(
        cloud, table=table, bucket=bucket, queue_url=work, express_queue_url=express, webhook_queue_url=webhooks
    )
