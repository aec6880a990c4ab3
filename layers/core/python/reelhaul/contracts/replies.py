"""What the replies of both contracts share: errors, their HTTP status, times, and how JSON is written. Pure."""

import json
from datetime import UTC, datetime
from typing import Any

from reelhaul.errors import (
    Conflict,
    FileNotFound,
    InvalidRequest,
    JobNotFound,
    KeyReused,
    LimitReached,
    MethodNotAllowed,
    ReelhaulError,
    RequestTooLarge,
    RouteNotFound,
    ServiceUnavailable,
    SiteNotAllowed,
    SourceError,
    Unauthorized,
    UnsupportedMediaType,
)
from reelhaul.options import clean_text

Body = dict[str, Any]

# A reply may tell about a job or carry a link: nobody but its reader keeps it, and no browser guesses what it is.
HEADERS = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}
# For a year no browser comes here without TLS. The operator's other hosts are not ours to speak for. Over plain HTTP,
# which is the local engine's, it must not be said (RFC 6797, section 7.2).
TLS_HEADERS = {"Strict-Transport-Security": "max-age=31536000"}
STATUS: dict[type[ReelhaulError], int] = {
    InvalidRequest: 400,
    Unauthorized: 401,
    JobNotFound: 404,
    FileNotFound: 404,
    RouteNotFound: 404,
    MethodNotAllowed: 405,
    Conflict: 409,
    RequestTooLarge: 413,
    UnsupportedMediaType: 415,
    KeyReused: 422,
    SiteNotAllowed: 403,
    SourceError: 422,  # where a source is looked at while its user waits; a job that failed is no error of a request
    LimitReached: 429,
    ServiceUnavailable: 503,
}
_RETRY_AFTER_S = 5  # the SDK has tried several times already
_MAX_ECHO_CHARS = 60


def status_of(error: ReelhaulError) -> int:
    """The HTTP status of an error: that of its class or the nearest base in `STATUS`, else 500."""
    return next((STATUS[cls] for cls in type(error).__mro__ if cls in STATUS), 500)


def headers_of(error: ReelhaulError) -> dict[str, str]:
    """The headers that an error's reply has beside those of all; RFC 9110 asks for those of 401 and 405, and provides
    for that of 503, as RFC 6585 does for 429.
    """
    if isinstance(error, Unauthorized):
        return {"WWW-Authenticate": "Bearer"}
    if isinstance(error, MethodNotAllowed):
        return {"Allow": ", ".join(error.allowed)}
    if isinstance(error, LimitReached):
        return {"Retry-After": str(error.retry_after_s)}
    if isinstance(error, ServiceUnavailable):
        return {"Retry-After": str(_RETRY_AFTER_S)}
    return {}


def error_body(error: ReelhaulError) -> Body:
    """`message` is for clients of the first contract, `detail` for those of the second, `code` for programs."""
    body = {"success": False, "message": str(error), "detail": str(error), "code": error.code}
    field = getattr(error, "field", None)
    return body if field is None else body | {"field": field}


def echo(name: str) -> str:
    """A name that somebody made up, fit to be shown to them."""
    return clean_text(name)[:_MAX_ECHO_CHARS]


def dumps(body: object) -> str:
    """JSON without padding. Text stays as it is: a title in Chinese would double in size as escapes."""
    return json.dumps(body, ensure_ascii=False, allow_nan=False, separators=(",", ":"))


def timestamp(seconds: float | None) -> str | None:
    """RFC 3339, in UTC, with milliseconds."""
    if seconds is None:
        return None
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
