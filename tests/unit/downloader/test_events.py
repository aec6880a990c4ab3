"""What a fetcher says is taken apart with suspicion."""

import json
from pathlib import Path
from typing import Any

import pytest

from downloader import events, plausible
from downloader.events import Failed, Finished
from downloader.plausible import Implausible
from downloader.sightings import Inspected, Listed, Several
from reelhaul.errors import ExtractorBroken, SourceError, SourceNotFound
from reelhaul.findings import Format
from reelhaul.jobs import Phase, Progress

DIRECTORY = Path("/scratch/job-1")
FINISHED = {
    "event": "finished",
    "path": "/scratch/job-1/media.mp4",
    "title": "A film",
    "extension": "mp4",
    "content_type": "video/mp4",
    "duration_s": 2.5,
    "thumbnail": "https://example.com/a.jpg",
    "format_note": "720p",
}

FORMAT = {
    "event": "format",
    "format_id": "137",
    "extension": "mp4",
    "format_note": "1080p",
    "height": 1080,
    "width": 1920,
    "fps": 29.97,
    "video_codec": "avc1.640028",
    "audio_codec": None,
    "filesize": 10,
    "bitrate": 4000.5,
    "has_video": True,
    "has_audio": False,
}
INSPECTED = {
    "event": "inspected",
    "title": "A film",
    "webpage_url": "https://example.com/",
    "uploader": "Some\x00one",
    "thumbnail": "javascript:alert(1)",
    "duration_s": 2,
    "is_live": False,
    "subtitles": ["en", "pt-BR"],
    "is_playlist": False,
}


def parse(fields: Any) -> events.Event:
    return events.parse(json.dumps(fields).encode(), directory=DIRECTORY)


def finished(**changes: Any) -> Finished:
    event = parse({**FINISHED, **changes})
    assert isinstance(event, Finished)
    return event


def test_progress_is_read() -> None:
    fields = {"downloaded_bytes": 10, "total_bytes": None, "speed": 1.5, "eta_s": 3}
    expected = Progress(phase=Phase.FETCHING, downloaded_bytes=10, total_bytes=None, speed=1.5, eta_s=3)
    assert parse({"event": "progress", "phase": "fetching", **fields}) == expected


def test_result_is_read() -> None:
    event = finished()
    assert event.name == "media.mp4"
    assert (event.media.title, event.media.duration_s, event.media.format_note) == ("A film", 2.5, "720p")
    assert event.media.thumbnail == "https://example.com/a.jpg"


def test_failure_is_read_as_the_error_with_its_code() -> None:
    event = parse({"event": "failed", "code": "source.not_found", "retry_after_s": 1e9, "detail": "a\nb" * 1000})
    assert isinstance(event, Failed)
    assert isinstance(event.error, SourceNotFound)
    assert event.error.retry_after_s == events.MAX_RETRY_AFTER_S
    assert "\n" not in event.detail
    assert len(event.detail) <= events.MAX_DETAIL_CHARS


def test_entry_is_read_with_its_own_address_or_without() -> None:
    own = parse({"event": "entry", "number": 3, "title": "a\nb", "url": "https://example.com/3"})
    assert own == Listed(number=3, title="a b", url="https://example.com/3")
    assert parse({"event": "entry", "number": 4, "title": "", "url": None}) == Listed(number=4, title="", url=None)


def test_end_of_a_playlist_is_read() -> None:
    event = parse({"event": "playlist", "title": "x" * 1000, "truncated": True})
    assert event == Several(title="x" * plausible.MAX_TITLE_CHARS, truncated=True)


def test_format_is_read() -> None:
    assert parse(FORMAT) == Format(
        format_id="137", extension="mp4", format_note="1080p", height=1080, width=1920, fps=29.97,
        video_codec="avc1.640028", audio_codec=None, filesize=10, bitrate=4000.5, has_video=True, has_audio=False,
    )  # fmt: skip


def test_inspection_is_read() -> None:
    assert parse(INSPECTED) == Inspected(
        title="A film", webpage_url="https://example.com/", uploader="Some one", thumbnail=None, duration_s=2.0,
        is_live=False, subtitles=("en", "pt-BR"), is_playlist=False, entry_count=None,
    )  # fmt: skip
    of_playlist = parse({**INSPECTED, "is_playlist": True, "count": 7, "duration_s": None, "subtitles": None})
    assert isinstance(of_playlist, Inspected)
    assert (of_playlist.is_playlist, of_playlist.entry_count, of_playlist.subtitles) == (True, 7, ())


@pytest.mark.parametrize(
    "fields",
    [
        {"event": "entry", "number": None, "title": "", "url": None},
        {"event": "entry", "number": "1", "title": "", "url": None},
        {"event": "entry", "number": 1, "title": None, "url": None},
        {"event": "entry", "number": 1, "title": "", "url": 7},
        {"event": "entry", "number": 1, "title": "", "url": "file:///etc/passwd"},
        {"event": "entry", "number": 1, "title": "", "url": "ytsearch:cats"},
        {"event": "entry", "number": 1, "title": "", "url": "http://me:pw@example.com/"},
        {"event": "entry", "number": 1, "title": "", "url": "http://example.com/" + "a" * 3000},
        {"event": "entry", "number": 1, "title": "", "url": "http://example.com/#__youtubedl_smuggle=%7B%7D"},
        {"event": "entry", "number": 1, "title": "", "url": "http://example.com/\r\nX: y"},
        {"event": "playlist", "title": "", "truncated": 1},
        {"event": "playlist", "title": None, "truncated": True},
        {**FORMAT, "height": -1},
        {**FORMAT, "filesize": True},
        {**FORMAT, "has_video": None},
        {**FORMAT, "format_id": None},
        {**FORMAT, "video_codec": 7},
        {**INSPECTED, "subtitles": None},
        {**INSPECTED, "subtitles": ["en", 7]},
        {**INSPECTED, "subtitles": ["en"] * 500},
        {**INSPECTED, "is_playlist": "no"},
        {**INSPECTED, "is_live": None},
        {**INSPECTED, "duration_s": "long"},
        {**INSPECTED, "is_playlist": True, "count": -2},
    ],
)
def test_implausible_finding_is_refused(fields: dict[str, Any]) -> None:
    with pytest.raises(Implausible):
        parse(fields)


@pytest.mark.parametrize("code", ["job.lease_lost", "internal", "made.up"])
def test_code_that_is_not_a_sources_says_no_more_than_failed(code: str) -> None:
    event = parse({"event": "failed", "code": code, "retry_after_s": None, "detail": ""})
    assert isinstance(event, Failed)
    assert type(event.error) is SourceError


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{",
        b"\xff\xfe",
        b"[" * 60_000,
        b"7",
        b"[]",
        b"{}",
        b'{"event": "exploded"}',
        b'{"event": ["finished"]}',
        b'{"event": "progress", "phase": "done"}',
        b'{"event": "progress", "phase": ["fetching"]}',
        b'{"event": "progress", "phase": "fetching", "downloaded_bytes": "7"}',
        b'{"event": "progress", "phase": "fetching", "downloaded_bytes": true}',
        b'{"event": "progress", "phase": "fetching", "downloaded_bytes": -1}',
        b'{"event": "progress", "phase": "fetching", "speed": NaN}',
        b'{"event": "progress", "phase": "fetching", "speed": 1e999}',
        b'{"event": "progress", "phase": "fetching", "total_bytes": 1' + b"0" * 400 + b"}",
    ],
)
def test_nonsense_is_implausible(line: bytes) -> None:
    with pytest.raises(Implausible):
        events.parse(line, directory=DIRECTORY)


@pytest.mark.parametrize(
    "changes",
    [
        {"path": "/etc/passwd"},
        {"path": "media.mp4"},
        {"path": "/scratch/job-1/../job-2/media.mp4"},
        {"path": "/scratch/job-1/deeper/media.mp4"},
        {"path": "/scratch/job-1/a\u0000.mp4"},
        {"path": "/scratch/job-1/.hidden"},
        {"path": "/scratch/job-1"},
        {"path": None},
        {"extension": "html", "content_type": "text/html"},
        {"content_type": "text/html"},
        {"content_type": "video/mp4\r\nX: y"},
        {"title": None},
        {"title": "x" * 20_000},
        {"duration_s": "long"},
        {"format_note": 720},
    ],
)
def test_implausible_result_is_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(Implausible):
        finished(**changes)


SUBTITLES = {
    "kind": "subtitles",
    "path": "/scratch/job-1/subtitles-0.vtt",
    "extension": "vtt",
    "content_type": "text/vtt",
    "language": "en",
}
THUMBNAIL = {
    "kind": "thumbnail",
    "path": "/scratch/job-1/thumbnail.jpg",
    "extension": "jpg",
    "content_type": "image/jpeg",
    "language": None,
}


def test_extras_are_read() -> None:
    first, second = finished(extras=[SUBTITLES, THUMBNAIL]).extras
    assert (first.kind, first.name, first.content_type, first.language) == (
        "subtitles", "subtitles-0.vtt", "text/vtt", "en",
    )  # fmt: skip
    assert (second.kind, second.name, second.content_type, second.language) == (
        "thumbnail", "thumbnail.jpg", "image/jpeg", None,
    )  # fmt: skip
    assert finished().extras == ()


@pytest.mark.parametrize(
    "extras",
    [
        7,
        [7],
        [THUMBNAIL, THUMBNAIL],
        [{**SUBTITLES, "language": str(number)} for number in range(events.MAX_EXTRAS + 1)],
        [{**SUBTITLES, "language": None}],
        [{**THUMBNAIL, "kind": "subtitles"}],
        [{**THUMBNAIL, "kind": "program"}],
        [{**THUMBNAIL, "path": "/etc/passwd"}],
        [{**THUMBNAIL, "path": "/scratch/job-1/../thumbnail.jpg"}],
        [{**THUMBNAIL, "content_type": "text/html"}],
        [{**THUMBNAIL, "extension": "svg", "content_type": "image/svg+xml"}],
    ],
)
def test_implausible_extras_are_refused(extras: Any) -> None:
    with pytest.raises(Implausible):
        finished(extras=extras)


def test_title_loses_what_could_deceive_and_its_excess() -> None:
    assert finished(title="a\u202egpj.exe\u0000\x1b[2J\r\nb").media.title == "a gpj.exe [2J b"
    assert len(finished(title="x" * 5000).media.title) == plausible.MAX_TITLE_CHARS
    assert finished(title="\ud800x").media.title.encode() == b"x"


@pytest.mark.parametrize(
    "thumbnail",
    ["javascript:alert(1)", "data:image/png;base64,x", "file:///x", "//x/y", "http://", "https://a b", 7, None],
)
def test_thumbnail_that_no_browser_should_load_is_left_out(thumbnail: object) -> None:
    assert finished(thumbnail=thumbnail).media.thumbnail is None


@pytest.mark.parametrize(
    ("told", "name"),
    [("Youtube", "Youtube"), ("twitch:vod", "twitch:vod"), (None, None), ("a b", None), ("x" * 61, None), ("", None)],
)
def test_broken_extractor_is_named_if_that_is_a_name(told: str | None, name: str | None) -> None:
    fields = {"code": "source.extractor_broken", "retry_after_s": None, "detail": "", "extractor": told}
    event = parse({"event": "failed", **fields})
    assert isinstance(event, Failed)
    assert isinstance(event.error, ExtractorBroken)
    assert event.error.extractor == name


def test_extractor_that_is_no_text_is_implausible() -> None:
    with pytest.raises(Implausible):
        parse({"event": "failed", "code": "source.extractor_broken", "detail": "", "extractor": ["x"]})
