"""Bodies that are too much, too little, or too late."""

import gzip
import itertools
import time
import zlib
from collections.abc import Callable, Iterator
from functools import cache

import brotli  # type: ignore[import-untyped]  # it ships no types

from tests.hostile.cases.codes import INTERRUPTED, NOT_MEDIA, SITE, TOO_LARGE, TOO_SLOW
from tests.hostile.running import Case
from tests.hostile.servers import Page, Request, page

_BLOCK = bytes(16 * 1024**2)
_OPENING = b"<!DOCTYPE html><html>"
_SHORT_S = 8.0


def _case(name: str, start: Page, expected: str, *, path: str = "/start", **fields: object) -> Case:
    return Case(family="body", name=name, url=f"{SITE}{path}", expected=expected, pages={path: start}, **fields)  # type: ignore[arg-type]


def _head(kind: str, *fields: str) -> bytes:
    return "\r\n".join(["HTTP/1.1 200 OK", f"Content-Type: {kind}", *fields, "", ""]).encode()


def _then(head: bytes, *data: bytes, every_s: float = 0.0, times: int | None = None) -> Page:
    """`head`, and after it all of `data` over and over."""

    def send(_: Request) -> Iterator[bytes]:
        yield head
        for _round in itertools.count() if times is None else range(times):
            for one in data:
                yield one
                time.sleep(every_s)

    return send


@cache
def _gzipped() -> bytes:
    """4 GiB in 4 MB: members of a gzip file may follow one another."""
    return gzip.compress(_OPENING + _BLOCK) * 256


@cache
def _deflated() -> bytes:
    """2 GiB in 2 MB: after a full flush the same bytes become the same again."""
    compressor = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    opening, block = (compressor.compress(part) + compressor.flush(zlib.Z_FULL_FLUSH) for part in (_OPENING, _BLOCK))
    return opening + block * 128 + compressor.flush()


@cache
def _brotlied() -> bytes:
    """2 GiB in a few kB."""
    compressor = brotli.Compressor(quality=5)
    parts = [compressor.process(_OPENING), *(compressor.process(_BLOCK) for _ in range(128)), compressor.finish()]
    return b"".join(map(bytes, parts))


def _bomb(encoding: str, make: Callable[[], bytes]) -> Page:
    """Made when it is asked for, and not when tests are collected."""

    def send(_: Request) -> Iterator[bytes]:
        yield page(make(), "html", f"Content-Encoding: {encoding}")

    return send


_CHUNKED = _head("video/mp4", "Transfer-Encoding: chunked")
_CHUNK = b"10000\r\n" + bytes(65_536) + b"\r\n"

CASES = [
    _case("endless, in chunks", _then(_CHUNKED, _CHUNK), TOO_LARGE),
    _case("endless, up to the end of the connection", _then(_head("video/mp4"), bytes(65_536)), TOO_LARGE),
    _case("endless page", _then(_head("text/html"), _OPENING, b"x" * 65_536), TOO_LARGE),
    _case(
        "endless playlist",
        _then(_head("application/vnd.apple.mpegurl"), b"#EXTM3U\n", b"#EXTINF:1,\n/x.ts\n" * 4000),
        TOO_LARGE,
    ),
    _case("larger than is allowed", _then(_head("video/mp4", "Content-Length: 99999999999"), bytes(65_536)), TOO_LARGE),
    _case("slow", _then(_CHUNKED, b"1\r\nx\r\n", every_s=0.5), TOO_SLOW, seconds=_SHORT_S),
    _case("slow page", _then(_head("text/html"), b" ", every_s=0.5), TOO_SLOW, seconds=_SHORT_S),
    _case(
        "that never begins",
        _then(_head("video/mp4", "Content-Length: 1000"), b"", every_s=0.5),
        TOO_SLOW,
        seconds=_SHORT_S,
    ),
    _case("that stops half way", _then(_CHUNKED + _CHUNK, b"", every_s=0.5), TOO_SLOW, seconds=_SHORT_S),
    _case("gzip bomb", _bomb("gzip", _gzipped), TOO_LARGE),
    _case("brotli bomb", _bomb("br", _brotlied), TOO_LARGE),
    _case("deflate bomb", _bomb("deflate", _deflated), TOO_LARGE),
    _case("gzip bomb in gzip", _bomb("gzip, gzip", lambda: gzip.compress(_gzipped())), TOO_LARGE),
    _case("gzip that is none", page("not compressed", "html", "Content-Encoding: gzip"), INTERRUPTED),
    _case("brotli that is none", page("not compressed", "html", "Content-Encoding: br"), INTERRUPTED),
    _case("unknown coding", page("whatever", "html", "Content-Encoding: evil"), NOT_MEDIA),
    _case(
        "shorter than announced",
        _head("video/mp4", "Content-Length: 1000000") + bytes(1000),
        INTERRUPTED,
        path="/start.mp4",
    ),
    _case("chunks that break off", _CHUNKED + _CHUNK, INTERRUPTED),
    _case("empty", page(b"", "mp4"), NOT_MEDIA),
    _case("empty, in chunks", _CHUNKED + b"0\r\n\r\n", NOT_MEDIA),
    _case("one byte", page(b"\0", "mp4"), NOT_MEDIA),
]
