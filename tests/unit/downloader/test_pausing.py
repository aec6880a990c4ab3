"""The end of an invocation, as the fetcher sees it coming."""

import io
import time
from pathlib import Path
from typing import Any

import pytest
from yt_dlp.networking import Request as WebRequest
from yt_dlp.networking import Response
from yt_dlp.networking.exceptions import HTTPError

from downloader.answers import Resume
from downloader.events import Source
from downloader.fetcher import carrying as module
from downloader.fetcher import timing
from downloader.fetcher.carrying import Carrying
from downloader.fetcher.marks import Watch, Watches
from downloader.fetcher.pausing import same_again
from downloader.fetcher.request import Request
from downloader.fetcher.timing import TimeUp
from downloader.kernel import Support
from reelhaul.errors import SourceChanged, SourceTooSlow
from reelhaul.options import Options

URL = "https://media.example/a.mp4"


def source(**changes: Any) -> Source:
    known: dict[str, Any] = {"format_id": "0", "total_bytes": 10, "etag": '"one"', "last_modified": None, "place": 4}
    return Source(**known | changes)


def request(directory: Path, *tracks: Source, files: tuple[str, ...] = ()) -> Request:
    resume = Resume(name=None, bytes=0, title=None, extension=None, tracks=tracks, files=files) if tracks else None
    return Request(
        url=URL, options=Options(), is_item=False, entry=None, inspect=False, seconds=60, proxy="http://x",
        directory=directory, max_bytes=1000, max_memory_bytes=1, kernel=Support(landlock=False, seccomp=False),
        pauses=True, resume=resume,
    )  # fmt: skip


def one(format_id: str, **fields: Any) -> dict[str, Any]:
    return {"format_id": format_id, "url": URL, "ext": "mp4", "protocol": "https", **fields}


def test_time_is_up_when_it_is_said_to_be() -> None:
    asked: list[float] = []

    def is_over() -> bool:
        asked.append(time.monotonic())
        return len(asked) == 3

    with pytest.raises(TimeUp), timing.until(is_over):
        time.sleep(60)
    assert len(asked) == 3


def test_nobody_asks_for_the_time_afterwards() -> None:
    asked: list[bool] = []

    def is_over() -> bool:
        asked.append(True)
        return False

    with timing.until(is_over):
        time.sleep(0.01)
    known = len(asked)
    time.sleep(0.6)
    assert len(asked) == known


def test_what_has_a_limit_of_its_own_is_not_cut_short_and_the_time_goes_on() -> None:
    asked: list[float] = []
    is_asked_within: list[bool] = []

    def is_over() -> bool:
        asked.append(time.monotonic())
        return bool(is_asked_within)

    def work() -> None:
        with timing.until(is_over):
            with timing.at_most(60):
                before = len(asked)
                time.sleep(0.6)
                is_asked_within.append(len(asked) > before)
            time.sleep(60)

    with pytest.raises(TimeUp):
        work()
    assert is_asked_within == [False]


def test_formats_are_those_that_were_begun_with(tmp_path: Path) -> None:
    formats = [one("a"), one("b"), one("c")]
    info = {"title": "x", "formats": formats, "requested_formats": [formats[2], formats[1]]}
    again = same_again(info, request(tmp_path, source(format_id="a"), source(format_id="b")))
    assert [each["format_id"] for each in again["requested_formats"]] == ["a", "b"]
    alone = same_again(info, request(tmp_path, source(format_id="a")))
    assert (alone["format_id"], "requested_formats" in alone) == ("a", False)
    with pytest.raises(SourceChanged):
        same_again(info, request(tmp_path, source(format_id="a"), source(format_id="gone")))


class Ydl:
    """Names files as yt-dlp does."""

    def __init__(self, directory: Path) -> None:
        self._directory = directory

    def prepare_filename(self, info: dict[str, Any]) -> str:
        return str(self._directory / f"media.{info['ext']}")


def test_tracks_come_back_under_the_names_that_they_had(tmp_path: Path) -> None:
    formats = [one("a"), one("b", ext="webm")]
    info = {**one("a+b", ext="mkv"), "requested_formats": formats}
    first = Carrying(Ydl(tmp_path), info, request(tmp_path))
    (tmp_path / "media.fa.mp4").write_bytes(b"0123456789")
    (tmp_path / "media.fb.webm.part").write_bytes(b"0123")
    for track in first.tracks:
        assert track.watch is not None
        track.watch.open(lambda _: reply(200, **{"Content-Length": "10", "ETag": '"one"'}), WebRequest(URL))

    said = first.paused()

    assert [(track["place"], track["total_bytes"]) for track in said["tracks"]] == [(10, 10), (4, 10)]
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(said["files"])
    tracks = [Source(**track) for track in said["tracks"]]
    again = Carrying(Ydl(tmp_path), info, request(tmp_path, *tracks))
    again.lay_out(tuple(said["files"]))
    assert (tmp_path / "media.fa.mp4").read_bytes() == b"0123456789"
    assert (tmp_path / "media.fb.webm.part").read_bytes() == b"0123"
    assert not again.is_complete


def test_what_is_still_in_a_buffer_does_not_get_into_the_file(tmp_path: Path) -> None:
    carrying = Carrying(Ydl(tmp_path), one("a"), request(tmp_path))
    (track,) = carrying.tracks
    assert track.watch is not None
    track.watch.open(lambda _: reply(200, **{"Content-Length": "10"}), WebRequest(URL))
    with (tmp_path / "media.mp4.part").open("wb") as file:
        file.write(b"0123")
        file.flush()
        file.write(b"45")
        (place,) = (each["place"] for each in carrying.paused()["tracks"])
    assert (place, (tmp_path / "track-0.part").read_bytes()) == (4, b"0123")


def recorded(directory: Path) -> Carrying:
    """Of a live stream's track one fragment is there."""
    carrying = Carrying(Ydl(directory), one("a", protocol="http_dash_segments_generator"), request(directory))
    (track,) = carrying.tracks
    assert track.fragments is not None
    track.part.write_bytes(b"a" * 100)
    track.fragments.appended(100)
    return carrying


def test_fragment_that_is_appended_during_the_look_is_for_the_next(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    carrying = recorded(tmp_path)
    (track,) = carrying.tracks
    track.part.write_bytes(b"a" * 100 + b"b" * 40)

    def look_meanwhile(path: Path) -> int:
        seen = path.stat().st_size if path.exists() else 0
        if path == track.part and track.fragments is not None:
            path.write_bytes(b"a" * 100 + b"b" * 100)
            track.fragments.appended(200)
        return seen

    monkeypatch.setattr(module, "_size", look_meanwhile)

    (said,) = carrying.paused()["tracks"]

    assert (said["place"], (tmp_path / "track-0.part").read_bytes()) == (1, b"a" * 100)


def test_track_that_is_completed_during_the_look_goes_along(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    carrying = recorded(tmp_path)
    (track,) = carrying.tracks

    def look_meanwhile(path: Path) -> int:
        seen = path.stat().st_size if path.exists() else 0
        if path == track.part and path.exists() and track.fragments is not None:
            path.write_bytes(b"a" * 100 + b"b" * 100)
            track.fragments.appended(200)
            path.rename(track.path)
        return seen

    monkeypatch.setattr(module, "_size", look_meanwhile)

    said = carrying.paused()

    assert (said["tracks"][0]["place"], said["files"]) == (2, ["track-0"])
    assert (tmp_path / "track-0").read_bytes() == b"a" * 100 + b"b" * 100


def test_file_without_a_length_cannot_be_gone_on_with(tmp_path: Path) -> None:
    carrying = Carrying(Ydl(tmp_path), one("a"), request(tmp_path))
    (tmp_path / "media.mp4.part").write_bytes(b"0123")
    with pytest.raises(SourceTooSlow):
        carrying.paused()


def test_track_without_a_length_counts_once_it_is_merged(tmp_path: Path) -> None:
    """Else the worker that has fetched it would seem to have come no further than the one before."""
    formats = [one("a"), one("b", ext="m4a")]
    info = {**one("a+b", ext="mkv"), "requested_formats": formats}
    known = source(format_id="a", place=10), source(format_id="b", place=0, total_bytes=None, etag=None)
    carrying = Carrying(Ydl(tmp_path), info, request(tmp_path, *known, files=("track-0",)))
    (tmp_path / "track-0").write_bytes(b"0123456789")
    carrying.lay_out(("track-0",))
    (tmp_path / "media.fa.mp4").unlink()
    (tmp_path / "media.mkv").write_bytes(b"0123456789 and the sound")
    carrying.whole = tmp_path / "media.mkv"

    said = carrying.paused()

    assert said["files"] == ["whole"]
    assert sum(track["place"] for track in said["tracks"]) > sum(track.place for track in known)


def test_medium_that_comes_otherwise_than_before_has_changed(tmp_path: Path) -> None:
    with pytest.raises(SourceChanged):
        Carrying(Ydl(tmp_path), one("0", protocol="m3u8_native"), request(tmp_path, source()))
    with pytest.raises(SourceChanged):
        Carrying(Ydl(tmp_path), one("0"), request(tmp_path, source(), source()))


def reply(status: int, **headers: str) -> Response:
    return Response(io.BytesIO(b""), URL, headers, status)


def ranged(start: int) -> WebRequest:
    return WebRequest(URL, headers={"Range": f"bytes={start}-"})


def test_416_at_the_end_means_that_all_is_there() -> None:
    def refuse(_: Any) -> None:
        raise HTTPError(reply(416, **{"Content-Range": "bytes */10"}))

    with pytest.raises(HTTPError):  # which yt-dlp takes for that
        Watch(URL, source(place=10)).open(refuse, ranged(10))


@pytest.mark.parametrize("total", ["bytes */9", "bytes */11", ""])
def test_416_of_a_file_with_another_length_means_that_it_has_changed(total: str) -> None:
    def refuse(_: Any) -> None:
        raise HTTPError(reply(416, **({"Content-Range": total} if total else {})))

    with pytest.raises(SourceChanged):
        Watch(URL, source(place=10)).open(refuse, ranged(10))


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Range": "bytes 4-9/10", "ETag": '"two"'},
        {"Content-Range": "bytes 4-10/11", "ETag": '"one"'},
        {"Content-Range": "bytes 5-9/10", "ETag": '"one"'},
    ],
)
def test_part_of_another_file_is_not_joined(headers: dict[str, str]) -> None:
    with pytest.raises(SourceChanged):
        Watch(URL, source()).open(lambda _: reply(206, **headers), ranged(4))


def test_416_of_a_file_that_is_as_long_as_what_came_means_that_it_has_changed() -> None:
    def refuse(_: Any) -> None:
        raise HTTPError(reply(416, **{"Content-Range": "bytes */4"}))

    with pytest.raises(SourceChanged):
        Watch(URL, source(total_bytes=10, place=4)).open(refuse, ranged(4))


@pytest.mark.parametrize("headers", [{}, {"Content-Range": "bytes=4-9/10"}, {"Content-Range": "bytes 4-/10"}])
@pytest.mark.parametrize("is_resumed", [True, False])
def test_part_that_does_not_say_of_what_is_neither_joined_nor_all_there_is(
    headers: dict[str, str], *, is_resumed: bool
) -> None:
    watch = begun(is_resumed=is_resumed)
    with pytest.raises(SourceChanged):
        watch.open(lambda _: reply(206, **{"Content-Length": "6", **headers}), ranged(4))


def test_first_of_several_parts_that_does_not_say_of_what_is_not_all_there_is() -> None:
    with pytest.raises(SourceChanged):
        Watch(URL, None).open(
            lambda _: reply(206, **{"Content-Length": "6"}), WebRequest(URL, headers={"Range": "bytes=0-5"})
        )


@pytest.mark.parametrize("changed", [{"ETag": '"two"'}, {"Content-Length": "11"}])
def test_another_file_instead_of_the_rest_is_not_begun_with(changed: dict[str, str]) -> None:
    watch = begun(is_resumed=False)
    with pytest.raises(SourceChanged):
        watch.open(lambda _: reply(200, **{"Content-Length": "10", "ETag": '"one"', **changed}), ranged(4))


def test_same_file_from_its_beginning_instead_of_the_rest_is_begun_with_again() -> None:
    watch = begun(is_resumed=False)
    watch.open(lambda _: reply(200, **{"Content-Length": "10", "ETag": '"one"'}), ranged(4))
    assert watch.marks is not None
    assert watch.marks.total_bytes == 10


def begun(*, is_resumed: bool) -> Watch:
    """Knows the file, by an earlier fetcher or by a first reply."""
    if is_resumed:
        return Watch(URL, source())
    watch = Watch(URL, None)
    watch.open(lambda _: reply(200, **{"Content-Length": "10", "ETag": '"one"'}), WebRequest(URL))
    return watch


def test_each_of_several_files_is_looked_at_by_itself() -> None:
    other = "https://media.example/b.m4a"
    mine, its = Watch(URL, source()), Watch(other, source(etag='"its"'))
    both = Watches([mine, its])
    both.open(lambda _: reply(206, **{"Content-Range": "bytes 4-9/10", "ETag": '"one"'}), ranged(4))
    both.open(lambda _: reply(200), WebRequest("https://media.example/else"))
    with pytest.raises(SourceChanged):
        both.open(
            lambda _: reply(206, **{"Content-Range": "bytes 4-9/10", "ETag": '"one"'}),
            WebRequest(other, headers={"Range": "bytes=4-"}),
        )
