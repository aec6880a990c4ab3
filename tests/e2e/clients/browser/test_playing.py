"""What is made of separate tracks while they come plays in a page, which asks for ranges of it."""

import urllib.request
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from downloader.fetcher.defragment import Defragmenter
from infra.local.media import MediaServer
from tests.e2e.clients.browser.fragments import fragments
from tests.e2e.running import Client
from tests.integration.streaming import make_large
from tests.media import SourceServer

pytestmark = pytest.mark.e2e

_PLAY = """(url) => new Promise((resolve) => {
    const video = document.createElement('video');
    video.muted = true;
    video.onerror = () => resolve({ error: video.error.message });
    video.oncanplaythrough = () => {
        video.oncanplaythrough = null;
        video.onseeked = () => resolve({
            duration: video.duration, at: video.currentTime, width: video.videoWidth,
            seekable: video.seekable.length ? video.seekable.end(0) : 0,
        });
        video.currentTime = video.duration * 0.9;
    };
    video.src = url;
    document.body.append(video);
})"""


@pytest.fixture
def served(tmp_path: Path) -> Iterator[MediaServer]:
    with MediaServer(tmp_path) as server:
        yield server


@pytest.mark.parametrize("codec", ["libx264", "libvpx-vp9"])
def test_merged_file_plays_and_seeks(page: Page, served: MediaServer, codec: str) -> None:
    path = served.directory / "made.mp4"
    with path.open("wb") as file, fragments(codec) as source:
        Defragmenter(source, file.write, extension="mp4").run()

    seen = page.evaluate(_PLAY, served.url("made.mp4"))

    assert seen.get("error") is None, seen
    assert seen["duration"] == pytest.approx(30, abs=0.2)
    assert seen["at"] == pytest.approx(27, abs=0.2)
    assert (seen["width"], seen["seekable"]) == (320, seen["duration"])


@pytest.fixture
def tracks(source: SourceServer) -> str:
    """Picture and sound in fragments of their own, of several parts of an upload."""
    make_large(source.directory, seconds=24)
    return source.url("large/manifest.mpd")


def test_job_that_merges_what_comes_has_a_link_that_plays_and_seeks(page: Page, client: Client, tracks: str) -> None:
    job = client.ended(client.create(tracks, name="Both of them"))
    assert job["status"] == "done", job
    asked = urllib.request.Request(job["download_url"], headers={"Range": "bytes=0-63"})
    with urllib.request.urlopen(asked, timeout=60) as reply:
        head, parts = reply.read(), reply.headers["ETag"].strip('"').partition("-")[2]
        assert reply.status == 206
    assert int(parts) > 1  # sent while it grew,
    assert (head[4:8], head[32:36]) == (b"ftyp", b"mdat")  # from its beginning to its index

    seen = page.evaluate(_PLAY, job["download_url"])

    assert seen.get("error") is None, seen
    assert seen["duration"] == pytest.approx(24, abs=0.2)
    assert seen["at"] == pytest.approx(21.6, abs=0.2)
    assert (seen["width"], seen["seekable"]) == (320, seen["duration"])
