"""What goes wrong with an installation, brought about, looked at, and mended again."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from tests.deploy.deployment import Deployment


def dead_letters(deployment: Deployment) -> list[str]:
    """The messages that lie in the dead-letter queue. They stay there."""
    received = deployment.client("sqs").receive_message(
        QueueUrl=deployment.outputs["DeadLetterQueueUrl"], MaxNumberOfMessages=10, VisibilityTimeout=0
    )
    return [message["Body"] for message in received.get("Messages", [])]


@contextmanager
def dead_letters_kept(deployment: Deployment) -> Iterator[None]:
    """Nobody takes what comes into the dead-letter queue."""
    functions = deployment.client("lambda")
    listed = functions.list_event_source_mappings(FunctionName=deployment.function("dead_letters"))
    mapping = listed["EventSourceMappings"][0]["UUID"]
    functions.update_event_source_mapping(UUID=mapping, Enabled=False)
    try:
        yield
    finally:
        functions.update_event_source_mapping(UUID=mapping, Enabled=True)


@contextmanager
def worker_broken(deployment: Deployment) -> Iterator[None]:
    """A worker that does not get as far as to its message, as after a deployment that went wrong."""
    functions, queues = deployment.client("lambda"), deployment.client("sqs")
    name, queue = deployment.outputs["DownloaderFunctionName"], deployment.outputs["QueueUrl"]
    found = functions.get_function(FunctionName=name)["Configuration"]
    command = found["ImageConfigResponse"]["ImageConfig"]["Command"]
    kept = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["VisibilityTimeout"])["Attributes"]
    _configure(functions, name, command=["no.such_handler"], timeout_s=found["Timeout"])
    # Else each of the five deliveries would come after the worker's longest time and a minute.
    queues.set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": "3"})
    try:
        yield
    finally:
        _configure(functions, name, command=command, timeout_s=found["Timeout"])
        queues.set_queue_attributes(QueueUrl=queue, Attributes=kept)


def _configure(functions: Any, name: str, *, command: list[str], timeout_s: int) -> None:
    """Other than AWS the engine goes on with the containers it has, unless the time limit is named as well."""
    functions.update_function_configuration(FunctionName=name, ImageConfig={"Command": command}, Timeout=timeout_s)
