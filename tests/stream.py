"""Records of the table's stream, as Lambda hands them to a function."""

import itertools
from typing import Any

from reelhaul import items
from reelhaul.jobs import Job

_numbers = itertools.count(100_000_000_000_000_000_000)


def change(old: Job | None, new: Job | None, *, at: float = 1_795_305_600.0) -> dict[str, Any]:
    """The record of one write to a job: an INSERT without `old`, a REMOVE without `new`."""
    return of_items(*(job and items.to_wire(items.to_item(job)) for job in (old, new)), at=at)


def of_items(old: Any, new: Any, *, at: float = 1_795_305_600.0) -> dict[str, Any]:
    """The same for anything else in the table, as DynamoDB's API has it."""
    number = next(_numbers)
    images = {name: image for name, image in (("OldImage", old), ("NewImage", new)) if image is not None}
    keys = {name: (new or old)[name] for name in ("pk", "sk")}
    return {
        "eventID": f"{number:032x}",
        "eventName": "REMOVE" if new is None else "INSERT" if old is None else "MODIFY",
        "eventVersion": "1.1",
        "eventSource": "aws:dynamodb",
        "awsRegion": "eu-central-1",
        "dynamodb": {
            "ApproximateCreationDateTime": at,
            "Keys": keys,
            **images,
            "SequenceNumber": str(number),
            "SizeBytes": 500,
            "StreamViewType": "NEW_AND_OLD_IMAGES",
        },
        "eventSourceARN": "arn:aws:dynamodb:eu-central-1:123456789012:table/reelhaul/stream/2026-11-22T00:00:00.000",
    }


def sequence(record: dict[str, Any]) -> str:
    return str(record["dynamodb"]["SequenceNumber"])
