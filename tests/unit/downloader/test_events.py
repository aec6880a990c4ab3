"""What a fetcher says is taken apart with suspicion."""

import json
from pathlib import Path
from typing import Any

import pytest

from downloader import events
from downloader.events import Failed, Finished, Implausible
from reelhaul.errors import SourceError, SourceNotFound
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


def test_title_loses_what_could_deceive_and_its_excess() -> None:
    assert finished(title="a\u202egpj.exe\u0000\x1b[2J\r\nb").media.title == "a gpj.exe [2J b"
    assert len(finished(title="x" * 5000).media.title) == events.MAX_TITLE_CHARS
    assert finished(title="\ud800x").media.title.encode() == b"x"


@pytest.mark.parametrize(
    "thumbnail",
    ["javascript:alert(1)", "data:image/png;base64,x", "file:///x", "//x/y", "http://", "https://a b", 7, None],
)
def test_thumbnail_that_no_browser_should_load_is_left_out(thumbnail: object) -> None:
    assert finished(thumbnail=thumbnail).media.thumbnail is None
