"""What CloudWatch makes of standard output: metrics, as its embedded metric format (EMF) has them."""

import dataclasses
import json
from collections.abc import Iterator
from typing import Any

from tests import canaries


@dataclasses.dataclass(frozen=True)
class Point:
    """One value of one metric. `dimensions` are (name, value) in alphabetical order."""

    namespace: str
    name: str
    unit: str
    dimensions: tuple[tuple[str, str], ...]
    value: float


def lines(output: str) -> list[dict[str, Any]]:
    """The lines in EMF, each of which says when it was: https://docs.aws.amazon.com/AmazonCloudWatch/latest/monitoring/
    CloudWatch_Embedded_Metric_Format_Specification.html."""
    canaries.assert_none(output, where="standard output, with its metrics")
    found = [json.loads(line) for line in output.splitlines() if line.startswith('{"_aws":')]
    assert all(isinstance(line["_aws"]["Timestamp"], int) for line in found)
    return found


def points(output: str) -> set[Point]:
    return {point for line in lines(output) for point in _points(line)}


def _points(line: dict[str, Any]) -> Iterator[Point]:
    for directive in line["_aws"]["CloudWatchMetrics"]:
        for names in directive["Dimensions"]:
            assert all(isinstance(line[name], str) and line[name] for name in names)
            dimensions = tuple((name, line[name]) for name in sorted(names))
            for metric in directive["Metrics"]:
                for value in line[metric["Name"]]:
                    yield Point(directive["Namespace"], metric["Name"], metric["Unit"], dimensions, value)
