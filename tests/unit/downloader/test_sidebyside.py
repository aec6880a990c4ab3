"""Which media are merged as they come, and which have to lie in files."""

from pathlib import Path
from typing import Any

import pytest

from downloader.answers import Resume
from downloader.events import Source
from downloader.fetcher import aside, sidebyside
from downloader.fetcher.request import Request
from downloader.kernel import Support
from reelhaul.options import Clip, Options

PICTURE = {"format_id": "v", "vcodec": "avc1", "acodec": "none", "protocol": "https"}
SOUND = {"format_id": "a", "vcodec": "none", "acodec": "mp4a", "protocol": "https"}
BOTH = {"format_id": "b", "vcodec": "avc1", "acodec": "mp4a", "protocol": "https"}


def wanted(*, files: tuple[str, ...] | None = None, **options: Any) -> Request:
    """`files`: what an earlier fetcher has left."""
    track = Source(format_id="v", total_bytes=None, etag=None, last_modified=None, place=0)
    resume = Resume(name=None, bytes=0, title=None, extension=None, tracks=(track, track), files=files or ())
    return Request(
        url="https://media.example/", options=Options(**options), is_item=False, entry=None, inspect=False,
        seconds=60.0, proxy="", directory=Path("/"), max_bytes=0, max_memory_bytes=0,
        kernel=Support(seccomp=False, landlock=False), resume=None if files is None else resume,
    )  # fmt: skip


def is_possible(*formats: dict[str, Any], **how: Any) -> bool:
    return sidebyside.is_possible({"requested_formats": list(formats)}, wanted(**how))


@pytest.mark.parametrize("protocol", ["http", "https", "m3u8_native", "http_dash_segments"])
def test_picture_and_sound_are_merged_as_they_come_in_whichever_order(protocol: str) -> None:
    assert is_possible({**PICTURE, "protocol": protocol}, SOUND)
    assert is_possible(SOUND, {**PICTURE, "protocol": protocol})


@pytest.mark.parametrize(
    "formats", [(), (PICTURE,), (PICTURE, PICTURE), (SOUND, SOUND), (BOTH, SOUND), (PICTURE, SOUND, SOUND)]
)
def test_whatever_else_there_is_has_to_lie_in_files(formats: tuple[dict[str, Any], ...]) -> None:
    assert not is_possible(*formats)


def test_what_somebody_else_has_to_fetch_has_to_lie_in_files() -> None:
    assert not is_possible(PICTURE, {**SOUND, "protocol": "rtmp"})


@pytest.mark.parametrize("options", [
    {"container": "mkv"}, {"container": "webm"}, {"clip": Clip(start_s=1.0)}, {"clip": Clip(end_s=1.0)},
    {"download_type": "audio"},
])  # fmt: skip
def test_what_is_made_of_all_of_it_has_to_lie_in_files(options: dict[str, Any]) -> None:
    assert not is_possible(PICTURE, SOUND, **options)


def test_whoever_goes_on_does_so_as_it_was_begun() -> None:
    assert is_possible(PICTURE, SOUND, files=(aside.NAME,))
    assert not is_possible(PICTURE, SOUND, files=("track-0.part",))
    assert not is_possible(PICTURE, SOUND, files=())
