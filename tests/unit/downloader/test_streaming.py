"""How far a file that comes is handed over while it grows."""

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from downloader.fetcher import probe, streaming
from downloader.fetcher.fragments import Fragments
from downloader.fetcher.growth import Growth
from downloader.fetcher.probe import Probe
from downloader.fetcher.reporting import Reporter
from downloader.fetcher.request import Request
from downloader.fetcher.streaming import Streaming
from downloader.kernel import Support
from infra.local.media import ffmpeg
from reelhaul.options import Options

_MIB = 1024**2
_WAIT_S = 60.0


@pytest.fixture
def path(tmp_path: Path, programs_known: None) -> Path:
    """A medium that is still coming."""
    path = tmp_path / "media.mp3.part"
    ffmpeg("-f", "lavfi", "-i", "sine=duration=90", "-b:a", "320k", "-f", "mp3", str(path))
    assert path.stat().st_size > 3 * _MIB
    return path


@pytest.fixture
def stream(tmp_path: Path) -> Iterator[Streaming]:
    request = Request(
        url="https://media.example/", options=Options(download_type="audio"), is_item=False, entry=None, inspect=False,
        seconds=60.0, proxy="", directory=tmp_path, max_bytes=0, max_memory_bytes=0,
        kernel=Support(seccomp=False, landlock=False),
    )  # fmt: skip
    with (tmp_path / "told").open("wb") as told:
        stream = Streaming(request, Growth(Reporter(told.fileno(), secrets=()), "A title"), head_bytes=_MIB)
        stream.fragments = Fragments()
        stream.fragments.appended(2 * _MIB)  # and a part of the next is there already
        yield stream


def coming(path: Path) -> dict[str, Any]:
    return {"status": "downloading", "tmpfilename": str(path)}


def test_only_fragments_that_are_done_are_handed_over(stream: Streaming, path: Path) -> None:
    stream(coming(path))
    assert stream.has_begun
    assert stream.told_bytes == 2 * _MIB


def test_who_stops_waits_for_a_thread_that_is_finding_out(
    stream: Streaming, path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    glance, looks, goes_on = probe.glance, threading.Event(), threading.Event()

    def slow(path: Path) -> Probe | None:
        looks.set()
        assert goes_on.wait(_WAIT_S)
        return glance(path)

    monkeypatch.setattr(streaming, "glance", slow)
    seen: list[bool] = []

    def stop() -> None:
        stream.settle()
        seen.append(stream.has_begun)

    finder = threading.Thread(target=stream, args=(coming(path),))
    finder.start()
    assert looks.wait(_WAIT_S)
    stopper = threading.Thread(target=stop)
    stopper.start()
    stopper.join(0.2)
    goes_on.set()
    for thread in (finder, stopper):
        thread.join(_WAIT_S)
    assert seen == [True]


def test_nothing_is_begun_once_it_was_stopped(stream: Streaming, path: Path) -> None:
    stream.settle()
    stream(coming(path))
    assert not stream.has_begun
