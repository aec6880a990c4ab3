"""Tracks that grow, made one mp4: by the real ffmpeg, behind its wrapper."""

import dataclasses
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from downloader.fetcher import guard, probe, recipes
from downloader.fetcher.feeding import Track
from downloader.fetcher.growth import Growth
from downloader.fetcher.remux import Remux
from downloader.fetcher.reporting import Reporter
from downloader.fetcher.timing import Deadline
from reelhaul.errors import SourceInterrupted, SourceNotMedia, SourceTooSlow, WorkerCrashed
from reelhaul.options import Options
from tests.unit.downloader.fragmented import FFMPEG, assert_same_packets

_FRAGMENTED = ["-movflags", "+frag_keyframe+empty_moov+default_base_moof"]
_PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=4", "-c:v", "libx264", "-g", "25"]
_SOUND = ["-f", "lavfi", "-i", "sine=frequency=440:duration=4", "-c:a", "aac", "-frag_duration", "200000"]
_WAIT_S = 60.0


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A picture and a sound."""
    directory = tmp_path_factory.mktemp("tracks")
    for name, made in (("picture.mp4", _PICTURE), ("sound.mp4", _SOUND)):
        subprocess.run([FFMPEG, "-v", "error", *made, *_FRAGMENTED, name], check=True, cwd=directory)
    return directory / "picture.mp4", directory / "sound.mp4"


@dataclasses.dataclass
class Growing:
    """Both of them, of which the first half is there, and what is made of them."""

    paths: list[Path]
    contents: list[bytes]
    tracks: list[Track]
    remux: Remux
    begin: Callable[[str], tuple[list[Track], Remux]]

    def end(self) -> None:
        for path, content, track in zip(self.paths, self.contents, self.tracks, strict=True):
            with path.open("ab") as file:
                file.write(content[len(content) // 2 :])
            track.end()


@pytest.fixture
def growing(whole: tuple[Path, Path], tmp_path: Path, programs_known: None) -> Iterator[Growing]:
    contents = [path.read_bytes() for path in whole]
    paths = [tmp_path / path.name for path in whole]
    for path, content in zip(paths, contents, strict=True):
        path.write_bytes(content[: len(content) // 2])
    seen, heard = (probe.probe(path) for path in whole)
    found = dataclasses.replace(heard, video=seen.video, lines=seen.lines, duration_s=None)
    with (tmp_path / "told").open("wb") as told:
        growth = Growth(Reporter(told.fileno(), secrets=()), "A title")
        wanted = recipes.recipe(found, Options())

        def begin(name: str) -> tuple[list[Track], Remux]:
            tracks = [Track(path, ahead_bytes=0) for path in paths]
            return tracks, Remux(tracks, tmp_path / name, found, wanted, growth, sound_from=1)

        tracks, remux = begin("made.mp4")
        yield Growing(paths, contents, tracks, remux, begin)
        remux.cancel()


def test_tracks_that_grow_become_what_whole_ones_would(
    growing: Growing, whole: tuple[Path, Path], tmp_path: Path
) -> None:
    inputs = [part for path in whole for part in ("-i", str(path))]
    merged = tmp_path / "merged.mp4"
    subprocess.run([FFMPEG, "-v", "error", *inputs, "-c", "copy", str(merged)], check=True)
    growing.remux.settle(Deadline(_WAIT_S))
    growing.end()
    assert_same_packets(growing.remux.finish(deadline=Deadline(_WAIT_S)), merged, times=("pts_s",))
    assert growing.remux.duration_s == pytest.approx(4.0, abs=0.1)


def test_track_that_does_not_go_on_is_too_slow(growing: Growing) -> None:
    with pytest.raises(SourceTooSlow):
        growing.remux.finish(deadline=Deadline(0.3))


def test_track_that_begins_anew_is_interrupted(growing: Growing) -> None:
    growing.remux.settle(Deadline(_WAIT_S))
    growing.paths[0].write_bytes(b"")
    with pytest.raises(SourceInterrupted):
        growing.remux.finish(deadline=Deadline(_WAIT_S))


def test_mistake_in_a_thread_is_not_waited_for(growing: Growing, monkeypatch: pytest.MonkeyPatch) -> None:
    def mistaken(*_: int) -> bytes:
        raise KeyError("track")

    growing.remux.settle(Deadline(_WAIT_S))
    monkeypatch.setattr(os, "pread", mistaken)
    growing.end()
    with pytest.raises(WorkerCrashed):
        growing.remux.finish(deadline=Deadline(_WAIT_S))


def test_ffmpeg_that_does_not_read_on_may_say_why(
    growing: Growing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stub = tmp_path / "bin" / "ffmpeg"
    stub.parent.mkdir()
    says = "import os, sys, time; os.closerange(3, 64); time.sleep(0.3); sys.exit('Invalid data found')"
    stub.write_text(f'#!/bin/sh\nexec {sys.executable} -I -c "{says}"\n')
    stub.chmod(0o755)
    monkeypatch.setattr(guard, "BIN", stub.parent)
    for path in growing.paths:
        path.write_bytes(bytes(1024**2))  # more than a pipe holds
    tracks, remux = growing.begin("other.mp4")
    for track in tracks:
        track.end()
    with pytest.raises(SourceNotMedia, match="Invalid data found"):
        remux.finish(deadline=Deadline(_WAIT_S))
