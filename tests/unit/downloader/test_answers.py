"""A fetcher may have been taken over by what it read: what it says has to be an answer to what it was asked."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from downloader.answers import MAX_FORMATS, Answer, FetchRequest, Resume
from downloader.content_types import MAX_EXTRA_BYTES
from downloader.events import Direct, Paused, Source
from downloader.fetch import Entry, Fetched, FoundPlaylist, Inspection
from downloader.plausible import Implausible
from reelhaul.errors import WorkerCrashed
from reelhaul.options import Options
from tests.unit.downloader.test_events import FINISHED, FORMAT, INSPECTED

URL = "https://example.com/list"
END = {"event": "playlist", "title": "A list", "truncated": False}
SUBTITLES = {"kind": "subtitles", "extension": "vtt", "content_type": "text/vtt"}


def entry(number: int, url: str | None = None) -> dict[str, Any]:
    return {"event": "entry", "number": number, "title": f"No. {number}", "url": url}


def answer(directory: Path, *said: dict[str, Any], options: Options | None = None, **asked: Any) -> Answer:
    request = FetchRequest(url=URL, options=options or Options(playlist_limit=3), max_bytes=1, **asked)
    heard = Answer(request, directory)
    for fields in said:
        heard.take(json.dumps(fields).encode())
    return heard


def finished(directory: Path, **changes: Any) -> dict[str, Any]:
    return {**FINISHED, "path": str(directory / "media.mp4"), **changes}


def test_entries_become_a_playlist_whatever_numbers_are_left_out(tmp_path: Path) -> None:
    heard = answer(tmp_path, entry(1, "https://example.com/1"), entry(3), END)
    assert heard.ends_well
    assert heard.outcome() == FoundPlaylist(
        title="A list",
        entries=(Entry(url="https://example.com/1", title="No. 1"), Entry(url=URL, title="No. 3", entry=3)),
        truncated=False,
    )


def test_nothing_has_come_of_it_without_a_last_word(tmp_path: Path) -> None:
    heard = answer(tmp_path, entry(1))
    assert not heard.ends_well
    assert heard.outcome() is None


def test_look_has_its_formats(tmp_path: Path) -> None:
    found = answer(tmp_path, FORMAT, FORMAT, INSPECTED, inspect=True).outcome()
    assert isinstance(found, Inspection)
    assert (found.url, len(found.formats), found.entries) == (URL, 2, ())


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        ([entry(0)], {}),
        ([entry(4)], {}),
        ([entry(2), entry(2)], {}),
        ([entry(2), entry(1)], {}),
        ([entry(1)], {"is_item": True}),
        ([entry(1)], {"entry": 1}),
        ([entry(1)], {"options": Options(playlist="false")}),
        ([END], {}),
        ([entry(1), END], {"inspect": True}),
        ([FORMAT], {}),
        ([FORMAT] * (MAX_FORMATS + 1), {"inspect": True}),
        ([INSPECTED], {}),
        ([entry(1), INSPECTED], {"inspect": True}),
        ([{**INSPECTED, "is_playlist": True, "count": 0}], {"inspect": True}),
    ],
)
def test_what_was_not_asked_for_is_implausible(
    tmp_path: Path, said: list[dict[str, Any]], asked: dict[str, Any]
) -> None:
    with pytest.raises(Implausible):
        answer(tmp_path, *said, **asked)


def test_file_is_no_answer_to_a_look_or_after_a_list(tmp_path: Path) -> None:
    with pytest.raises(Implausible):
        answer(tmp_path, finished(tmp_path), inspect=True)
    with pytest.raises(Implausible):
        answer(tmp_path, entry(1), finished(tmp_path))


def test_subtitles_are_in_languages_that_were_asked_for(tmp_path: Path) -> None:
    (tmp_path / "media.mp4").touch()
    (tmp_path / "en.vtt").touch()
    extra = {**SUBTITLES, "path": str(tmp_path / "en.vtt"), "language": "en"}
    found = answer(tmp_path, finished(tmp_path, extras=[extra]), options=Options(subtitles=("en", "de"))).outcome()
    assert isinstance(found, Fetched)
    assert [one.language for one in found.extras] == ["en"]
    with pytest.raises(Implausible):
        answer(tmp_path, finished(tmp_path, extras=[extra]), options=Options(subtitles=("de",)))


def test_extra_is_small(tmp_path: Path) -> None:
    (tmp_path / "media.mp4").touch()
    (tmp_path / "en.vtt").touch()
    extra = {**SUBTITLES, "path": str(tmp_path / "en.vtt"), "language": "en"}
    heard = answer(tmp_path, finished(tmp_path, extras=[extra]), options=Options(subtitles=("en",)))
    os.truncate(tmp_path / "en.vtt", MAX_EXTRA_BYTES["subtitles"] + 1)
    with pytest.raises(WorkerCrashed):
        heard.outcome()


@pytest.mark.parametrize("what", ["nothing", "a directory", "a link"])
def test_file_has_to_be_one(tmp_path: Path, what: str) -> None:
    if what == "a directory":
        (tmp_path / "media.mp4").mkdir()
    if what == "a link":
        (tmp_path / "media.mp4").symlink_to("/etc/passwd")
    heard = answer(tmp_path, finished(tmp_path))
    with pytest.raises(WorkerCrashed):
        heard.outcome()


def growing(directory: Path, **changes: Any) -> dict[str, Any]:
    return {**FINISHED, "event": "growing", "path": str(directory / "media.mp4.part"), **changes}


def grown(count: Any) -> dict[str, Any]:
    return {"event": "grown", "bytes": count}


def test_file_grows_and_is_finished_under_another_name(tmp_path: Path) -> None:
    (tmp_path / "media.mp4").write_bytes(b"media")
    heard = answer(tmp_path, growing(tmp_path), grown(0), grown(3), grown(3), finished(tmp_path))
    assert isinstance(heard.outcome(), Fetched)


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        (lambda _: [grown(1)], {}),
        (lambda directory: [growing(directory), grown(2), grown(1)], {}),
        (lambda directory: [growing(directory), grown(-1)], {}),
        (lambda directory: [growing(directory), grown(None)], {}),
        (lambda directory: [growing(directory), growing(directory)], {}),
        (lambda directory: [growing(directory)], {"inspect": True}),
        (lambda directory: [entry(1), growing(directory)], {}),
        (lambda directory: [growing(directory, path="/etc/passwd")], {}),
        (lambda directory: [growing(directory, extension="exe")], {}),
        (lambda directory: [growing(directory, title="Another"), finished(directory)], {}),
    ],
)
def test_growth_that_makes_no_sense_is_not_believed(tmp_path: Path, said: Any, asked: dict[str, Any]) -> None:
    (tmp_path / "media.mp4").write_bytes(b"media")
    with pytest.raises(Implausible):
        answer(tmp_path, *said(tmp_path), **asked)


TRACK: dict[str, Any] = {
    "format_id": "137", "total_bytes": 100, "etag": '"one"', "last_modified": None, "place": 40, "next_box": None,
    "fragments": None, "digest": None,
}  # fmt: skip
FRAGMENTS = {**TRACK, "total_bytes": None, "etag": None, "place": 3, "fragments": 7, "digest": "ab" * 32}
RESUME = Resume(name="begun-0", bytes=3, title="A title", extension="mp4", tracks=(Source(**TRACK),))


def paused(count: Any, *tracks: Any, files: Any = ()) -> dict[str, Any]:
    return {"event": "paused", "bytes": count, "tracks": [*(tracks or [TRACK])], "files": [*files]}


def test_pause_of_what_grows(tmp_path: Path) -> None:
    heard = answer(tmp_path, growing(tmp_path), grown(3), paused(5), pauses=True)
    assert heard.outcome() == Paused(5, (Source(**TRACK),))
    assert heard.ends_well


def test_pause_of_what_lies_in_files(tmp_path: Path) -> None:
    heard = answer(tmp_path, paused(0, TRACK, FRAGMENTS, files=["track-0", "track-1.part"]), pauses=True)
    said = heard.outcome()
    assert isinstance(said, Paused)
    assert said == Paused(0, (Source(**TRACK), Source(**FRAGMENTS)), ("track-0", "track-1.part"))
    assert said.place == 43


def test_pause_of_the_file_at_the_address_itself(tmp_path: Path) -> None:
    said = {**paused(0), "direct": {"title": "A\u202etitle", "extension": "mp4"}}
    outcome = answer(tmp_path, said, pauses=True).outcome()
    assert isinstance(outcome, Paused)
    assert outcome.direct == Direct(title="A title", extension="mp4")


def test_live_list_has_no_length(tmp_path: Path) -> None:
    live = {**FRAGMENTS, "place": 5000, "fragments": 0}
    assert isinstance(answer(tmp_path, paused(0, live), pauses=True).outcome(), Paused)


@pytest.mark.parametrize(
    ("said", "asked"),
    [
        (lambda _: [paused(0)], {"pauses": False}),
        (lambda _: [paused(1)], {}),  # of nothing that grows
        (lambda directory: [growing(directory), grown(3), paused(2)], {}),
        (lambda _: [paused(0)], {"resume": RESUME}),  # what was begun with is gone
        (lambda _: [entry(1), paused(0)], {}),
        (lambda _: [paused(None)], {}),
        (lambda _: [paused(0, TRACK, TRACK, TRACK)], {}),
        (lambda _: [{**paused(0), "tracks": []}], {}),
        (lambda _: [{**paused(0), "tracks": "all"}], {}),
        (lambda _: [paused(0, "a track")], {}),
        (lambda _: [paused(0, {**TRACK, "place": 101})], {}),
        (lambda _: [paused(0, {**TRACK, "place": -1})], {}),
        (lambda _: [paused(0, {**TRACK, "place": None})], {}),
        (lambda _: [paused(0, {**TRACK, "etag": "x" * 301})], {}),
        (lambda _: [paused(0, {**TRACK, "format_id": None})], {}),
        (lambda _: [paused(0, {**FRAGMENTS, "place": 8})], {}),
        (lambda _: [paused(0, {**FRAGMENTS, "digest": "xy"})], {}),
        (lambda _: [paused(0, {**FRAGMENTS, "digest": "ab" * 33})], {}),
        (lambda _: [paused(0, files=["../secret"])], {}),
        (lambda _: [paused(0, files=["/etc/passwd"])], {}),
        (lambda _: [paused(0, files=["a", "a"])], {}),
        (lambda _: [paused(0, files=[f"{number}" for number in range(9)])], {}),
        (lambda _: [paused(0, files=[None])], {}),
        (lambda _: [{**paused(0), "files": "all"}], {}),
        (lambda _: [{**paused(0), "direct": True}], {}),
        (lambda _: [{**paused(0), "direct": {"title": "A title"}}], {}),
        (lambda _: [{**paused(0), "direct": {"title": None, "extension": "mp4"}}], {}),
        (lambda _: [{**paused(0), "direct": {"title": "A title", "extension": "../mp4"}}], {}),
    ],
)
def test_pause_that_makes_no_sense_is_not_believed(tmp_path: Path, said: Any, asked: dict[str, Any]) -> None:
    with pytest.raises(Implausible):
        answer(tmp_path, *said(tmp_path), **({"pauses": True} | asked))
