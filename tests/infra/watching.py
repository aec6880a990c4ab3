"""How the template's alarms and dashboard name metrics, and which there are."""

import dataclasses
import json
from collections.abc import Iterator, Mapping
from typing import Any

from reelhaul import metrics
from tests.infra.template import Template

# AWS's own, as its documentation names them, of those that are looked at here; and by what they are told apart.
OF_AWS = {
    "AWS/SQS": ("QueueName", {
        "ApproximateAgeOfOldestMessage", "ApproximateNumberOfMessagesNotVisible", "ApproximateNumberOfMessagesVisible",
        "NumberOfMessagesReceived",
    }),
    "AWS/Lambda": ("FunctionName", {"ConcurrentExecutions", "Errors", "Invocations", "IteratorAge", "Throttles"}),
    "AWS/DynamoDB": ("TableName", {"ReadThrottleEvents", "WriteThrottleEvents"}),
    "AWS/ApiGateway": ("ApiId", {"4xx", "5xx", "Count", "Latency"}),
}  # fmt: skip
# Ours, with the values of their dimensions beside `service`.
OF_OURS: dict[str, set[frozenset[tuple[str, str]]]] = {
    metrics.JOBS: {
        frozenset(),
        *(frozenset({(metrics.OUTCOME, str(outcome)), (metrics.KIND, str(kind))}) for outcome, kind in metrics.SERIES),
    },
    **{name: {frozenset()} for name in (*metrics.PHASES, metrics.BYTES, metrics.TRANSFER_RATIO)},
}


@dataclasses.dataclass(frozen=True)
class Watched:
    """One metric. `of` is the resource's nickname or the function's folder, or what ours are told apart by."""

    namespace: str
    name: str
    of: str
    statistic: str
    period_s: int


def of_alarm(template: Template, alarm: Mapping[str, Any]) -> tuple[Watched, ...]:
    """The metrics of an alarm, in the order of its expression."""
    if "Metrics" not in alarm:
        return (_watched(template, alarm, alarm.get("Statistic") or alarm["ExtendedStatistic"], alarm["Period"]),)
    stats = [one["MetricStat"] for one in alarm["Metrics"] if "MetricStat" in one]
    return tuple(_watched(template, one["Metric"], one["Stat"], one["Period"]) for one in stats)


def expression_of(alarm: Mapping[str, Any]) -> str | None:
    found = [one["Expression"] for one in alarm.get("Metrics", []) if "Expression" in one]
    return found[0] if found else None


def _watched(template: Template, metric: Mapping[str, Any], statistic: str, period_s: int) -> Watched:
    dimensions = {one["Name"]: one["Value"] for one in metric["Dimensions"]}
    of = _of(template, metric["Namespace"], metric["MetricName"], dimensions)
    return Watched(metric["Namespace"], metric["MetricName"], of, statistic, period_s)


def _of(template: Template, namespace: str, name: str, dimensions: dict[str, Any]) -> str:
    """What the metric is of. Fails for one that nobody writes."""
    if namespace == metrics.NAMESPACE:
        service = dimensions.pop(metrics.SERVICE)
        assert service.startswith("Reelhaul-")
        assert frozenset(dimensions.items()) in OF_OURS[name]
        return " ".join(dimensions[key] for key in (metrics.OUTCOME, metrics.KIND) if key in dimensions)
    ((dimension, value),) = dimensions.items()
    known, names = OF_AWS[namespace]
    assert dimension == known
    assert name in names
    return template.function_behind(value) if dimension == "FunctionName" else template.plain(value)


def on_dashboard(template: Template) -> Iterator[Watched]:
    """Every metric of every widget, once CloudFormation has put the names of the resources in."""
    for widget in board(template)["widgets"]:
        shown = widget["properties"].get("metrics", [])
        for namespace, name, *rest in (one for one in shown if isinstance(one[0], str)):
            options = rest.pop() if isinstance(rest[-1], dict) else {}
            dimensions = dict(zip(rest[::2], rest[1::2], strict=True))
            of = _of(template, namespace, name, dimensions)
            yield Watched(namespace, name, of, options.get("stat", "Average"), options.get("period", 300))


def board(template: Template) -> dict[str, Any]:
    """The dashboard's body; a resource in it is an object as in the template, `{"Ref": ...}`."""
    body = template.only("AWS::CloudWatch::Dashboard")["DashboardBody"]
    _, parts = body["Fn::Join"]
    # Between quotes already: an expression takes the quotes' place, and so becomes part of the JSON.
    text = "".join(part if isinstance(part, str) else f"\0{json.dumps(part)}\0" for part in parts)
    found: dict[str, Any] = json.loads(text.replace('"\0', "").replace('\0"', ""), strict=False)
    return found
