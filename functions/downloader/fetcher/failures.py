"""From whatever was raised to an error with a code: by type first, through all causes; by text last."""

import email.utils
import errno
import http.client
import json
import re
import subprocess
import time
from collections.abc import Iterator
from xml.etree.ElementTree import ParseError

from yt_dlp.networking.exceptions import (
    HTTPError,
    IncompleteRead,
    NoSupportingHandlers,
    ProxyError,
    RequestError,
    SSLError,
    TransportError,
)
from yt_dlp.utils import (
    ContentTooShortError,
    DownloadError,
    ExtractorError,
    GeoRestrictedError,
    PostProcessingError,
    UnsupportedError,
    UserNotLive,
)

from downloader.fetcher.guard import Denied
from reelhaul import errors
from reelhaul.errors import ExtractorBroken, SourceError

_MAX_CAUSES = 30
_MAX_RETRY_AFTER_S = 86_400.0

_BY_STATUS: dict[int, type[SourceError]] = {
    401: errors.SourceLoginRequired,
    402: errors.SourceForbidden,
    403: errors.SourceForbidden,
    404: errors.SourceNotFound,
    408: errors.SourceTimedOut,
    410: errors.SourceNotFound,
    416: errors.SourceInterrupted,
    429: errors.SourceRateLimited,
    451: errors.SourceNotFound,
}
_BY_EGRESS_ERROR: dict[str, type[SourceError]] = {
    "dns": errors.SourceUnreachable,
    "connect": errors.SourceUnreachable,
    "timeout": errors.SourceTimedOut,
    "protocol": errors.SourceMalformed,
}
_BY_ERRNO: dict[int, type[SourceError]] = {
    errno.EFBIG: errors.SourceTooLarge,  # RLIMIT_FSIZE
    errno.ENOMEM: errors.SourceTooLarge,
    errno.ENOSPC: errors.StorageUnavailable,
    errno.EDQUOT: errors.StorageUnavailable,
    errno.ECONNREFUSED: errors.SourceUnreachable,
    errno.ECONNRESET: errors.SourceInterrupted,
    errno.EPIPE: errors.SourceInterrupted,
}
# The first that an exception is an instance of. Order matters: subclasses come before their bases.
_BY_TYPE: tuple[tuple[type[BaseException], type[SourceError]], ...] = (
    (Denied, errors.SourceRefused),
    (MemoryError, errors.SourceTooLarge),
    (SystemError, errors.SourceTooLarge),  # what CPython makes of C code that runs out of memory and does not say so
    (GeoRestrictedError, errors.SourceGeoBlocked),
    (UnsupportedError, errors.SourceUnsupported),
    (UserNotLive, errors.SourceLive),
    (NoSupportingHandlers, errors.SourceUnsupported),
    (IncompleteRead, errors.SourceInterrupted),
    (ContentTooShortError, errors.SourceInterrupted),
    (http.client.IncompleteRead, errors.SourceInterrupted),
    (http.client.RemoteDisconnected, errors.SourceInterrupted),
    (http.client.HTTPException, errors.SourceMalformed),
    (TimeoutError, errors.SourceTimedOut),
    (subprocess.TimeoutExpired, errors.SourceNotMedia),  # ffmpeg cannot cope with it
)
# Once no exception of the chain has said anything better.
_FALLBACKS: tuple[tuple[type[BaseException], type[SourceError]], ...] = (
    (SSLError, errors.SourceUnreachable),
    (ProxyError, errors.SourceUnreachable),
    (TransportError, errors.SourceInterrupted),
    (RequestError, errors.SourceUnsupported),
    (PostProcessingError, errors.SourceNotMedia),
    (json.JSONDecodeError, errors.ExtractorBroken),
    (ParseError, errors.ExtractorBroken),
    (UnicodeError, errors.SourceUnsupported),  # a host that cannot be one
)
_NO_FORMATS = "No video formats found"
# What sites say about a medium, in extractors' words. The first match counts, so what is specific comes first.
_BY_TEXT: tuple[tuple[str, type[SourceError]], ...] = (
    (r"downloaded file is empty|did not get any data", errors.SourceNotMedia),
    (r"not a bot|captcha|cloudflare|anti-bot|unusual traffic", errors.SourceBlocked),
    (r"\bdrm\b", errors.SourceDrm),
    (r"geo.?restrict|geo.?block|your (country|region|location)|in your area", errors.SourceGeoBlocked),
    (r"premieres? in|live event will|has not started|is live|livestream", errors.SourceLive),
    (r"rate.?limit|too many requests", errors.SourceRateLimited),
    (r"private|members?.only|log.?in|sign in|registered users|subscri|premium|cookies|purchase",
     errors.SourceLoginRequired),
    (r"removed|deleted|no longer|does ?n.t exist|does not exist|not found|unavailable|not available|terminated|expired",
     errors.SourceNotFound),
    (r"unsupported url|not a valid url", errors.SourceUnsupported),
)  # fmt: skip


def verdict(error: BaseException) -> SourceError:
    """The error that a job ends with, or is tried again for."""
    chain = list(_causes(error))
    found = _verdict(error, chain)
    if isinstance(found, ExtractorBroken):
        names = (cause.ie for cause in chain if isinstance(cause, ExtractorError))
        found.extractor = next((str(name) for name in names if name), None)
    return found


def _verdict(error: BaseException, chain: list[BaseException]) -> SourceError:
    for cause in chain:
        found = _from_type(cause, chain)
        if found is not None:
            return found
    for cause in chain:
        for kind, code in _FALLBACKS:
            if isinstance(cause, kind):
                return code()
    return _from_text(error, chain)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The exception and what it came from, outermost first. yt-dlp and urllib3 have places of their own for that."""
    waiting: list[object] = [error]
    seen: set[int] = set()
    while waiting and len(seen) < _MAX_CAUSES:
        one = waiting.pop(0)
        if not isinstance(one, BaseException) or id(one) in seen:
            continue
        seen.add(id(one))
        yield one
        exc_info = getattr(one, "exc_info", None) or ()
        waiting += [*exc_info[1:2], getattr(one, "cause", None), getattr(one, "reason", None)]
        waiting += [one.__cause__, one.__context__, *one.args]


def _from_type(cause: BaseException, chain: list[BaseException]) -> SourceError | None:
    if isinstance(cause, SourceError):
        return cause
    if isinstance(cause, HTTPError):
        return _from_status(cause, chain)
    for kind, code in _BY_TYPE:
        if isinstance(cause, kind):
            return code()
    if isinstance(cause, OSError):
        return _from_os_error(cause)
    return None


def _from_status(error: HTTPError, chain: list[BaseException]) -> SourceError:
    headers = error.response.headers
    if not error.response.url.startswith(
        "https:"
    ):  # what comes through a tunnel is the source's, whatever it is called
        if headers.get("X-Egress-Denied"):
            return errors.SourceRefused()
        egress_error = _BY_EGRESS_ERROR.get(headers.get("X-Egress-Error") or "")
        if egress_error is not None:
            return egress_error()
    retry_after_s = _retry_after_s(headers.get("Retry-After"))
    if error.status == 403 and (headers.get("cf-mitigated") or _of_known_site(chain)):
        return errors.SourceBlocked(retry_after_s=retry_after_s)
    if error.redirect_loop:
        return errors.SourceUnsupported()
    kind = errors.SourceUnavailable if error.status >= 500 else SourceError
    return _BY_STATUS.get(error.status, kind)(retry_after_s=retry_after_s)


def _of_known_site(chain: list[BaseException]) -> bool:
    names = [cause.ie for cause in chain if isinstance(cause, ExtractorError)]
    return any(name and name.lower() != "generic" for name in names)


def _from_os_error(error: OSError) -> SourceError | None:
    text = str(error)
    if "Tunnel connection failed" in text:  # of a refusal to a tunnel, http.client keeps only the status line
        if "Egress denied" in text:
            return errors.SourceRefused()
        for name, kind in _BY_EGRESS_ERROR.items():
            if f"Egress {name} failure" in text:
                return kind()
    found = _BY_ERRNO.get(error.errno or 0)
    return found() if found is not None else None


def _retry_after_s(value: str | None) -> float | None:
    """Seconds, or a date (RFC 9110, 10.2.3)."""
    if not value:
        return None
    if value.strip().isdigit():
        return min(float(value), _MAX_RETRY_AFTER_S)
    try:
        at = email.utils.parsedate_to_datetime(value).timestamp()
    except (ValueError, OverflowError):
        return None
    return min(max(0.0, at - time.time()), _MAX_RETRY_AFTER_S)


def _from_text(error: BaseException, chain: list[BaseException]) -> SourceError:
    if _NO_FORMATS in str(error) and not _of_known_site(chain):
        return errors.SourceUnsupported()  # a page of anybody's: no extractor is to blame
    if any(isinstance(cause, ExtractorError) and not cause.expected for cause in chain):
        return errors.SourceDrm() if "drm" in str(error).lower() else errors.ExtractorBroken()
    if isinstance(error, DownloadError | ExtractorError):
        for pattern, kind in _BY_TEXT:
            if re.search(pattern, str(error), re.IGNORECASE):
                return kind()
        return SourceError()
    if isinstance(error, OSError):
        return errors.WorkerCrashed()  # of the disk, or of a program: those of the network have been named by now
    return errors.ExtractorBroken()  # anything else that an extractor let through: TypeError, KeyError, ...
