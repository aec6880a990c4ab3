"""What is several media becomes a list, and each of its entries can be had alone. Real child, real proxy, loopback."""

from typing import Any

import pytest

from downloader.fetch import Entry, Fetched, FoundPlaylist
from reelhaul.errors import SourceError, SourceRefused
from tests.media import SourceServer
from tests.unit.downloader.fetching import Fetching


def listed(fetching: Fetching, path: str, **wanted: Any) -> FoundPlaylist:
    found = fetching.found(path, **wanted)
    assert isinstance(found, FoundPlaylist)
    return found


def code_of(fetching: Fetching, path: str, **wanted: Any) -> str:
    with pytest.raises(SourceError) as caught:
        fetching.found(path, **wanted)
    return caught.value.code


# --- listing ---------------------------------------------------------------------------------------------------------


def test_page_with_several_videos_is_a_list_of_them_by_number(fetching: Fetching, source: SourceServer) -> None:
    page = source.url("two")
    assert listed(fetching, "two") == FoundPlaylist(
        title="video",
        entries=(Entry(url=page, title="two (1)", entry=1), Entry(url=page, title="two (2)", entry=2)),
        truncated=False,
    )
    assert source.hits["/clip.mp4"] == 0
    assert list(fetching.directory.iterdir()) == []


def test_feed_is_a_list_of_addresses_in_its_order_with_duplicates(fetching: Fetching, source: SourceServer) -> None:
    names = ["clip.mp4", "other/clip.mp4", "clip.mp4", "status/404"]
    assert listed(fetching, "feed/4") == FoundPlaylist(
        title="A feed",
        entries=tuple(Entry(url=source.url(name), title=f"Episode {n}") for n, name in enumerate(names, 1)),
        truncated=False,
    )
    assert source.hits["/status/404"] == 0  # that it is gone will be seen by whoever fetches it


@pytest.mark.parametrize(("count", "truncated"), [(2, False), (3, True), (2000, True)])
def test_list_ends_at_its_limit_and_says_so(fetching: Fetching, count: int, *, truncated: bool) -> None:
    found = listed(fetching, f"feed/{count}", playlist_limit=2)
    assert [entry.title for entry in found.entries] == ["Episode 1", "Episode 2"]
    assert found.truncated == truncated


def test_limit_of_one_still_makes_a_list_of_what_has_more(fetching: Fetching) -> None:
    found = listed(fetching, "feed/4", playlist_limit=1)
    assert (len(found.entries), found.truncated) == (1, True)


def test_long_list_is_listed_whole(fetching: Fetching) -> None:
    found = listed(fetching, "feed/1000")
    assert len(found.entries) == 1000
    assert found.entries[-1].title == "Episode 1000"


def test_list_of_one_is_that_one(fetching: Fetching, source: SourceServer) -> None:
    fetched = fetching("feed/1")
    assert fetched.path.read_bytes() == (source.directory / "clip.mp4").read_bytes()
    assert fetched.media.title == "Episode 1"


def test_list_of_one_stays_a_list_where_lists_are_wanted(fetching: Fetching, source: SourceServer) -> None:
    entries = listed(fetching, "feed/1", playlist="true").entries
    assert entries == (Entry(url=source.url("clip.mp4"), title="Episode 1"),)


@pytest.mark.parametrize("mode", ["auto", "true", "false"])
def test_single_medium_is_one_in_every_mode(fetching: Fetching, mode: str) -> None:
    assert isinstance(fetching.found("one", playlist=mode), Fetched)


@pytest.mark.parametrize("path", ["two", "feed/4"])
def test_list_is_refused_where_one_medium_is_wanted(fetching: Fetching, path: str) -> None:
    assert code_of(fetching, path, playlist="false") == "source.is_playlist"


def test_empty_list_is_no_media(fetching: Fetching) -> None:
    assert code_of(fetching, "feed/0") == "source.unsupported"


def test_list_in_a_list_of_one_is_the_list(fetching: Fetching, source: SourceServer) -> None:
    found = listed(fetching, "feed-of/two")
    assert [(entry.url, entry.entry) for entry in found.entries] == [(source.url("feed-of/two"), n) for n in (1, 2)]


def test_hidden_parameters_in_an_entry_make_it_no_address(fetching: Fetching, source: SourceServer) -> None:
    hidden = "clip.mp4%23%5F_youtubedl_smuggle=%257B%2522to_generic%2522%253A1%257D"  # as a page may spell it
    found = listed(fetching, f"feed-of/clip.mp4?and={hidden}")
    assert [entry.entry for entry in found.entries] == [None, 2]
    assert found.entries[1].url == source.url(f"feed-of/clip.mp4?and={hidden}")


# --- entries ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "entry", "options", "expected"),
    [
        ("two", 1, {}, "clip.mp4"),
        ("two", 2, {}, "other/clip.mp4"),
        ("two", 2, {"playlist": "false"}, "other/clip.mp4"),
        ("two", 2, {"playlist": "true"}, "other/clip.mp4"),
        ("feed/4", 2, {"playlist_limit": 1}, "other/clip.mp4"),
        ("feed-of/two", 2, {}, "other/clip.mp4"),
        ("clip.mp4", 1, {}, "clip.mp4"),
    ],
)
def test_entry_is_fetched_alone(
    fetching: Fetching, source: SourceServer, path: str, entry: int, options: dict[str, Any], expected: str
) -> None:
    fetched = fetching(path, entry=entry, is_item=True, **options)
    assert fetched.path.read_bytes() == (source.directory / expected).read_bytes()
    (other,) = {"clip.mp4", "other/clip.mp4"} - {expected}
    assert source.hits[f"/{other}"] == 0


@pytest.mark.parametrize(("path", "entry"), [("two", 3), ("clip.mp4", 2), ("feed/4", 5)])
def test_entry_that_is_gone_is_not_found(fetching: Fetching, path: str, entry: int) -> None:
    assert code_of(fetching, path, entry=entry) == "source.not_found"


def test_list_as_an_entry_is_not_expanded(fetching: Fetching) -> None:
    assert code_of(fetching, "feed-of/two?and=two", entry=2) == "source.is_playlist"


def test_list_at_the_address_of_an_item_is_not_expanded(fetching: Fetching) -> None:
    assert code_of(fetching, "two", is_item=True, playlist="true") == "source.is_playlist"


def test_entry_on_the_inside_reaches_nobody(fetching: Fetching, canary: SourceServer) -> None:
    entries = listed(fetching, f"feed-of/clip.mp4?and={canary.url('clip.mp4')}").entries
    assert entries[1].url == canary.url("clip.mp4")
    fetching.url = canary.url
    with pytest.raises(SourceRefused):
        fetching("clip.mp4", is_item=True)
