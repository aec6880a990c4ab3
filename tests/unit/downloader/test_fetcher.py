"""What the fetcher is asked, and how it speaks."""

import dataclasses
import json
import os
import time
from typing import Any

import pytest

from downloader.fetcher import guard, options
from downloader.fetcher.progress import Tracks
from downloader.fetcher.reporting import Reporter, for_the_log, without_addresses
from downloader.fetcher.request import Request
from reelhaul import errors
from reelhaul.options import Options

OPTIONS = dataclasses.asdict(Options(quality="720p"))
REQUEST = {
    "url": "http://example.com/",
    "options": OPTIONS,
    "is_item": False,
    "entry": None,
    "inspect": False,
    "ends_at": time.monotonic() + 600,
    "resume": None,
    "proxy": "http://fetcher:pass@127.0.0.1:4321",
    "directory": "/scratch/job",
    "max_bytes": 1000,
    "max_memory_bytes": 2 * 1024**3,
    "kernel": {"seccomp": False, "landlock": False},
    "cookies": [],
}


def test_parameters_leave_no_way_around_the_guards() -> None:
    parameters = options.parameters(Request.parse(json.dumps(REQUEST).encode()), on_progress=print)
    walls = {
        "proxy": REQUEST["proxy"],
        "enable_file_urls": False,
        "remote_components": [],
        "cachedir": False,
        "usenetrc": False,
        "external_downloader": "native",
        "hls_prefer_native": True,
        "skip_unavailable_fragments": False,
        "allow_unplayable_formats": False,
        "ffmpeg_location": str(guard.BIN),
        "outtmpl": {"default": "/scratch/job/media.%(ext)s"},
    }
    assert {name: parameters[name] for name in walls} == walls
    assert not {"cookiefile", "cookiesfrombrowser", "verbose", "match_filter", "postprocessors"} & parameters.keys()


def test_quality_is_a_ceiling() -> None:
    def sort(quality: str) -> list[str]:
        request = Request.parse(json.dumps({**REQUEST, "options": {**OPTIONS, "quality": quality}}).encode())
        return list(options.parameters(request, on_progress=print)["format_sort"])

    assert sort("720p")[0] == "res:720"
    assert not [field for field in sort("best") if field.startswith("res:")]


@pytest.mark.parametrize(
    ("playlist", "asked", "noplaylist"),
    [
        ("auto", {}, True),
        ("false", {}, True),
        ("true", {}, False),
        ("true", {"is_item": True}, True),  # an address of its own, which may name the list it was found in
        ("true", {"is_item": True, "entry": 2}, False),  # counted in the list that was read first
    ],
)
def test_url_of_a_medium_in_a_list_stands_for_what_was_asked(
    playlist: str, asked: dict[str, Any], *, noplaylist: bool
) -> None:
    request = Request.parse(json.dumps({**REQUEST, **asked, "options": {**OPTIONS, "playlist": playlist}}).encode())
    assert options.parameters(request, on_progress=print)["noplaylist"] is noplaylist


def said(reader: int) -> list[dict[str, Any]]:
    return [json.loads(line) for line in os.read(reader, 100_000).splitlines()]


def test_progress_adds_up_over_tracks_and_is_not_chatty() -> None:
    reader, writer = os.pipe()
    tracks = Tracks(Reporter(writer, secrets=[]), max_bytes=1000)
    tracks.expect({"requested_formats": [{"filesize": 100}, {"filesize": 50}]})
    for count in range(1, 101):
        tracks({"status": "downloading", "filename": "v", "downloaded_bytes": count, "total_bytes": 100})
    (first,) = said(reader)
    assert (first["downloaded_bytes"], first["total_bytes"]) == (1, 150)
    tracks({"status": "finished", "filename": "a", "downloaded_bytes": 50, "total_bytes": 50})
    tracks.finishing()
    tracks.finishing()
    (last,) = said(reader)
    assert (last["phase"], last["downloaded_bytes"], last["total_bytes"]) == ("finishing", 150, 150)


def test_total_is_unknown_while_that_of_one_track_is() -> None:
    reader, writer = os.pipe()
    tracks = Tracks(Reporter(writer, secrets=[]), max_bytes=1000)
    tracks.expect({"requested_formats": [{"filesize": 100}, {}]})
    tracks({"status": "downloading", "filename": "v", "downloaded_bytes": 1, "total_bytes": 100})
    assert said(reader)[0]["total_bytes"] is None


def test_failure_is_told_without_the_password_and_on_one_line() -> None:
    reader, writer = os.pipe()
    Reporter(writer, secrets=["pass-word"]).failed(
        errors.SourceRateLimited(retry_after_s=3), detail="a\npass-word " * 100
    )
    (event,) = said(reader)
    assert (event["code"], event["retry_after_s"]) == ("source.rate_limited", 3)
    assert "pass-word" not in event["detail"]
    assert "\n" not in event["detail"]
    assert len(event["detail"]) <= 500


def test_log_keeps_of_urls_only_the_host() -> None:
    text = "got 'https://me:pw@cdn.example:8443/a/b?sig=1#f' and http://x.example then"
    assert for_the_log(text) == "got 'https://cdn.example:8443/...' and http://x.example/... then"


def test_log_shows_no_path_where_the_host_is_named_apart() -> None:
    text = "HTTPSConnectionPool(host='cdn.example', port=443): Max retries exceeded with url: /a.mp4?token=hush (no)"
    assert "hush" not in for_the_log(text)
    assert "cdn.example" in for_the_log(text)


def test_traceback_keeps_its_lines_and_of_urls_only_the_host() -> None:
    text = "Traceback:\n  File x\nValueError: https://cdn.example/a.mp4?token=hush"
    assert without_addresses(text) == "Traceback:\n  File x\nValueError: https://cdn.example/..."
