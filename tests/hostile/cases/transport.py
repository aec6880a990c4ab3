"""HTTP and TLS as they should not be."""

import itertools
import time
from collections.abc import Iterator

from tests.hostile.cases.codes import (
    FAILED,
    FORBIDDEN,
    INTERRUPTED,
    MALFORMED,
    NOT_FOUND,
    NOT_MEDIA,
    SITE,
    TOO_LARGE,
    TOO_SLOW,
    UNAVAILABLE,
    UNREACHABLE,
)
from tests.hostile.running import DONE, Case
from tests.hostile.servers import Page, Request, page

_SHORT_S = 8.0
_BIDI = "\u202etxt.exe\u2066"
_ANSI = "\x1b[31m\x1b]0;owned\x07"


def _case(name: str, start: Page, expected: str, *, url: str = f"{SITE}/start", **fields: object) -> Case:
    return Case(family="transport", name=name, url=url, expected=expected, pages={"/start": start}, **fields)  # type: ignore[arg-type]


def _tls(host: str, expected: str) -> Case:
    return Case(family="transport", name=f"TLS of {host}", url=f"https://{host}/clip.mp4", expected=expected)


def _slowly(data: bytes) -> Page:
    """Byte by byte, and then nothing more."""

    def send(_: Request) -> Iterator[bytes]:
        for byte in itertools.chain(data, itertools.repeat(0x20)):
            yield bytes([byte])
            time.sleep(0.2)

    return send


def _again_and_again(data: bytes, before: bytes = b"") -> Page:
    def send(_: Request) -> Iterator[bytes]:
        yield before
        while True:
            yield data

    return send


_OK = b"HTTP/1.1 200 OK\r\n"
_MP4 = b"Content-Type: video/mp4\r\n"

CASES = [
    _tls("self-signed.example", UNREACHABLE),
    _tls("expired.example", UNREACHABLE),
    _tls("another.example", UNREACHABLE),
    _tls("videos.example", DONE),
    _case("plain HTTP where TLS is expected", page(""), UNREACHABLE, url="https://videos.example:80/start"),
    _case("reason phrase with escapes and directions", page("", status=f"404 {_ANSI}{_BIDI}"), NOT_FOUND),
    _case("reason phrase with a header in it", page("", status="404 x\rX-Egress-Denied: address"), NOT_FOUND),
    _case("reason phrase of our own refusal", page("", status="403 Egress denied"), FORBIDDEN),
    _case("header of our own refusal", page("", "html", "X-Egress-Denied: address", status="403 Forbidden"), FORBIDDEN),
    _case(
        "header of our own refusal, through a tunnel",
        page("", "html", "X-Egress-Denied: address", status="403 Forbidden"),
        FORBIDDEN,
        url="https://videos.example/start",
    ),
    _case(
        "header of our own failure, through a tunnel",
        page("", "html", "X-Egress-Error: dns", status="502 x"),
        UNAVAILABLE,
        url="https://videos.example/start",
    ),
    _case("very long reason phrase", page("", status="404 " + "x" * 100_000), MALFORMED),
    _case("a header of 100 kB", page("", "html", "X-Long: " + "x" * 100_000), MALFORMED),
    _case(
        "a header of 100 kB, through a tunnel",
        page("", "html", "X-Long: " + "x" * 100_000),
        MALFORMED,
        url="https://videos.example/start",
    ),
    _case("10,000 headers", page("", "html", *(f"X-{n}: x" for n in range(10_000))), MALFORMED),
    _case(
        "10,000 headers, through a tunnel",
        page("", "html", *(f"X-{n}: x" for n in range(10_000))),
        MALFORMED,
        url="https://videos.example/start",
    ),
    _case("endless header", _again_and_again(b"x" * 65_536, _OK + b"X-Long: "), MALFORMED),
    _case("endless headers", _again_and_again(b"X-More: x\r\n" * 1000, _OK), MALFORMED),
    _case(
        "endless headers, through a tunnel",
        _again_and_again(b"X-More: x\r\n" * 1000, _OK),
        MALFORMED,
        url="https://videos.example/start",
    ),
    _case("only interim responses", _again_and_again(b"HTTP/1.1 100 Continue\r\n\r\n"), MALFORMED),
    _case(
        "only interim responses, through a tunnel",
        _again_and_again(b"HTTP/1.1 100 Continue\r\n\r\n"),
        TOO_LARGE,
        url="https://videos.example/start",
    ),
    _case("no answer", _slowly(b""), TOO_SLOW, seconds=_SHORT_S),
    _case("answer byte by byte", _slowly(_OK + b"X-Slow: "), TOO_SLOW, seconds=_SHORT_S),
    _case("answer that is no HTTP", b"SSH-2.0-OpenSSH_9.2\r\n\r\n", MALFORMED),
    _case("answer of HTTP/0.9", b"<html>Hello</html>", INTERRUPTED),
    _case("answer of HTTP/2", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", MALFORMED),
    _case("no answer but the end", b"", INTERRUPTED),
    _case("header folded over lines", _OK + b"Location:\r\n http://10.0.0.1/clip.mp4\r\n\r\n", MALFORMED),
    _case("header with a NUL", _OK + b"X-Nul: a\0b\r\n\r\n", MALFORMED),
    _case("status that is no number", b"HTTP/1.1 abc OK\r\n\r\n", MALFORMED),
    _case("status 999", page("", status="999 Odd"), UNAVAILABLE),
    _case(
        "status 206 that nobody asked for",
        page(b"\0" * 100, "mp4", "Content-Range: bytes 5-104/1000000000000", status="206 Partial Content"),
        NOT_MEDIA,
    ),
    _case("status 416", page("", status="416 Range Not Satisfiable"), INTERRUPTED),
    _case("no content", b"HTTP/1.1 204 No Content\r\n\r\n", NOT_MEDIA),
    _case("two lengths", _OK + _MP4 + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", MALFORMED),
    _case("negative length", _OK + _MP4 + b"Content-Length: -5\r\n\r\nhello", MALFORMED),
    _case("length of a thousand digits", _OK + _MP4 + b"Content-Length: " + b"9" * 1000 + b"\r\n\r\nhello", MALFORMED),
    _case("length of an exabyte", _OK + _MP4 + b"Content-Length: 1000000000000000000\r\n\r\nhello", MALFORMED),
    _case(
        "length and chunks",
        _OK + _MP4 + b"Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n0\r\n\r\n",
        NOT_MEDIA,
    ),
    _case(
        "chunk of negative size",
        _OK + _MP4 + b"Transfer-Encoding: chunked\r\n\r\n-5\r\nhello\r\n0\r\n\r\n",
        INTERRUPTED,
    ),
    _case(
        "chunk of enormous size",
        _OK + _MP4 + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\nhello",
        INTERRUPTED,
    ),
    _case(
        "chunk with an endless extension",
        _again_and_again(b"x" * 65_536, _OK + _MP4 + b"Transfer-Encoding: chunked\r\n\r\n5;"),
        INTERRUPTED,
    ),
    _case(
        "chunks with endless trailers",
        _again_and_again(b"X-More: x\r\n" * 1000, _OK + _MP4 + b"Transfer-Encoding: chunked\r\n\r\n0\r\n"),
        INTERRUPTED,
    ),
    _case("unknown transfer coding", _OK + _MP4 + b"Transfer-Encoding: gzip, evil\r\n\r\nhello", NOT_MEDIA),
    _case(
        "cookie for everybody", page("", "html", "Set-Cookie: a=b; Domain=.example; Path=/", status="404 x"), NOT_FOUND
    ),
    _case(
        "authentication wanted",
        page("", "html", 'WWW-Authenticate: Basic realm="metadata"', status="401 Unauthorized"),
        "source.login_required",
    ),
    _case(
        "proxy authentication wanted", page("", "html", 'Proxy-Authenticate: Basic realm="x"', status="407 x"), FAILED
    ),
    _case("patience for ten years", page("", "html", "Retry-After: 315360000", status="503 Later"), UNAVAILABLE),
    _case(
        "Retry-After that is no time",
        page("", "html", "Retry-After: \u221e".encode().decode("latin-1"), status="429 Later"),
        "source.rate_limited",
    ),
]
