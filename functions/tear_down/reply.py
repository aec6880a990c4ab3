"""What a custom resource tells CloudFormation.

https://docs.aws.amazon.com/AWSCloudFormation/latest/UserGuide/crpg-ref-responses.html
"""

import json
import time
import urllib.request
from collections.abc import Callable, Mapping
from typing import Any

_MAX_REASON = 1000  # characters of ASCII; a reply may have 4,096 bytes, and its other fields are short
_TRIES, _PAUSE_S, _TIMEOUT_S = 4, 1.0, 5.0
_COPIED = ("StackId", "RequestId", "LogicalResourceId")


def reply(event: Mapping[str, Any], *, failure: str | None = None, sleep: Callable[[float], None] = time.sleep) -> None:
    """Say that what `event` asked for is done, or why it is not.

    Raises `OSError` when CloudFormation cannot be told. Lambda then calls the function again, twice.
    """
    body = {name: event[name] for name in _COPIED} | {
        "Status": "SUCCESS" if failure is None else "FAILED",
        # One that changed would mean another resource, of which the one before is deleted.
        "PhysicalResourceId": event.get("PhysicalResourceId") or event["LogicalResourceId"],
    }
    if failure is not None:
        body["Reason"] = failure.encode("ascii", "replace").decode()[:_MAX_REASON]
    request = urllib.request.Request(  # noqa: S310 - the URL is CloudFormation's
        event["ResponseURL"],
        data=json.dumps(body).encode(),
        headers={"Content-Type": ""},  # the URL is signed for a PUT without one
        method="PUT",
    )
    for left in reversed(range(_TRIES)):
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310 - as above
                return
        except OSError:
            if left == 0:
                raise
            sleep(_PAUSE_S)
