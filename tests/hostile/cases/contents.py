"""Files that are not what they are called, and media that refer to others."""

import struct
from collections.abc import Callable, Iterator

from reelhaul.options import Options
from tests.hostile.cases.codes import INTERRUPTED, NOT_MEDIA, SITE
from tests.hostile.running import DONE, Case, Outcome
from tests.hostile.servers import Page, Request, page

_XML = '<?xml version="1.0"?>'
_DISGUISED: dict[str, str | bytes] = {
    "HTML": ("<!DOCTYPE html><html><script>alert(1)</script></html>"),
    "SVG": ('<svg xmlns="http://www.w3.org/2000/svg" onload="alert(1)"/>'),
    "ffconcat of files": ("ffconcat version 1.0\nfile '/etc/passwd'\n"),
    "ffconcat of an address": ("ffconcat version 1.0\nfile 'http://10.0.0.1/clip.mp4'\n"),
    "MPD": (
        f'{_XML}<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static"><Period><AdaptationSet mimeType="video/mp4">'
        '<Representation id="1"><BaseURL>file:///etc/passwd</BaseURL></Representation></AdaptationSet></Period></MPD>'
    ),
    "m3u8 of files": ("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nfile:///etc/passwd\n#EXT-X-ENDLIST\n"),
    "m3u8 of an address": ("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nhttp://10.0.0.1/x.ts\n#EXT-X-ENDLIST\n"),
    "SDP": (
        "v=0\no=- 0 0 IN IP4 10.0.0.1\ns=x\nc=IN IP4 10.0.0.1\nt=0 0\nm=video 5004 RTP/AVP 96\na=rtpmap:96 H264/90000\n"
    ),
    "shell script": ("#!/bin/sh\ncurl http://10.0.0.1/\n"),
    "program": (b"\x7fELF\x02\x01\x01" + bytes(1000)),
    "PNG": (b"\x89PNG\r\n\x1a\n\0\0\0\rIHDR\0\0\0\x01\0\0\0\x01\x08\x06\0\0\0\x1f\x15\xc4\x89" + bytes(100)),
    "subtitles": ("WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n"),
    "only zeros": (bytes(1_000_000)),
}


def _case(name: str, start: Page, expected: str, **fields: object) -> Case:
    path = "/start.mp4"
    return Case(family="content", name=name, url=f"{SITE}{path}", expected=expected, pages={path: start}, **fields)  # type: ignore[arg-type]


def _box(kind: bytes, *content: bytes) -> bytes:
    data = b"".join(content)
    return struct.pack(">I", 8 + len(data)) + kind + data


def _referring(to: str) -> bytes:
    """An mp4 whose samples are in another file (ISO 14496-12, 8.7.2)."""
    full = bytes(4)
    dref = _box(b"dref", full, struct.pack(">I", 1), _box(b"url ", full, to.encode() + b"\0"))
    entry = _box(b"avc1", bytes(6), struct.pack(">H", 1), bytes(16), struct.pack(">HH", 320, 180), bytes(50))
    tables = (
        _box(b"stsd", full, struct.pack(">I", 1), entry),
        _box(b"stts", full, struct.pack(">III", 1, 1, 1000)),
        _box(b"stsc", full, struct.pack(">IIII", 1, 1, 1, 1)),
        _box(b"stsz", full, struct.pack(">III", 0, 1, 1000)),
        _box(b"stco", full, struct.pack(">II", 1, 0)),
    )
    media = _box(b"mdia",
        _box(b"mdhd", full, bytes(8), struct.pack(">IIHH", 1000, 1000, 0, 0)),
        _box(b"hdlr", full, bytes(4), b"vide", bytes(13)),
        _box(b"minf", _box(b"vmhd", full, bytes(8)), _box(b"dinf", dref), _box(b"stbl", *tables)),
    )  # fmt: skip
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    track = _box(
        b"trak",
        _box(
            b"tkhd",
            b"\0\0\0\3",
            bytes(8),
            struct.pack(">III", 1, 0, 1000),
            bytes(16),
            matrix,
            struct.pack(">II", 320 << 16, 180 << 16),
        ),
        media,
    )
    header = _box(
        b"mvhd",
        full,
        bytes(8),
        struct.pack(">IIIH", 1000, 1000, 0x10000, 0x100),
        bytes(10),
        matrix,
        bytes(24),
        struct.pack(">I", 2),
    )
    return _box(b"ftyp", b"isom\0\0\2\0isom") + _box(b"moov", header, track)


def _of_the_clip(change: Callable[[bytes], bytes]) -> Page:
    """What is made of the harmless clip, which every source has."""

    def send(request: Request) -> Iterator[bytes]:
        yield page(change((request.media / "clip.mp4").read_bytes()), "mp4")

    return send


_HUGE = _box(b"ftyp", b"isom\0\0\2\0isom") + struct.pack(">I4sQ", 1, b"mdat", 2**62)
_TABLE = _box(b"stsz", bytes(4), struct.pack(">II", 0, 0xFFFFFFFF))


def _is_as_it_came(outcome: Outcome) -> None:
    """Nobody went where it points to."""
    assert len(outcome.media) < 1000


CASES = [
    *(_case(f"{name} as mp4", page(body, "mp4"), NOT_MEDIA) for name, body in _DISGUISED.items()),
    _case("mp4 that refers to a file", page(_referring("file:///etc/passwd"), "mp4"), DONE, check=_is_as_it_came),
    _case(
        "mp4 that refers to an address", page(_referring("http://10.0.0.1/clip.mp4"), "mp4"), DONE, check=_is_as_it_came
    ),
    _case(
        "mp4 that refers to a file, to be converted",
        page(_referring("file:///etc/passwd"), "mp4"),
        NOT_MEDIA,
        options=Options(container="webm"),
    ),
    _case("mp4 that announces exabytes", page(_HUGE, "mp4"), INTERRUPTED),
    _case(
        "mp4 with a table of four billion",
        page(
            _box(b"ftyp", b"isom\0\0\2\0isom")
            + _box(b"moov", _box(b"trak", _box(b"mdia", _box(b"minf", _box(b"stbl", _TABLE))))),
            "mp4",
        ),
        NOT_MEDIA,
    ),
    _case(
        "boxes in boxes in boxes",
        page(
            _box(b"ftyp", b"isom\0\0\2\0isom")
            + b"".join(struct.pack(">I4s", 8 * (20_000 - n), b"moov") for n in range(20_000)),
            "mp4",
        ),
        NOT_MEDIA,
    ),
    _case(
        "webm that announces exabytes",
        page(b"\x1a\x45\xdf\xa3\x01\xff\xff\xff\xff\xff\xff\xfe" + bytes(100), "video/webm"),
        NOT_MEDIA,
    ),
    _case("cut in half", _of_the_clip(lambda clip: clip[: len(clip) // 2]), INTERRUPTED),
    _case("without its last byte", _of_the_clip(lambda clip: clip[:-1]), INTERRUPTED),
    _case("only its first kilobyte", _of_the_clip(lambda clip: clip[:1024]), INTERRUPTED),
    _case("with a script behind it", _of_the_clip(lambda clip: clip + b"<script>alert(1)</script>"), INTERRUPTED),
    _case("harmless", _of_the_clip(lambda clip: clip), DONE),
]
