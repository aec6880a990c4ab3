"""What a function's logger writes, line by line."""

import io
import json
import logging
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from aws_lambda_powertools import Logger

from tests import canaries


class Lines(list[dict[str, Any]]):
    """JSON objects, as CloudWatch gets them. Filled at the end of `logged`."""

    def of(self, event: str) -> list[dict[str, Any]]:
        return [line for line in self if line["message"] == event]


@contextmanager
def logged(logger: Logger) -> Iterator[Lines]:
    lines, stream = Lines(), io.StringIO()
    handler = logger.registered_handler
    assert isinstance(handler, logging.StreamHandler)
    before = handler.setStream(stream)
    try:
        yield lines
    finally:
        handler.setStream(before or stream)
        canaries.assert_none(stream.getvalue(), where="a log")
        lines += [json.loads(line) for line in stream.getvalue().splitlines()]
