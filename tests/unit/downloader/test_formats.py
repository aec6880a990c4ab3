"""Which formats are fetched, of those that a source has."""

from pathlib import Path
from typing import Any

import pytest

from downloader.fetcher import formats
from downloader.fetcher.request import Request
from downloader.kernel import Support
from reelhaul import errors
from reelhaul.options import Options
from tests.media import probed
from tests.unit.downloader.fetching import Fetching

SOUND: dict[str, Any] = {"format_id": "sound", "vcodec": "none", "acodec": "mp4a.40.2"}


def request(**options: Any) -> Request:
    return Request(
        url="http://example.com/", options=Options(**options), is_item=False, entry=None, inspect=False, seconds=60,
        proxy="http://fetcher:pass@127.0.0.1:4321", directory=Path("/scratch/job"), max_bytes=1, max_memory_bytes=1,
        kernel=Support(seccomp=False, landlock=False),
    )  # fmt: skip


def picture(name: str, height: int | None, *, width: int | None = None, **more: Any) -> dict[str, Any]:
    return {"format_id": name, "height": height, "width": width, "vcodec": "avc1.64001f", "acodec": "none", **more}


def chosen(found: list[dict[str, Any]], **options: Any) -> list[str]:
    return [one["format_id"] for one in formats.narrowed(found, request(**options))]


def test_picture_has_never_more_lines_than_were_asked_for() -> None:
    ladder = [picture(str(lines), lines) for lines in (144, 240, 360, 480, 720, 1080)]
    for wanted, expected in (("best", "1080"), ("2160p", "1080"), ("720p", "720"), ("480p", "480"), ("144p", "144")):
        assert chosen([*ladder, SOUND], quality=wanted) == ["sound", expected]


def test_lowest_is_taken_where_all_have_more() -> None:
    assert chosen([picture("1080", 1080), picture("720", 720), SOUND], quality="480p") == ["sound", "720"]


def test_shorter_side_counts() -> None:
    upright = [picture("low", 1280, width=720), picture("high", 1920, width=1080)]
    assert chosen([*upright, SOUND], quality="720p") == ["sound", "low"]
    assert chosen([*upright, SOUND], quality="1080p") == ["sound", "high"]


def test_what_the_extractor_likes_best_is_not_taken_above_the_limit() -> None:
    assert chosen([picture("480", 480), picture("liked", 2160, preference=10)], quality="480p") == ["480"]


def test_unknown_size_comes_after_what_is_known_to_fit_and_before_what_is_not() -> None:
    assert chosen([picture("?", None), picture("240", 240), picture("1080", 1080)], quality="480p") == ["240"]
    assert chosen([picture("?", None), picture("1080", 1080)], quality="480p") == ["?"]


def test_size_is_read_from_a_name_where_it_stands() -> None:
    named = [picture("hls-360p", None), picture("x", None, format_note="1080p60"), picture("y", None)]
    assert chosen(named, quality="480p") == ["hls-360p"]
    assert [formats.lines(one) for one in named] == [360, 1080, None]


def test_of_as_many_lines_those_that_need_no_encoding_are_taken() -> None:
    both = [
        picture("avc", 720), picture("vp9", 720, vcodec="vp09.00.40.08"), picture("theora", 720, vcodec="theora"),
        SOUND, {**SOUND, "format_id": "opus", "acodec": "opus"},
    ]  # fmt: skip
    assert chosen(both, container="webm") == ["opus", "vp9"]
    assert chosen(both, container="mp4") == ["sound", "vp9"]
    assert chosen(both, container="mkv") == ["opus", "theora"]
    assert chosen([*both, picture("1080", 1080)], container="webm") == ["opus", "1080"]


def test_sound_stays_in_its_language() -> None:
    sounds = [{**SOUND, "format_id": "dub", "acodec": "opus", "language": "de"}, {**SOUND, "language": "en"}]
    assert chosen([*sounds, picture("vp9", 720, vcodec="vp9")], container="webm") == ["sound", "vp9"]


def test_sound_alone_is_taken_in_the_codec_that_was_asked_for() -> None:
    sounds = [SOUND, {**SOUND, "format_id": "opus", "acodec": "opus"}]
    assert chosen(sounds, download_type="audio") == ["opus"]
    assert chosen(sounds, download_type="audio", audio_format="m4a") == ["sound"]
    assert chosen(sounds, download_type="audio", audio_format="mp3") == ["opus"]
    assert chosen([*sounds, picture("720", 720)], download_type="audio") == ["opus"]
    assert chosen([picture("720", 720, acodec="mp4a"), picture("mute", 720)], download_type="audio") == ["720"]


def test_video_with_sound_is_preferred_to_more_lines_without() -> None:
    assert chosen([picture("360", 360, acodec="mp4a.40.2"), picture("mute", 1080)]) == ["360"]
    assert chosen([picture("mute", 1080)]) == ["mute"]


def test_sound_is_all_there_is_of_a_podcast() -> None:
    assert chosen([SOUND]) == ["sound"]


def test_silence_cannot_be_had_as_audio() -> None:
    with pytest.raises(errors.SourceNoAudio):
        chosen([picture("mute", 1080)], download_type="audio")


@pytest.mark.parametrize(
    ("path", "quality", "lines"),
    [
        ("hls/master.m3u8", "best", 360),
        ("hls/master.m3u8", "240p", 180),
        ("hls/master.m3u8", "144p", 180),
        ("hls/unsized.m3u8", "240p", 180),
        ("hls/unsized.m3u8", "360p", 360),
        ("dash/manifest.mpd", "144p", 180),
        ("variety/upright.html", "240p", 320),
        ("variety/upright.html", "360p", 640),
        ("clip.mp4", "144p", 180),
    ],
)
def test_quality_is_a_ceiling_on_what_arrives(
    fetching: Fetching, variety: Path, path: str, quality: str, lines: int
) -> None:
    assert variety
    assert probed(fetching(path, quality=quality).path)["lines"] == lines


@pytest.mark.parametrize(
    ("options", "codecs"),
    [
        ({}, ["aac", "h264"]),
        ({"container": "webm"}, ["opus", "vp9"]),
        ({"container": "mkv"}, ["aac", "h264"]),
        ({"download_type": "audio", "audio_format": "opus"}, ["opus"]),
        ({"download_type": "audio", "audio_format": "m4a"}, ["aac"]),
        ({"download_type": "audio", "audio_format": "mp3"}, ["mp3"]),
    ],
)
def test_dash_comes_in_the_codecs_of_its_container(
    fetching: Fetching, variety: Path, options: dict[str, Any], codecs: list[str]
) -> None:
    assert variety
    fetched = fetching("variety/codecs.mpd", **options)
    found = probed(fetched.path)
    wanted = options.get("audio_format") or options.get("container") or "mp4"
    assert (fetched.media.extension, found["codecs"]) == (wanted, codecs)
    assert found["duration_s"] == pytest.approx(2, abs=0.1)


def test_silent_source_has_an_error_of_its_own(fetching: Fetching) -> None:
    with pytest.raises(errors.SourceNoAudio):
        fetching("silent.mp4", download_type="audio")


def test_audio_and_container_of_hls(fetching: Fetching) -> None:
    fetched = fetching("hls/master.m3u8", download_type="audio", audio_format="flac")
    assert (fetched.media.content_type, probed(fetched.path)["codecs"]) == ("audio/flac", ["flac"])
