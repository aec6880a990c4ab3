"""How far a file that comes is handed over while it grows."""

import threading
import time
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from downloader.fetcher import probe, streaming
from downloader.fetcher.extract import Extractor
from downloader.fetcher.fragments import Fragments
from downloader.fetcher.growth import Growth
from downloader.fetcher.pausing import Pausing
from downloader.fetcher.probe import Probe
from downloader.fetcher.reporting import Reporter
from downloader.fetcher.request import Request
from downloader.fetcher.streaming import Streaming
from downloader.fetcher.timing import Deadline
from downloader.kernel import Support
from infra.local.media import ffmpeg
from reelhaul.errors import SourceTooSlow
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
def request_of_it(tmp_path: Path) -> Request:
    return Request(
        url="https://media.example/", options=Options(download_type="audio"), is_item=False, entry=None, inspect=False,
        seconds=60.0, proxy="", directory=tmp_path, max_bytes=0, max_memory_bytes=0,
        kernel=Support(seccomp=False, landlock=False), pauses=True,
    )  # fmt: skip


@pytest.fixture
def stream(tmp_path: Path, request_of_it: Request) -> Iterator[Streaming]:
    with (tmp_path / "told").open("wb") as told:
        stream = Streaming(request_of_it, Growth(Reporter(told.fileno(), secrets=()), "A title"), head_bytes=_MIB)
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


def test_nothing_is_begun_once_the_time_was_up(
    stream: Streaming, path: Path, tmp_path: Path, request_of_it: Request
) -> None:
    info = {"format_id": "0", "url": request_of_it.url, "ext": "mp3", "protocol": "https"}
    ydl = SimpleNamespace(prepare_filename=lambda _: str(tmp_path / "other.mp3"), watch=None)
    pausing = Pausing(cast("Extractor", ydl), info, request_of_it, stream)
    with pytest.raises(SourceTooSlow), pausing.in_time(Deadline(0)):  # nothing has come of that
        time.sleep(_WAIT_S)
    stream(coming(path))
    assert not stream.has_begun
