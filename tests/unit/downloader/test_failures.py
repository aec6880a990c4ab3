"""What the fetcher makes of an exception."""

import email.utils
import errno
import http.client
import io
import json
import time

import pytest
from yt_dlp.networking.common import Response
from yt_dlp.networking.exceptions import HTTPError, IncompleteRead, NoSupportingHandlers, RequestError, TransportError
from yt_dlp.utils import (
    ContentTooShortError,
    DownloadError,
    ExtractorError,
    GeoRestrictedError,
    PostProcessingError,
    UnavailableVideoError,
    UnsupportedError,
)

from downloader.fetcher import failures, guard
from reelhaul import errors


def answer(status: int, url: str = "http://x/", **headers: str) -> HTTPError:
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return HTTPError(Response(fp=io.BytesIO(), url=url, headers=fields, status=status))


def extraction(
    cause: Exception | None = None, *, ie: str | None = None, text: str = "x", expected: bool = True
) -> ExtractorError:
    return ExtractorError(text, cause=cause, ie=ie, expected=expected)


def reported(error: Exception) -> DownloadError:
    """As yt-dlp hands errors on."""
    return DownloadError(f"ERROR: {error}", (type(error), error, None))


def tunnel(reason: str) -> TransportError:
    return TransportError(cause=OSError(f"Tunnel connection failed: {reason}"))


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (answer(401), "source.login_required"),
        (answer(403), "source.forbidden"),
        (answer(404), "source.not_found"),
        (answer(410), "source.not_found"),
        (answer(451), "source.not_found"),
        (answer(429), "source.rate_limited"),
        (answer(500), "source.unavailable"),
        (answer(503), "source.unavailable"),
        (answer(418), "source.failed"),
        (HTTPError(answer(302).response, redirect_loop=True), "source.unsupported"),
        (answer(403, X_Egress_Denied="address"), "source.refused_address"),
        (answer(502, X_Egress_Error="dns"), "source.unreachable"),
        (answer(502, X_Egress_Error="connect"), "source.unreachable"),
        (answer(504, X_Egress_Error="timeout"), "source.timed_out"),
        (answer(502, X_Egress_Error="protocol"), "source.malformed"),
        (answer(403, "https://x/", X_Egress_Denied="address"), "source.forbidden"),  # says the source, not the proxy
        (answer(502, "https://x/", X_Egress_Error="dns"), "source.unavailable"),
        (answer(403, cf_mitigated="challenge"), "source.blocked"),
        (extraction(answer(403), ie="Youtube"), "source.blocked"),
        (extraction(answer(403), ie="generic"), "source.forbidden"),
        (extraction(answer(404), ie="Youtube"), "source.not_found"),
        (reported(extraction(ie="generic", text="No video formats found!", expected=False)), "source.unsupported"),
        (reported(extraction(ie="Youtube", text="No video formats found!", expected=False)), "source.extractor_broken"),
        (answer(403, "ftp://x/", X_Egress_Denied="address"), "source.refused_address"),
        (tunnel("403 Egress denied"), "source.refused_address"),
        (tunnel("502 Egress dns failure"), "source.unreachable"),
        (tunnel("502 Egress connect failure"), "source.unreachable"),
        (tunnel("504 Egress timeout failure"), "source.timed_out"),
        (guard.Denied("x"), "source.refused_address"),
        (IncompleteRead(1, 2), "source.interrupted"),
        (ContentTooShortError(1, 2), "source.interrupted"),
        (TransportError(cause=ConnectionResetError(errno.ECONNRESET, "reset")), "source.interrupted"),
        (TransportError(cause=TimeoutError("timed out")), "source.timed_out"),
        (TransportError(cause=http.client.LineTooLong("header line")), "source.malformed"),
        (TransportError(cause=http.client.BadStatusLine("x")), "source.malformed"),
        (TransportError(cause=http.client.RemoteDisconnected("x")), "source.interrupted"),
        (TransportError("whatever"), "source.interrupted"),
        (UnsupportedError("http://x/"), "source.unsupported"),
        (GeoRestrictedError("not here"), "source.geo_blocked"),
        (NoSupportingHandlers([], []), "source.unsupported"),
        (RequestError("bad"), "source.unsupported"),
        (DownloadError("ERROR: Did not get any data blocks"), "source.not_media"),
        (PostProcessingError("bad"), "source.not_media"),
        (MemoryError(), "source.too_large"),
        (SystemError("error return without exception set"), "source.too_large"),
        (OSError(errno.EFBIG, "too big"), "source.too_large"),
        (OSError(errno.ENOSPC, "full"), "storage.unavailable"),
        (errors.SourceLive(), "source.live"),
        (extraction(text="Unable to extract title", expected=False), "source.extractor_broken"),
        (extraction(text="Sign in to confirm you're not a bot"), "source.blocked"),
        (extraction(text="This video is DRM protected"), "source.drm"),
        (extraction(text="Not available in your country"), "source.geo_blocked"),
        (extraction(text="This is a private video"), "source.login_required"),
        (extraction(text="Join this channel to get access to members-only content"), "source.login_required"),
        (extraction(text="This video has been removed by the uploader"), "source.not_found"),
        (extraction(text="This live event will begin in 3 hours"), "source.live"),
        (extraction(text="Something unheard of"), "source.failed"),
        (json.JSONDecodeError("x", "y", 0), "source.extractor_broken"),
        (UnicodeError("label too long"), "source.unsupported"),
        (TypeError("NoneType"), "source.extractor_broken"),
        (KeyError("formats"), "source.extractor_broken"),
    ],
    ids=lambda value: value if isinstance(value, str) else f"{type(value).__name__}: {value}"[:60],
)
def test_failure_has_its_code(error: Exception, code: str) -> None:
    assert failures.verdict(error).code == code
    if not isinstance(error, TypeError | KeyError):  # these yt-dlp does not wrap
        assert failures.verdict(reported(error)).code == code


def test_file_that_is_gone_is_no_fault_of_an_extractor() -> None:
    assert isinstance(failures.verdict(FileNotFoundError(errno.ENOENT, "gone")), errors.WorkerCrashed)


def test_cause_of_a_failed_write_is_found() -> None:
    error = UnavailableVideoError("unable to write")
    error.__context__ = OSError(errno.ENOSPC, "full")  # as it is when yt-dlp raises the one while it handles the other
    assert failures.verdict(error).code == "storage.unavailable"


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ("7", 7),
        ("999999999", 86_400),
        ("Thu, 01 Jan 1970 00:00:00 GMT", 0),
        ("soon", None),
        ("-1", None),
    ],
)
def test_retry_after_is_understood(value: str, expected: float | None) -> None:
    assert failures.verdict(answer(429, Retry_After=value)).retry_after_s == expected


def test_retry_after_may_be_a_date() -> None:
    date = email.utils.formatdate(time.time() + 1000, usegmt=True)
    assert failures.verdict(answer(429, Retry_After=date)).retry_after_s == pytest.approx(1000, abs=5)


@pytest.mark.parametrize(
    ("error", "extractor"),
    [
        (extraction(text="Unable to extract title", expected=False, ie="Youtube"), "Youtube"),
        (extraction(KeyError("formats"), expected=False, ie="twitch:vod"), "twitch:vod"),
        (TypeError("NoneType"), None),
    ],
    ids=["told", "caused", "unknown"],
)
def test_broken_extractor_is_named(error: Exception, extractor: str | None) -> None:
    found = failures.verdict(reported(error) if extractor else error)  # a TypeError yt-dlp does not wrap
    assert isinstance(found, errors.ExtractorBroken)
    assert found.extractor == extractor
