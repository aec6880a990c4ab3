"""What ministack 1.5.33 does not know, or does otherwise than AWS; what takes a page has a module of its own.

Installed before the engine reads its state.
"""
# ruff: noqa: SLF001 - who mends the engine has to reach into it

import functools
from collections.abc import Callable
from typing import Any

from ministack.core.lambda_runtime import Worker
from ministack.services import sqs
from ministack.services.cloudformation import provisioners

_FIRST_LINE_S = 0.003


def install() -> None:
    _accept_rotation_schedules()
    _understand_cors()
    _give_messages_back()
    _accept_metric_math()
    _answer_at_once()


def _accept_rotation_schedules() -> None:
    """The engine does not know this type of resource, and rotates nothing by itself; `service.py` has the key made."""
    handler = {
        "create": lambda logical_id, properties, _stack: (f"{properties['SecretId']}-{logical_id}", {}),
        "delete": lambda _physical_id, _properties: None,
    }
    provisioners._RESOURCE_HANDLERS.setdefault("AWS::SecretsManager::RotationSchedule", handler)


def _understand_cors() -> None:
    """The engine keeps an API's CORS configuration under the names of the template and looks for those of the API."""
    handler = provisioners._RESOURCE_HANDLERS["AWS::ApiGatewayV2::Api"]
    handler["create"] = _renaming(handler["create"], 1)  # of (logical id, properties, stack)
    handler["update"] = _renaming(handler["update"], 2)  # of (physical id, old properties, new ones, stack)


def _renaming(handle: Callable[..., Any], position: int) -> Callable[..., Any]:
    def handle_renamed(*arguments: Any, **options: Any) -> Any:
        properties = arguments[position]
        cors = provisioners._pascal_to_camel(properties.get("CorsConfiguration", {}))
        renamed = {**properties, "CorsConfiguration": cors}
        return handle(*arguments[:position], renamed, *arguments[position + 1 :], **options)

    return handle_renamed


def _give_messages_back() -> None:
    """Who held a message when the engine ended has ended with it: nobody is waited for after the next start."""
    load = sqs.load_persisted_state

    def load_and_give_back(data: Any) -> None:
        load(data)
        for queue in sqs._queues.all_values():
            for message in queue["messages"]:
                if message["receipt_handle"] is not None:
                    message["visible_at"] = 0.0

    sqs.load_persisted_state = load_and_give_back


def _accept_metric_math() -> None:
    """The engine refuses an alarm on an expression. It evaluates none: it is given the first metric of it."""
    handler = provisioners._RESOURCE_HANDLERS["AWS::CloudWatch::Alarm"]
    handler["create"] = _simplifying(handler["create"], 1)
    handler["update"] = _simplifying(handler["update"], 2)


def _simplifying(handle: Callable[..., Any], position: int) -> Callable[..., Any]:
    def handle_simplified(*arguments: Any, **options: Any) -> Any:
        properties = dict(arguments[position])
        used = [one["MetricStat"] for one in properties.pop("Metrics", []) if "MetricStat" in one]
        if used:
            properties |= {**used[0]["Metric"], "Period": used[0]["Period"]}
        return handle(*arguments[:position], properties, *arguments[position + 1 :], **options)

    return handle_simplified


def _answer_at_once() -> None:
    """The engine holds the reply of a call that logs nothing back for 50 ms, in case that a line is still to come.

    What a handler has written before it answers is in the pipe by then: all it takes is for a thread to read it.
    """
    drain = Worker._drain_stderr_bounded
    Worker._drain_stderr_bounded = functools.partialmethod(drain, first_line_wait=_FIRST_LINE_S)
