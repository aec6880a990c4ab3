"""Subtitles as text."""

import pytest

from downloader.fetcher import subtitles
from downloader.fetcher.cues import NotSubtitles, Subtitles

VTT = b"""WEBVTT - a title

STYLE
::cue { color: lime }

NOTE nobody sees this

intro
00:01.000 --> 00:02.500 align:start position:10% onclick:alert(1)
<v Roger>Hello</v>
<00:00:01.500>world

01:00:00.000 --> 01:00:01.000
An hour later
"""


def test_webvtt_keeps_its_cues_and_looks() -> None:
    assert Subtitles.parse(VTT).to_vtt().decode() == (
        "WEBVTT\n\nSTYLE\n::cue { color: lime }\n\n"
        "00:00:01.000 --> 00:00:02.500 align:start position:10%\n<v Roger>Hello</v>\n<00:00:01.500>world\n\n"
        "01:00:00.000 --> 01:00:01.000\nAn hour later\n"
    )


def test_srt_becomes_webvtt() -> None:
    first, second = (
        "1\r\n00:00:01,000 --> 00:00:02,500\r\n{\\an8}Up\r\nthere",
        "2\r\n00:00:03,000 --> 00:00:04,000\r\n\u00fc",
    )
    srt = f"{first}\r\n\r\n{second}\r\n"
    assert Subtitles.parse(srt.encode()).to_vtt().decode() == (
        "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nUp\nthere\n\n00:00:03.000 --> 00:00:04.000\n\u00fc\n"
    )


def test_ttml_becomes_webvtt() -> None:
    ttml = (
        b'<tt xmlns="http://www.w3.org/ns/ttml"><body><div><p begin="1s" end="2.5s">Un<br/>deux</p></div></body></tt>'
    )
    made = subtitles.read(ttml, "ttml").to_vtt().decode()
    assert made == "WEBVTT\n\n00:00:01.000 --> 00:00:02.500\nUn\ndeux\n"


def test_what_is_written_can_be_read_again() -> None:
    once = Subtitles.parse(VTT)
    assert Subtitles.parse(once.to_vtt()).cues == once.cues


def test_cues_of_a_clip_are_moved_and_cut() -> None:
    moved = Subtitles.parse(VTT).moved(-1.25, most_s=1.0)
    assert [(cue.start_s, cue.end_s) for cue in moved.cues] == [(0.0, 1.0)]
    assert moved.cues[0].text == "<v Roger>Hello</v>\n<00:00:00.250>world"
    assert Subtitles.parse(VTT).moved(-1.75, most_s=1.0).cues[0].text == "<v Roger>Hello</v>\nworld"


def test_clock_of_mpeg_is_read() -> None:
    header = b"WEBVTT\nX-TIMESTAMP-MAP=LOCAL:00:00:10.000,MPEGTS:900000\n\n"
    assert Subtitles.parse(header).mpeg_s == 0.0
    assert Subtitles.parse(header.replace(b"900000", b"1080000")).mpeg_s == 2.0
    assert Subtitles.parse(header.replace(b"900000", b"many")).mpeg_s is None


@pytest.mark.parametrize(
    "data",
    [
        b"", b"<!DOCTYPE html><html>00:00.000 --> 00:01.000</html>", b"WEBVTTX\n\n", b"\xff\xfeW\0E\0B\0", b"PK\3\4\0",
        b"WEBVTT\n\n\0", b"WEBVTT \xff", b"{\\rtf1}", b"1\nnot a time\n",
    ],
)  # fmt: skip
def test_what_is_not_subtitles_is_refused(data: bytes) -> None:
    with pytest.raises(NotSubtitles):
        Subtitles.parse(data)


@pytest.mark.parametrize(
    "data",
    [b'<!DOCTYPE tt [<!ENTITY a "b">]><tt xmlns="http://www.w3.org/ns/ttml"/>', b"<html><body/></html>", VTT, b"<tt"],
)
def test_what_is_not_ttml_is_refused(data: bytes) -> None:
    with pytest.raises(Exception):  # noqa: B017, PT011 - also those of the parser: none of them fails a job
        subtitles.read(data, "ttml")


@pytest.mark.parametrize(
    ("code", "names", "expected"),
    [
        ("en", ["de", "en"], "en"),
        ("EN", ["en"], "en"),
        ("en", ["en-US", "en-GB"], "en-US"),
        ("en", ["en-US", "en"], "en"),
        ("en", ["eng", "end"], None),
        ("pt-BR", ["pt", "pt-PT"], "pt"),
        ("pt-BR", ["pt_BR", "pt"], "pt_BR"),
        ("zh-Hans-CN", ["zh", "zh-Hans"], "zh-Hans"),
        ("fr", [], None),
    ],
)
def test_language_is_matched_exactly_then_by_kind(code: str, names: list[str], expected: str | None) -> None:
    assert subtitles.matching(code, names) == expected


def test_what_people_wrote_comes_before_what_a_machine_heard() -> None:
    info = {
        "subtitles": {"en-US": [{"ext": "json3"}, {"ext": "ttml"}, {"ext": "vtt", "url": "written"}], "live": [{}]},
        "automatic_captions": {"en": [{"ext": "vtt", "url": "heard"}], "de": [{"ext": "srt", "url": "heard"}]},
    }
    assert subtitles.choose(info, "en") == {"ext": "vtt", "url": "written"}
    assert subtitles.choose(info, "de") == {"ext": "srt", "url": "heard"}
    assert subtitles.choose(info, "live") is None
