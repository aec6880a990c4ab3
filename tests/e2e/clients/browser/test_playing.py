"""What is made of separate tracks plays in a page, from a server that answers Range requests, as S3 does."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Page

from downloader.fetcher.defragment import Defragmenter
from infra.local.media import MediaServer
from tests.e2e.clients.browser.fragments import fragments

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
