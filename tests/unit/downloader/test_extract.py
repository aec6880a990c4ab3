"""How far a list is read, and which of its entries can stand alone."""

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from yt_dlp.utils import InAdvancePagedList, LazyList, OnDemandPagedList, smuggle_url

from downloader.fetcher.extract import Several, own_address, prepare
from reelhaul.errors import SourceTooLong

PAGE = 10


def video(number: int) -> dict[str, Any]:
    return {"_type": "url", "url": f"https://example.com/{number}", "title": f"No. {number}"}


class Pages:
    """A source of pages without end that counts those which were asked for."""

    def __init__(self) -> None:
        self.read = 0

    def page(self, number: int) -> Iterator[dict[str, Any]]:
        self.read += 1
        return (video(number * PAGE + index) for index in range(PAGE))

    def endless(self) -> Iterator[dict[str, Any]]:
        return itertools.chain.from_iterable(self.page(number) for number in itertools.count())


@pytest.mark.parametrize("kind", ["generator", "lazy", "on demand", "in advance"])
def test_list_without_end_is_read_to_its_limit(kind: str) -> None:
    pages = Pages()
    kinds: dict[str, Callable[[], Any]] = {
        "generator": pages.endless,
        "lazy": lambda: LazyList(pages.endless()),
        "on demand": lambda: OnDemandPagedList(pages.page, PAGE),
        "in advance": lambda: InAdvancePagedList(pages.page, 1000, PAGE),
    }
    several = Several.read({"entries": kinds[kind]()}, most=25)
    assert [entry["title"] for entry in several.entries.values()] == [f"No. {number}" for number in range(25)]
    assert list(several.entries) == list(range(1, 26))
    assert several.truncated
    assert several.count is None
    assert pages.read == 3


@pytest.mark.parametrize(
    ("info", "count"),
    [
        ({"entries": [video(1), video(2), video(3)]}, 3),
        ({"entries": iter([video(1), video(2), video(3)]), "playlist_count": 700}, 700),
        ({"entries": iter([video(1), video(2), video(3)]), "playlist_count": "many"}, None),
    ],
)
def test_number_of_entries_is_what_the_source_says(info: dict[str, Any], count: int | None) -> None:
    assert Several.read(info, most=1).count == count


def test_entries_that_are_gone_leave_their_numbers_to_nobody() -> None:
    several = Several.read({"entries": [None, video(2), {}, video(4)]}, most=10)
    assert list(several.entries) == [2, 4]
    assert (several.truncated, several.count) == (False, 4)


def test_list_without_entries_is_empty() -> None:
    several = Several.read({"entries": None}, most=10)
    assert (several.entries, several.truncated, several.count) == ({}, False, 0)


def address(url: object, kind: str = "url") -> str | None:
    return own_address({"_type": kind, "url": url})


def test_entry_with_an_address_stands_alone() -> None:
    assert address("https://example.com/a?b=c#d") == "https://example.com/a?b=c#d"
    assert address("http://example.com/a", "url_transparent") == "http://example.com/a"
    assert address("//example.com/a") == "https://example.com/a"


def test_name_that_yt_dlp_gave_an_entry_may_be_lost() -> None:
    assert address(smuggle_url("https://example.com/a", {"force_videoid": "x"})) == "https://example.com/a"


@pytest.mark.parametrize(
    "url",
    [
        smuggle_url("https://example.com/a", {"force_videoid": "x", "referer": "https://example.com/"}),
        smuggle_url("https://example.com/a", {"to_generic": True}),
        "https://example.com/#__youtubedl_smuggle=nonsense",
        "https://example.com/#__youtubedl_smuggle",
        "https://example.com/__youtubedl_smuggle",
        "https://me:pw@example.com/",
        "https://example.com/" + "a" * 2048,
        "https://example.com/a b",
        "dQw4w9WgXcQ",
        "ytsearch:cats",
        "file:///etc/passwd",
        "http://[::1",
        "",
        None,
        7,
    ],
)
def test_what_is_no_address_of_ours_does_not(url: object) -> None:
    assert address(url) is None


def test_medium_that_is_there_already_has_no_address_of_its_own() -> None:
    assert own_address({"url": "https://example.com/clip.mp4", "id": "1"}) is None


def test_medium_that_is_known_to_play_too_long_is_not_fetched() -> None:
    with pytest.raises(SourceTooLong):
        prepare({"ext": "mp4", "duration": 61.5}, max_duration_s=61)


@pytest.mark.parametrize(
    ("duration", "most"), [(61, 61), (10_000, 0), (None, 61), ("61 s", 61), (float("nan"), 61), (-70, 61)]
)
def test_medium_that_plays_long_enough_or_nobody_knows_how_long_is_fetched(duration: object, most: int) -> None:
    assert prepare({"ext": "mp4", "duration": duration}, max_duration_s=most)["ext"] == "mp4"
