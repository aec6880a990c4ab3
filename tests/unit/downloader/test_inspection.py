"""Looking without downloading. Real child, real proxy, loopback."""

from typing import Any

import pytest

from downloader.fetch import Entry, Inspection
from reelhaul.errors import SourceError
from tests.media import SourceServer
from tests.unit.downloader.fetching import Fetching


def inspected(fetching: Fetching, path: str, **wanted: Any) -> Inspection:
    found = fetching.found(path, inspect=True, **wanted)
    assert isinstance(found, Inspection)
    assert list(fetching.directory.iterdir()) == []
    return found


def test_plain_file_is_one_format_of_a_known_size(fetching: Fetching, source: SourceServer) -> None:
    found = inspected(fetching, "clip.mp4")
    assert (found.title, found.url, found.webpage_url) == ("clip", source.url("clip.mp4"), source.url("clip.mp4"))
    assert not found.is_playlist
    (only,) = found.formats
    assert (only.format_id, only.extension) == ("mp4", "mp4")
    assert only.filesize == (source.directory / "clip.mp4").stat().st_size


def test_file_is_not_read_any_further_than_its_beginning(fetching: Fetching) -> None:
    assert inspected(fetching, "endless.mp4").title == "endless"
    assert fetching.received_bytes < 10 * 1024**2


def test_server_that_does_not_tell_the_size_leaves_it_unknown(fetching: Fetching) -> None:
    (only,) = inspected(fetching, "chunked/clip.mp4").formats
    assert only.filesize is None


def test_variants_are_listed_best_first(fetching: Fetching, source: SourceServer) -> None:
    found = inspected(fetching, "hls/master.m3u8")
    assert [(one.height, one.width) for one in found.formats] == [(360, 640), (180, 320)]
    assert all(one.has_video and one.has_audio and one.bitrate for one in found.formats)
    assert all((one.video_codec or "").startswith("avc1") for one in found.formats)
    assert found.duration_s == 2
    assert not [path for path in source.hits if path.endswith(".ts")]


def test_separate_tracks_say_which_is_which(fetching: Fetching) -> None:
    tracks = inspected(fetching, "dash/manifest.mpd").formats
    assert [(one.has_video, one.has_audio, one.extension) for one in tracks] == [
        (True, False, "mp4"),
        (False, True, "m4a"),
    ]


def test_live_stream_is_shown_as_one(fetching: Fetching) -> None:
    assert inspected(fetching, "live.m3u8").is_live
    assert not inspected(fetching, "hls/180.m3u8").is_live


@pytest.mark.parametrize("path", ["page.html", "status/404", "redirect?to=http://10.0.0.1/clip.mp4"])
def test_what_cannot_be_read_has_its_code(fetching: Fetching, path: str) -> None:
    codes = {"page.html": "source.unsupported", "status/404": "source.not_found"}
    with pytest.raises(SourceError) as caught:
        fetching.found(path, inspect=True)
    assert caught.value.code == codes.get(path, "source.refused_address")


def test_list_is_shown_with_its_first_entries_and_their_number(fetching: Fetching, source: SourceServer) -> None:
    found = inspected(fetching, "feed/70", playlist_limit=2)
    assert (found.is_playlist, found.title, found.entry_count, found.formats) == (True, "A feed", 70, ())
    assert found.entries == (
        Entry(url=source.url("clip.mp4"), title="Episode 1"),
        Entry(url=source.url("other/clip.mp4"), title="Episode 2"),
    )


def test_entry_of_a_list_can_be_looked_at(fetching: Fetching, source: SourceServer) -> None:
    found = inspected(fetching, "two", entry=2)
    assert (found.title, found.is_playlist) == ("two (2)", False)
    assert found.formats[0].filesize == (source.directory / "other" / "clip.mp4").stat().st_size
