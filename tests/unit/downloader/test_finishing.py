"""What the fetcher makes of a file: the container, the codecs and the sound that were asked for."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from downloader import room
from downloader.fetcher import finishing, guard, programs, recipes, structure
from downloader.fetcher.probe import Probe, probe
from downloader.fetcher.timing import Deadline, TimeUp
from reelhaul import errors
from reelhaul.options import Clip, Options
from tests.media import probed

pytestmark = pytest.mark.usefixtures("programs_known")

Came = Callable[[str], Path]


@pytest.fixture
def came(media: Path, variety: Path, tmp_path: Path) -> Came:
    """Puts a file of the source where a download would be, under the name that it claims."""
    assert variety.parent == media

    def put(name: str) -> Path:
        path = tmp_path / "media.mp4"
        path.write_bytes((media / name).read_bytes())
        return path

    return put


def finish(path: Path, *, seconds: float = 60, **options: Any) -> finishing.Output:
    return finishing.finish(path, Options(**options), deadline=Deadline(seconds))


def audio(wanted: str = "best") -> dict[str, Any]:
    return {"download_type": "audio", "audio_format": wanted}


@pytest.mark.parametrize(
    ("name", "options", "extension", "codecs"),
    [
        ("clip.mp4", {}, "mp4", ["aac", "h264"]),
        ("clip.mp4", {"container": "mkv"}, "mkv", ["aac", "h264"]),
        ("clip.mp4", {"container": "webm"}, "webm", ["opus", "vp9"]),
        ("clip.webm", {}, "mp4", ["aac", "vp9"]),
        ("clip.webm", {"container": "webm"}, "webm", ["opus", "vp9"]),
        ("clip.webm", {"container": "mkv"}, "mkv", ["opus", "vp9"]),
        ("variety/vp9.mkv", {"container": "webm"}, "webm", ["opus", "vp9"]),
        ("variety/old.ts", {}, "mp4", ["aac", "h264"]),
        ("variety/old.ts", {"container": "mkv"}, "mkv", ["mp2", "mpeg2video"]),
        ("variety/flac.mkv", {}, "mp4", ["aac", "h264"]),
        ("variety/fragmented.mp4", {}, "mp4", ["aac", "h264"]),
        ("hls/180-0.ts", {}, "mp4", ["aac", "h264"]),
        ("silent.mp4", {}, "mp4", ["h264"]),
        ("silent.mp4", {"container": "webm"}, "webm", ["vp9"]),
        ("tone.mp3", {}, "mp3", ["mp3"]),
        ("tone.mp3", audio(), "mp3", ["mp3"]),
        ("clip.mp4", audio(), "m4a", ["aac"]),
        ("clip.webm", audio(), "opus", ["opus"]),
        ("hls/180-0.ts", audio(), "m4a", ["aac"]),
        ("clip.mp4", audio("m4a"), "m4a", ["aac"]),
        ("clip.mp4", audio("mp3"), "mp3", ["mp3"]),
        ("clip.mp4", audio("opus"), "opus", ["opus"]),
        ("clip.mp4", audio("flac"), "flac", ["flac"]),
        ("clip.mp4", audio("wav"), "wav", ["pcm_s16le"]),
        ("clip.webm", audio("opus"), "opus", ["opus"]),
        ("clip.webm", audio("m4a"), "m4a", ["aac"]),
        ("clip.webm", audio("mp3"), "mp3", ["mp3"]),
        ("tone.mp3", audio("wav"), "wav", ["pcm_s16le"]),
        ("variety/tone.wav", audio("flac"), "flac", ["flac"]),
        ("variety/deep.flac", audio("wav"), "wav", ["pcm_s24le"]),
        ("variety/surround.mkv", audio("opus"), "opus", ["opus"]),
    ],
)
def test_file_becomes_what_was_asked_for(
    came: Came, name: str, options: dict[str, Any], extension: str, codecs: list[str]
) -> None:
    length_s = probed(came(name))["duration_s"]
    output = finish(came(name), **options)
    found = probed(output.path)
    assert (output.extension, found["codecs"]) == (extension, codecs)
    assert output.duration_s == pytest.approx(found["duration_s"], abs=0.01)
    assert output.duration_s == pytest.approx(length_s, abs=0.1)
    assert [file.name for file in output.path.parent.iterdir()] == [output.path.name]
    assert structure.is_webm(output.path) == (extension == "webm")
    assert not structure.is_fragmented(output.path)


@pytest.mark.parametrize("at", [1, 2, 3])
def test_clip_that_there_is_no_time_for_can_be_made_by_the_next(
    came: Came, at: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A clip of what has to be made something else first: at each probe on the way there the time may be up."""
    path, probes = came("hls/180-0.ts"), 0
    content = path.read_bytes()
    run = programs.run

    def interrupted(name: str, *arguments: str, timeout_s: float) -> Any:
        nonlocal probes
        probes += name == "ffprobe"
        if probes > at:
            raise TimeUp
        return run(name, *arguments, timeout_s=timeout_s)

    with monkeypatch.context() as patch:
        patch.setattr(programs, "run", interrupted)
        with pytest.raises(TimeUp):
            finish(path, clip=Clip(start_s=0.2, end_s=0.8))
    assert path.read_bytes() == content

    again = finish(path, clip=Clip(start_s=0.2, end_s=0.8))
    assert again.clip_start_s == pytest.approx(0.2, abs=0.1)
    assert [file.name for file in path.parent.iterdir()] == [again.path.name]


def test_clip_is_made_where_the_disk_has_room_for_no_more_than_two(came: Came, monkeypatch: pytest.MonkeyPatch) -> None:
    path, held = came("hls/180-0.ts"), list[int]()
    size, run = path.stat().st_size, programs.run

    def seen(*arguments: str, timeout_s: float) -> Any:
        done = run(*arguments, timeout_s=timeout_s)
        held.append(len([file for file in path.parent.iterdir() if file.stat().st_size]))
        return done

    monkeypatch.setattr(room, "most_bytes", lambda _: size * 2.5)
    monkeypatch.setattr(programs, "run", seen)
    finish(path, clip=Clip(start_s=0.2, end_s=0.8))
    assert max(held) == 2


@pytest.mark.parametrize(
    ("name", "options", "track"),
    [
        ("clip.mp4", {"container": "mkv"}, "v"),
        ("clip.mp4", {"container": "mkv"}, "a"),
        ("clip.webm", {}, "v"),
        ("variety/vp9.mkv", {"container": "webm"}, "v"),
        ("variety/vp9.mkv", {"container": "webm"}, "a"),
        ("variety/flac.mkv", {}, "v"),
        ("clip.mp4", audio("m4a"), "a"),
        ("clip.webm", audio("opus"), "a"),
        ("tone.mp3", audio("mp3"), "a"),
        ("variety/tone.flac", audio("flac"), "a"),
        ("variety/tone.wav", audio("wav"), "a"),
    ],
)
def test_what_need_not_be_encoded_is_the_same_to_the_bit(
    came: Came, name: str, options: dict[str, Any], track: str
) -> None:
    before = digest(came(name), track, "-c", "copy")
    assert digest(finish(came(name), **options).path, track, "-c", "copy") == before


@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("clip.mp4", {}),
        ("tone.mp3", audio()),
        ("variety/tone.flac", audio("flac")),
        ("clip.webm", {"container": "webm"}),
    ],
)
def test_what_is_right_already_is_left_alone(came: Came, name: str, options: dict[str, Any]) -> None:
    path = came(name)
    before = path.read_bytes()
    output = finish(path, **options)
    assert output.path == path
    assert path.read_bytes() == before


def test_lossless_sound_stays_lossless(came: Came) -> None:
    before = digest(came("variety/deep.flac"), "a", "-c", "pcm_s24le")
    assert digest(finish(came("variety/deep.flac"), **audio("wav")).path, "a", "-c", "pcm_s24le") == before


@pytest.mark.parametrize("name", ["html.mp4", "list.mp4", "playlist.mp4", "hls/180.m3u8", "dash/manifest.mpd"])
def test_what_does_not_play_is_not_media(came: Came, name: str) -> None:
    with pytest.raises(errors.SourceNotMedia):
        finish(came(name))


def test_silence_cannot_be_had_as_audio(came: Came) -> None:
    with pytest.raises(errors.SourceNoAudio):
        finish(came("silent.mp4"), **audio())


def test_conversion_ends_at_the_deadline_of_its_job(came: Came, monkeypatch: pytest.MonkeyPatch) -> None:
    run = programs.run

    def run_slowly(name: str, *arguments: str, timeout_s: float) -> Any:
        slowly = ["-readrate", "0.2"] if name == "ffmpeg" else []  # the two seconds take ten
        return run(name, *slowly, *arguments, timeout_s=timeout_s)

    monkeypatch.setattr(programs, "run", run_slowly)
    with pytest.raises(errors.SourceTooSlow):
        finish(came("clip.mp4"), seconds=1.5, container="webm")
    with pytest.raises(errors.SourceTooSlow):
        finish(came("clip.mp4"), seconds=0, container="webm")


@pytest.mark.parametrize("name", ["clip.mp4", "clip.webm"])
def test_file_whose_container_announces_more_was_interrupted(came: Came, name: str) -> None:
    path = came(name)
    assert not structure.is_cut_short(path)
    os.truncate(path, path.stat().st_size * 9 // 10)
    with pytest.raises(errors.SourceInterrupted):
        probe(path)


def test_cover_picture_is_not_video() -> None:
    cover = {"codec_type": "video", "codec_name": "mjpeg", "disposition": {"attached_pic": 1}}
    assert Probe.parse({"format": {"format_name": "mp3"}, "streams": [cover]}).video == ()


@pytest.mark.parametrize(
    ("container", "video", "audio_codecs", "expected"),
    [
        ("mp4", "h264", ("aac", "opus"), ("copy", ("copy", "aac"))),
        ("mp4", "hevc", ("eac3",), ("copy", ("copy",))),
        ("mp4", "av1", ("vorbis",), ("copy", ("aac",))),
        ("mp4", "vp8", ("vorbis",), ("h264", ("aac",))),
        ("webm", "av1", ("aac",), ("copy", ("opus",))),
        ("webm", "hevc", ("opus",), ("vp9", ("copy",))),
        ("mkv", "theora", ("dts",), ("copy", ("copy",))),
    ],
)
def test_only_what_the_container_cannot_hold_is_encoded(
    container: str, video: str, audio_codecs: tuple[str, ...], expected: tuple[str, tuple[str, ...]]
) -> None:
    found = Probe(demuxer="any", video=(video,), audio=audio_codecs)
    recipe = recipes.recipe(found, Options(container=container))
    assert (recipe.extension, recipe.video, recipe.audio) == (container, *expected)


@pytest.mark.parametrize("container", ["mp4", "webm"])
def test_encoding_1080p_fits_the_fetchers_memory(tmp_path: Path, container: str) -> None:
    path = tmp_path / "media.mkv"
    large = ["-f", "lavfi", "-i", "testsrc2=size=1920x1080:rate=25:duration=1.2", "-c:v", "mpeg2video", "-q:v", "6"]
    subprocess.run([os.environ["REELHAUL_FFMPEG"], "-v", "error", *large, str(path)], check=True)
    found = probe(path)
    recipe = recipes.recipe(found, Options(container=container))
    command = f'ulimit -v {1024**2}; exec "$0" -v error "$@"'
    made = str(path.with_suffix(f".{container}"))
    program = str(guard.BIN / "ffmpeg")
    arguments = [*recipe.before_input, "-i", str(path), *recipe.arguments(found), made]
    subprocess.run(["/bin/sh", "-c", command, program, *arguments], check=True)


def digest(path: Path, track: str, *form: str) -> str:
    """Of all packets of a track, as they are or in the `form` that is asked for."""
    command = [
        os.environ["REELHAUL_FFMPEG"],
        "-v",
        "error",
        "-i",
        str(path),
        "-map",
        f"0:{track}",
        *form,
        "-f",
        "md5",
        "-",
    ]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout
