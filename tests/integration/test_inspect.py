"""`POST /api/info` with the real fetcher and its real guard: nothing of AWS is there, as nothing of it is needed."""

import os
import signal
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from downloader import kernel
from downloader.kernel import Support
from inspect_source import handler
from tests.integration.conftest import Api, Reply
from tests.media import SourceServer


@pytest.fixture(autouse=True)
def _installed(source: SourceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("WORK_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("ALLOWED_ORIGINS", source.origin)
    before = signal.getsignal(signal.SIGTERM)
    handler.settings.cache_clear()
    handler.stop.clear()
    yield
    handler.stop.clear()
    handler.settings.cache_clear()
    signal.signal(signal.SIGTERM, before)


def asked(body: Any, **request: Any) -> Reply:
    return Api()("POST", "/api/info", json_body=body, **request)


def of_error(reply: Reply) -> tuple[int, str, str | None]:
    body = reply.body
    assert body["success"] is False
    assert body["message"] == body["detail"]
    return reply.status, body["code"], body.get("field")


@pytest.mark.parametrize("required", ["true", "false"])
def test_without_seccomp_nothing_is_looked_at_where_that_is_required(
    source: SourceServer, monkeypatch: pytest.MonkeyPatch, required: str
) -> None:
    monkeypatch.setattr(kernel, "support", lambda: Support(seccomp=False, landlock=False))
    monkeypatch.setenv("REQUIRE_SECCOMP", required)
    reply = asked({"url": source.url("clip.mp4")})
    if required == "false":
        assert reply.status == 200
        return
    assert of_error(reply)[:2] == (503, "service.unavailable")
    assert source.connections == 0


# --- what is there ---------------------------------------------------------------------------------------------------


def test_medium_is_described_with_its_formats(source: SourceServer, tmp_path: Path) -> None:
    reply = asked({"url": source.url("hls/master.m3u8")})
    assert reply.status == 200
    body = reply.body
    formats = body.pop("formats")
    assert body == {
        "url": source.url("hls/master.m3u8"),
        "webpage_url": source.url("hls/master.m3u8"),
        "title": "master",
        "uploader": "",
        "duration": 2,
        "thumbnail": "",
        "is_live": False,
        "subtitles": [],
        "is_playlist": False,
        "playlist_count": None,
        "entries": [],
    }
    assert [one["height"] for one in formats] == [360, 180]
    assert {name: formats[0][name] for name in ("ext", "width", "filesize", "has_video", "has_audio")} == {
        "ext": "mp4",
        "width": 640,
        "filesize": None,
        "has_video": True,
        "has_audio": True,
    }
    assert list(tmp_path.iterdir()) == []


def test_playlist_is_described_with_its_first_fifty_entries(source: SourceServer) -> None:
    body = asked({"url": source.url("feed/60")}).body
    assert (body["is_playlist"], body["playlist_count"], len(body["entries"])) == (True, 60, 50)
    assert body["entries"][1] == {"title": "Episode 2", "url": source.url("other/clip.mp4")}
    assert body["formats"] == []


@pytest.mark.parametrize("playlist", [False, "false"])
def test_playlist_where_none_is_wanted_is_an_error(source: SourceServer, *, playlist: object) -> None:
    reply = asked({"url": source.url("two"), "playlist": playlist})
    assert of_error(reply) == (422, "source.is_playlist", None)


# --- what is not -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "code"),
    [
        ("status/404", "source.not_found"),
        ("status/429", "source.rate_limited"),
        ("page.html", "source.unsupported"),
        ("redirect?to=http://10.0.0.1/", "source.refused_address"),
    ],
)
def test_source_that_cannot_be_read_is_told_by_its_code(
    source: SourceServer, tmp_path: Path, path: str, code: str
) -> None:
    assert of_error(asked({"url": source.url(path)})) == (422, code, None)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, "url"),
        ({"url": None}, "url"),
        ({"url": 7}, "url"),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": "http://x.example/" + "a" * 2048}, "url"),
        ({"url": "http://x.example/", "quality": "720p"}, "quality"),
        ({"url": "http://x.example/", "playlist": "some"}, "playlist"),
        ({"url": "http://x.example/", "playlist": ["true"]}, "playlist"),
    ],
)
def test_request_that_makes_no_sense_is_refused_by_field(
    source: SourceServer, tmp_path: Path, body: dict[str, Any], field: str
) -> None:
    assert of_error(asked(body)) == (400, "request.invalid", field)
    assert source.connections == 0
    assert list(tmp_path.iterdir()) == []


def test_nobody_looks_without_a_key(source: SourceServer) -> None:
    assert of_error(asked({"url": source.url("clip.mp4")}, tenant=None)) == (401, "auth.unauthorized", None)
    assert source.connections == 0


# --- limits ----------------------------------------------------------------------------------------------------------


def test_source_that_takes_too_long_is_answered_in_time(
    source: SourceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(handler, "MOST_S", 3.0)
    started = time.monotonic()
    assert of_error(asked({"url": source.url("slow/page.html?rate=20")})) == (422, "source.timed_out", None)
    assert time.monotonic() - started > 2.9
    assert list(tmp_path.iterdir()) == []


def test_process_that_is_told_to_end_gives_up_at_once(source: SourceServer, tmp_path: Path) -> None:
    threading.Timer(1.5, os.kill, (os.getpid(), signal.SIGTERM)).start()
    assert of_error(asked({"url": source.url("slow/page.html?rate=20")})) == (503, "service.unavailable", None)
    assert list(tmp_path.iterdir()) == []


def test_what_a_crash_left_behind_is_removed_by_the_next_process(source: SourceServer, tmp_path: Path) -> None:
    (tmp_path / "inspect-old").mkdir()
    (tmp_path / "inspect-old" / "page").write_text("left")
    (tmp_path / "job-of-another").mkdir()
    assert asked({"url": source.url("clip.mp4")}).status == 200
    assert [path.name for path in tmp_path.iterdir()] == ["job-of-another"]


# --- what the operator does not allow --------------------------------------------------------------------------------


def test_site_that_is_not_allowed_is_not_looked_at(source: SourceServer, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALLOWED_SITES", "example.com")
    handler.settings.cache_clear()
    assert of_error(asked({"url": source.url("clip.mp4")})) == (403, "source.site_not_allowed", "url")
    assert source.connections == 0


def test_look_is_not_led_to_a_denied_site(
    source: SourceServer, canary: SourceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DENIED_SITES", "localhost")
    handler.settings.cache_clear()
    port = canary.origin.rpartition(":")[2]
    reply = asked({"url": source.url(f"redirect?to=http://localhost:{port}/clip.mp4")})
    assert of_error(reply) == (403, "source.site_not_allowed", None)
