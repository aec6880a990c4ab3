"""Parts of a file: which frame they begin and end with, and whether sound and picture stay together."""

import array
import os
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from downloader.fetcher import editlists, finishing
from downloader.fetcher.timing import Deadline
from reelhaul import errors
from reelhaul.options import Clip, Options
from tests.media import probed
from tests.variety import FRAMES_PER_S

pytestmark = pytest.mark.usefixtures("programs_known")

RATE = 48_000
LAST_FRAME = 179
Cut = Callable[..., finishing.Output]


@pytest.fixture
def cut(variety: Path, tmp_path: Path) -> Cut:
    def make(name: str, start_s: float, end_s: float | None = None, **options: Any) -> finishing.Output:
        path = tmp_path / "media.mp4"
        path.write_bytes((variety / name).read_bytes())
        clip = Clip(start_s=start_s, end_s=end_s)
        return finishing.finish(path, Options(clip=clip, **options), deadline=Deadline(60))

    return make


def at(frame: int) -> float:
    """When a frame is shown."""
    return frame / FRAMES_PER_S


@pytest.mark.parametrize("name", ["sparse.mp4", "sparse.ts", "sparse.mkv", "fragmented.mp4"])
@pytest.mark.parametrize(("first", "end"), [(70, 130), (59, 61), (60, 90), (0, 45), (119, 180), (151, 152)])
def test_mp4_begins_and_ends_with_the_frames_asked_for_and_encodes_nothing(
    cut: Cut, variety: Path, name: str, first: int, end: int
) -> None:
    output = cut(name, at(first), at(end))
    assert frames(output.path) == frames(variety / "sparse.mp4")[first:end]
    assert output.extension == "mp4"
    assert output.duration_s == pytest.approx((end - first) / FRAMES_PER_S, abs=0.03)
    assert first_picture_s(output.path) == 0


@pytest.mark.parametrize(("start_s", "first"), [(2.34, 71), (2.3356, 70), (2.33567, 70), (2.3, 69)])
def test_clip_begins_with_the_first_frame_at_or_after_its_start(
    cut: Cut, variety: Path, start_s: float, first: int
) -> None:
    assert frames(cut("sparse.mp4", start_s).path) == frames(variety / "sparse.mp4")[first:]


@pytest.mark.parametrize("container", ["mkv", "webm"])
@pytest.mark.parametrize("name", ["sparse.mp4", "sparse.ts", "sparse.webm"])
@pytest.mark.parametrize(("first", "end"), [(70, 130), (59, 62)])
def test_elsewhere_the_frames_asked_for_are_encoded(
    cut: Cut, variety: Path, tmp_path: Path, container: str, name: str, first: int, end: int
) -> None:
    output = cut(name, at(first), at(end), container=container)
    assert output.extension == container
    assert len(frames(output.path)) == end - first
    assert likeness(output.path, variety / "sparse.mp4", first=first, count=end - first) > 28
    assert likeness(output.path, variety / "sparse.mp4", first=first + 1, count=end - first) < 26


@pytest.mark.parametrize(("container", "name", "more"), [("mkv", "sparse.mp4", 3), ("webm", "sparse.webm", 0)])
@pytest.mark.parametrize("first", [0, 60])
def test_elsewhere_nothing_is_encoded_where_a_clip_begins_with_a_key_frame(
    cut: Cut, variety: Path, container: str, name: str, more: int, first: int
) -> None:
    output = cut(name, at(first), at(first + 30), container=container)
    found, whole = frames(output.path), frames(variety / name)
    assert found[:28] == whole[first : first + 28]
    assert 30 <= len(found) <= 30 + more


@pytest.mark.parametrize(
    ("name", "options", "accuracy_s"),
    [
        ("sparse.mp4", {}, 0.001),
        ("sparse.ts", {}, 0.001),
        ("sparse.webm", {}, 0.001),
        ("sparse.mp4", {"container": "mkv"}, 0.025),
        ("sparse.mp4", {"container": "webm"}, 0.001),
        ("sparse.webm", {"container": "webm"}, 0.025),
    ],
)
def test_sound_stays_with_the_picture(
    cut: Cut, variety: Path, name: str, options: dict[str, Any], accuracy_s: float
) -> None:
    """The tone begins as long after the first picture as in the source."""
    output = cut(name, at(70), at(130), **options)
    onset_s = onset(output.path) - first_picture_s(output.path)
    assert onset_s == pytest.approx(onset(variety / "tone.wav") - at(70), abs=accuracy_s + 0.002)


@pytest.mark.parametrize(
    ("name", "wanted", "accuracy_s"),
    [
        ("sparse.mp4", "best", 0.001),
        ("tone.m4a", "m4a", 0.001),
        ("tone.mp3", "mp3", 0.055),
        ("tone.opus", "opus", 0.03),
        ("tone.flac", "flac", 0.0001),
        ("tone.wav", "wav", 0.0001),
        ("tone.flac", "wav", 0.0001),
        ("tone.m4a", "flac", 0.001),
        ("tone.m4a", "mp3", 0.001),
        ("tone.opus", "m4a", 0.001),
    ],
)
def test_sound_alone_begins_where_it_was_asked_to(
    cut: Cut, variety: Path, name: str, wanted: str, accuracy_s: float
) -> None:
    output = cut(name, 2.3456, 4.1234, download_type="audio", audio_format=wanted)
    assert onset(output.path) == pytest.approx(onset(variety / "tone.wav") - 2.3456, abs=accuracy_s + 0.002)
    assert probed(output.path)["duration_s"] == pytest.approx(4.1234 - 2.3456, abs=accuracy_s + 0.03)


def test_end_beyond_the_end_is_the_end(cut: Cut, variety: Path) -> None:
    assert frames(cut("sparse.mp4", at(170), 60).path) == frames(variety / "sparse.mp4")[170:]


@pytest.mark.parametrize("options", [{}, {"container": "webm"}, {"download_type": "audio"}])
@pytest.mark.parametrize("start_s", [6.1, 3600])
def test_start_beyond_the_end_is_out_of_range(cut: Cut, options: dict[str, Any], start_s: float) -> None:
    with pytest.raises(errors.SourceClipOutOfRange):
        cut("sparse.mp4", start_s, start_s + 5, **options)


def test_clip_of_everything_leaves_the_file_alone(cut: Cut, variety: Path) -> None:
    assert cut("sparse.mp4", 0).path.read_bytes() == (variety / "sparse.mp4").read_bytes()


def test_presentation_that_ends_before_is_not_made_longer(variety: Path, tmp_path: Path) -> None:
    path = tmp_path / "media.mp4"
    path.write_bytes((variety / "sparse.mp4").read_bytes())
    editlists.end_at(path, 100)
    assert path.read_bytes() == (variety / "sparse.mp4").read_bytes()


def ffmpeg(*arguments: str) -> bytes:
    command = [os.environ["REELHAUL_FFMPEG"], "-nostdin", *arguments]
    done = subprocess.run(command, check=True, capture_output=True)
    return done.stdout or done.stderr


def frames(path: Path) -> list[str]:
    """A digest of each picture that a player shows, in order."""
    lines = ffmpeg("-v", "error", "-i", str(path), "-map", "0:v", "-f", "framemd5", "-").decode().splitlines()
    return [line.split()[-1] for line in lines if not line.startswith("#")]


def first_picture_s(path: Path) -> float:
    command = ["-v", "error", "-select_streams", "v", "-show_entries", "frame=pts_time", "-of", "csv=p=0"]
    done = subprocess.run([os.environ["REELHAUL_FFPROBE"], *command, str(path)], check=True, capture_output=True)
    return float(done.stdout.split()[0].strip(b","))


def likeness(path: Path, source: Path, *, first: int, count: int) -> float:
    """PSNR in dB of the frames of `path` and those of `source` from `first` on."""
    same = "settb=1/100,setpts=N"
    numbered = f"[1:v]trim=start_frame={first}:end_frame={first + count},{same}[b];[0:v]{same}[a];[a][b]psnr"
    said = ffmpeg("-i", str(path), "-i", str(source), "-lavfi", numbered, "-an", "-f", "null", "-").decode()
    (average,) = re.findall(r"average:(\S+)", said)
    return float(average)


def onset(path: Path) -> float:
    """When, on the file's own clock, the tone begins."""
    pcm = ffmpeg("-v", "error", "-i", str(path), "-map", "0:a", "-af", "aresample=async=1:first_pts=0", "-ac", "1",
                 "-ar", str(RATE), "-f", "s16le", "-")  # fmt: skip
    samples = array.array("h", pcm)
    return next(index for index, sample in enumerate(samples) if abs(sample) > 1000) / RATE
