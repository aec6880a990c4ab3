"""What the fetcher makes of a file."""

import os
from pathlib import Path
from typing import Any

import pytest

from downloader.fetcher import completeness, finishing
from downloader.fetcher.probe import Probe, probe
from reelhaul import errors
from tests.media import probed

pytestmark = pytest.mark.usefixtures("programs_known")


@pytest.fixture
def came(media: Path, tmp_path: Path) -> Any:
    """Puts a file of the source where a download would be, under the name that it claims."""

    def put(name: str, *, called: str = "media.mp4") -> Path:
        path = tmp_path / called
        path.write_bytes((media / name).read_bytes())
        return path

    return put


@pytest.mark.parametrize(
    ("name", "wants_audio", "extension", "codecs"),
    [
        ("clip.mp4", False, "mp4", ["aac", "h264"]),
        ("clip.mp4", True, "m4a", ["aac"]),
        ("clip.webm", False, "webm", ["opus", "vp9"]),
        ("clip.webm", True, "opus", ["opus"]),
        ("hls/180-0.ts", False, "mp4", ["aac", "h264"]),
        ("hls/180-0.ts", True, "m4a", ["aac"]),
        ("silent.mp4", False, "mp4", ["h264"]),
        ("tone.mp3", False, "mp3", ["mp3"]),
        ("tone.mp3", True, "mp3", ["mp3"]),
    ],
)
def test_file_is_handed_over_as_what_it_is(
    came: Any, name: str, *, wants_audio: bool, extension: str, codecs: list[str]
) -> None:
    output = finishing.finish(came(name), wants_audio=wants_audio)
    found = probed(output.path)
    assert (output.extension, found["codecs"]) == (extension, codecs)
    assert output.duration_s == pytest.approx(found["duration_s"], abs=0.01)


@pytest.mark.parametrize("name", ["html.mp4", "list.mp4", "playlist.mp4", "hls/180.m3u8", "dash/manifest.mpd"])
def test_what_does_not_play_is_not_media(came: Any, name: str) -> None:
    with pytest.raises(errors.SourceNotMedia):
        finishing.finish(came(name), wants_audio=False)


def test_silence_cannot_be_had_as_audio(came: Any) -> None:
    with pytest.raises(errors.SourceNotMedia):
        finishing.finish(came("silent.mp4"), wants_audio=True)


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm"])
def test_file_whose_container_announces_more_was_interrupted(came: Any, name: str) -> None:
    path = came(name)
    assert not completeness.is_cut_short(path)
    os.truncate(path, path.stat().st_size * 9 // 10)
    with pytest.raises(errors.SourceInterrupted):
        probe(path)


def test_cover_picture_is_not_video() -> None:
    cover = {"codec_type": "video", "codec_name": "mjpeg", "disposition": {"attached_pic": 1}}
    assert Probe.parse({"format": {"format_name": "mp3"}, "streams": [cover]}).video == ()


@pytest.mark.parametrize(
    ("video", "audio", "extension"),
    [
        (("h264",), ("aac",), "mp4"),
        (("hevc",), ("eac3",), "mp4"),
        (("av1",), ("aac",), "mp4"),
        (("vp9",), ("opus",), "webm"),
        (("av1",), ("opus",), "webm"),
        (("h264",), ("opus",), "mkv"),
        (("mpeg2video",), ("mp2",), "mkv"),
    ],
)
def test_video_goes_into_the_container_that_plays_it(video: tuple[str], audio: tuple[str], extension: str) -> None:
    assert finishing.video_extension(Probe(demuxer="any", video=video, audio=audio)) == extension
