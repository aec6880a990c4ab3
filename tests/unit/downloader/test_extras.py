"""What comes with a medium, from a loopback source: subtitles and a picture. A fault of theirs is never the job's."""

from pathlib import Path
from typing import Any

import pytest

from downloader.fetch import Fetched
from downloader.fetcher import thumbnails
from infra.local.media import ffmpeg
from reelhaul.options import Clip
from tests.media import SourceServer, probed
from tests.unit.downloader.fetching import Fetching

pytestmark = pytest.mark.usefixtures("variety")


def subtitles(fetched: Fetched) -> dict[str | None, str]:
    found = [extra for extra in fetched.extras if extra.kind == "subtitles"]
    assert {(extra.extension, extra.content_type) for extra in found} <= {("vtt", "text/vtt")}
    return {extra.language: extra.path.read_text() for extra in found}


def timings(text: str) -> list[str]:
    return [line for line in text.splitlines() if "-->" in line]


def test_subtitles_of_hls_are_put_on_the_clock_of_the_file(fetching: Fetching) -> None:
    found = subtitles(fetching("hls/subtitled.m3u8", subtitles=("en", "de", "fr")))
    assert found.keys() == {"en"}  # there are none in French, and the German ones are missing
    assert found["en"].startswith("WEBVTT\n\n")
    assert timings(found["en"]) == [
        "00:00:00.250 --> 00:00:00.750 line:90%",
        "00:00:01.250 --> 00:00:01.750 line:90%",
    ]
    assert "Hello <b>there</b>" in found["en"]


def test_subtitles_of_dash(fetching: Fetching) -> None:
    found = subtitles(fetching("dash/subtitled.mpd", subtitles=("en-US",)))
    assert timings(found["en-US"]) == ["00:00:00.500 --> 00:00:01.500 line:90%"]


def test_subtitles_beside_a_page_come_as_webvtt_whatever_they_were(fetching: Fetching) -> None:
    wanted = ("en", "pt-BR", "fr", "de", "es", "it", "en")
    fetched = fetching("variety/subtitled.html", subtitles=wanted)
    found = subtitles(fetched)
    assert found.keys() == {"en", "pt-BR", "fr"}  # the others are a web page, too large, and missing
    assert timings(found["pt-BR"]) == ["00:00:00.250 --> 00:00:00.750", "00:00:01.000 --> 00:00:01.500"]
    assert found["fr"] == "WEBVTT\n\n00:00:00.500 --> 00:00:01.000\nBonjour\n"
    left = {file.name for file in fetching.directory.iterdir()}
    assert left == {fetched.path.name, *(extra.path.name for extra in fetched.extras)}


def test_subtitles_follow_the_clip(fetching: Fetching) -> None:
    found = subtitles(fetching("hls/subtitled.m3u8", subtitles=("en",), clip=Clip(start_s=0.52, end_s=1.52)))
    first, second = timings(found["en"])
    assert first.startswith("00:00:00.000 --> 00:00:00.2")
    assert second.startswith("00:00:00.7")


def test_nobody_gets_subtitles_unasked(fetching: Fetching, source: SourceServer) -> None:
    assert subtitles(fetching("hls/subtitled.m3u8")) == {}
    assert source.hits["/hls/en.m3u8"] == 0


def test_subtitles_of_an_inside_address_reach_nobody(fetching: Fetching, canary: SourceServer, variety: Path) -> None:
    page = (
        f'<title>T</title><video src="../clip.mp4"><track srclang="en" src="{canary.url("variety/plain.vtt")}"></video>'
    )
    (variety / "inside.html").write_text(page)
    fetched = fetching("variety/inside.html", subtitles=("en",))
    assert subtitles(fetched) == {}


def thumbnail(fetched: Fetched) -> Any:
    (found,) = [extra for extra in fetched.extras if extra.kind == "thumbnail"]
    return found


@pytest.mark.parametrize("name", ["poster.jpg", "poster.png", "poster.webp"])
def test_picture_of_the_source_is_taken_for_what_it_is(fetching: Fetching, variety: Path, name: str) -> None:
    (variety / "posed.html").write_text(f'<title>P</title><video poster="{name}" src="../clip.mp4"></video>')
    found = thumbnail(fetching("variety/posed.html"))
    assert found.path.read_bytes() == (variety / name).read_bytes()
    expected = {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"}[name.rpartition(".")[2]]
    assert (found.path.name, found.content_type) == (f"thumbnail.{found.extension}", expected)


@pytest.mark.parametrize(
    "name", ["false.jpg", "large.jpg", "missing.jpg", "../slow/clip.mp4?rate=100", "//[::1]/a.jpg"]
)
def test_frame_of_the_video_stands_in_for_a_picture_that_cannot_be_had(
    fetching: Fetching, variety: Path, name: str
) -> None:
    (variety / "posed.html").write_text(f'<title>P</title><video poster="{name}" src="../clip.mp4"></video>')
    found = thumbnail(fetching("variety/posed.html"))
    assert (found.extension, found.content_type) == ("jpg", "image/jpeg")
    assert thumbnails.image_extension(found.path.read_bytes()) == "jpg"


@pytest.mark.parametrize(("path", "lines"), [("clip.mp4", 180), ("hls/master.m3u8", 360), ("variety/sparse.webm", 180)])
def test_frame_of_the_video_is_of_its_size_and_at_most_640_wide(fetching: Fetching, path: str, lines: int) -> None:
    assert probed_picture(thumbnail(fetching(path)).path) == ("mjpeg", lines)


def test_video_whose_only_key_frame_is_its_first_has_a_picture_as_well(fetching: Fetching, variety: Path) -> None:
    picture = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=10:duration=5", "-c:v", "libx264", "-g", "1000"]
    ffmpeg(*picture, "-sc_threshold", "0", "-pix_fmt", "yuv420p", str(variety / "steady.mp4"))
    assert probed_picture(thumbnail(fetching("variety/steady.mp4")).path) == ("mjpeg", 180)


def test_sound_has_no_picture_unless_its_source_has(fetching: Fetching, variety: Path) -> None:
    assert fetching("clip.mp4", download_type="audio").extras == ()
    (variety / "posed.html").write_text('<title>P</title><video poster="poster.jpg" src="../clip.mp4"></video>')
    for file in fetching.directory.iterdir():
        file.unlink()
    assert thumbnail(fetching("variety/posed.html", download_type="audio")).extension == "jpg"


def test_extras_stay_within_what_a_job_may_receive(fetching: Fetching, variety: Path, source: SourceServer) -> None:
    (variety / "posed.html").write_text('<title>P</title><video poster="large.jpg" src="../clip.mp4"></video>')
    size = (source.directory / "clip.mp4").stat().st_size
    found = fetching("variety/posed.html", max_bytes=size + 3 * 1024**2)
    assert thumbnail(found).extension == "jpg"


def probed_picture(path: Path) -> tuple[str, int]:
    found = probed(path)
    return found["codecs"][0], found["lines"]
