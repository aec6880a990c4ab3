"""The OpenAPI document, as `infra.openapi` puts it beside this file, and what it tells about routes."""

import functools
import json
import re
from pathlib import Path

_FILE = Path(__file__).with_name("openapi.json")
_PARAMETER = re.compile(r"\\{\w+\\}")  # in a template that has been escaped


@functools.cache
def text() -> str:
    return _FILE.read_text(encoding="utf-8")


def methods_at(path: str) -> frozenset[str]:
    """The methods that some route knows at `path`; none where there is no route at all."""
    return frozenset().union(*(methods for pattern, methods in _routes() if pattern.fullmatch(path)))


@functools.cache
def _routes() -> list[tuple[re.Pattern[str], frozenset[str]]]:
    paths: dict[str, dict[str, object]] = json.loads(text())["paths"]
    return [
        (re.compile(_as_pattern(path)), frozenset(method.upper() for method in methods))
        for path, methods in paths.items()
    ]


def _as_pattern(path: str) -> str:
    """A template as API Gateway reads it: a parameter is one segment."""
    return _PARAMETER.sub("[^/]+", re.escape(path))
