"""What `reelhaul doctor` sees of a deployment with AWS credentials: that it stands, works, and has given nothing up."""

import argparse
from collections.abc import Iterator
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from reelhaul.command.findings import Finding, ok, wrong
from reelhaul.command.place import Place

_DEAD_LETTERS = ("DeadLetterQueueUrl", "AnnouncerDeadLetterQueueUrl", "WebhookDeadLetterQueueUrl")
_OUTPUTS = ("QueueUrl", "ExpressQueueUrl", "DownloaderFunctionName", *_DEAD_LETTERS)
_WHAT = ("credentials", "stack", "queue", "dead letters", "worker")


def examined(options: argparse.Namespace) -> Iterator[Finding]:
    """One finding for each of `_WHAT`, as far as one can be looked at without the one before."""
    name = "the local stack" if options.local else options.stack
    try:
        account = Place.access(options)
        yield credentials(account("sts"))
    except (ClientError, BotoCoreError, ValueError) as error:  # the last for an address without a host
        yield wrong("credentials", f"AWS: {error}", "export AWS_PROFILE=... AWS_REGION=..., or aws sso login")
        return
    try:
        place = Place(options)
        yield stack(place)
    except (ClientError, BotoCoreError) as error:
        yield wrong("stack", f"{name}: {error}", "Is it the right region (AWS_REGION) and name? make deploy makes it.")
        return
    foreign = sorted({*_OUTPUTS} - {*place.outputs})
    if foreign:
        yield wrong("stack", f"{place.stack} has no {', '.join(foreign)}: it is none of Reelhaul's, or too old.",
                    "Name the one that `make deploy` has made.")  # fmt: skip
        return
    for what, look in (("queue", queue), ("dead letters", dead_letters), ("worker", worker)):
        try:
            yield look(place)
        except (ClientError, BotoCoreError) as error:
            yield wrong(what, f"AWS: {error}", "These credentials may not look there; see the README about rights.")


def credentials(sts: Any) -> Finding:
    return ok("credentials", f"of account {sts.get_caller_identity()['Account']}")


def stack(place: Place) -> Finding:
    """Whether the last change of the stack went well."""
    status = place.status
    if not status.endswith("_COMPLETE") or "ROLLBACK" in status or "DELETE" in status:
        return wrong("stack", f"{place.stack} is {status}", "Look at its events in CloudFormation, then: make deploy")
    return ok("stack", f"{place.stack} is {status}")


def queue(place: Place) -> Finding:
    """How much waits. A queue is there to have something in it, so nothing of that is wrong."""
    waiting, under_way = _lengths(place, "QueueUrl")
    more, also = _lengths(place, "ExpressQueueUrl")
    return ok("queue", f"{waiting + more} messages wait, {under_way + also} are worked on")


def dead_letters(place: Place) -> Finding:
    found = {name.removesuffix("QueueUrl"): sum(_lengths(place, name)) for name in _DEAD_LETTERS}
    given_up = {name: count for name, count in found.items() if count}
    if not given_up:
        return ok("dead letters", "none")
    told = ", ".join(f"{count} in {name}" for name, count in given_up.items())
    return wrong("dead letters", told, "Look into the logs for why, then redrive the queue.")


def worker(place: Place) -> Finding:
    """Whether the downloader could run, and gets its messages."""
    name = place.outputs["DownloaderFunctionName"]
    functions = place.client("lambda")
    found = functions.get_function_configuration(FunctionName=name)
    state, update = found.get("State", "Active"), found.get("LastUpdateStatus", "Successful")
    if state not in {"Active", "Inactive"} or update == "Failed":  # inactive: for want of use, until it is called
        return wrong("worker", f"{name} is {state}, its last update {update}", "make deploy, or look into Lambda.")
    mappings = functions.list_event_source_mappings(FunctionName=name)["EventSourceMappings"]
    if not mappings or any(mapping.get("State") not in {"Enabled", "Enabling", "Updating"} for mapping in mappings):
        return wrong(
            "worker", f"{name} does not listen to its queues", "Enable its triggers in Lambda, or make deploy."
        )
    return ok("worker", f"{name} is ready and listens")


def _lengths(place: Place, output: str) -> tuple[int, int]:
    """How many messages wait, and how many somebody has taken."""
    names = ["ApproximateNumberOfMessages", "ApproximateNumberOfMessagesNotVisible"]
    found = place.client("sqs").get_queue_attributes(QueueUrl=place.outputs[output], AttributeNames=names)
    return int(found["Attributes"][names[0]]), int(found["Attributes"][names[1]])
