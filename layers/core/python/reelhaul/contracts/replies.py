"""What the replies of both contracts share: errors, their HTTP status, times, and how JSON is written. Pure."""

import json
from datetime import UTC, datetime
from typing import Any

from reelhaul.errors import (
    Conflict,
    FileNotFound,
    InvalidRequest,
    JobNotFound,
    ReelhaulError,
    RequestTooLarge,
    RouteNotFound,
    ServiceUnavailable,
    Unauthorized,
)

Body = dict[str, Any]

# A reply may tell about a job or carry a link: nobody but its reader keeps it, and no browser guesses what it is.
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
STATUS: dict[type[ReelhaulError], int] = {
    InvalidRequest: 400,
    Unauthorized: 401,
    JobNotFound: 404,
    FileNotFound: 404,
    RouteNotFound: 404,
    Conflict: 409,
    RequestTooLarge: 413,
    ServiceUnavailable: 503,
}


def status_of(error: ReelhaulError) -> int:
    """The HTTP status of an error: that of its class or the nearest base in `STATUS`, else 500."""
    return next((STATUS[cls] for cls in type(error).__mro__ if cls in STATUS), 500)


def error_body(error: ReelhaulError) -> Body:
    """`message` is for clients of the first contract, `detail` for those of the second, `code` for programs."""
    body = {"success": False, "message": str(error), "detail": str(error), "code": error.code}
    field = getattr(error, "field", None)
    return body if field is None else body | {"field": field}


def dumps(body: object) -> str:
    """JSON without padding. Text stays as it is: a title in Chinese would double in size as escapes."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def timestamp(seconds: float | None) -> str | None:
    """RFC 3339, in UTC, with milliseconds."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
