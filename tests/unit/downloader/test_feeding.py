"""A track that grows: what of it is passed on, where it can be cut, and what another one needs to go on there."""

import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from downloader.fetcher import bounds
from downloader.fetcher.bounds import InFragments, in_pieces
from downloader.fetcher.feeding import Track
from downloader.fetcher.fragments import Fragments
from downloader.fetcher.structure import Walk, boxes
from reelhaul.errors import SourceInterrupted, SourceTooSlow
from tests.unit.downloader.fragmented import FFMPEG, packets

_INPUT = ["-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=4"]
_MP4 = [
    "-c:v",
    "libx264",
    "-preset",
    "ultrafast",
    "-g",
    "25",
    "-movflags",
    "+frag_keyframe+empty_moov+default_base_moof",
]
_WEBM = ["-c:v", "libvpx", "-deadline", "realtime", "-g", "25", "-cluster_time_limit", "1000"]
_KINDS = {"mp4": _MP4, "webm": _WEBM}


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    directory = tmp_path_factory.mktemp("pieces")
    for extension, arguments in _KINDS.items():
        subprocess.run([FFMPEG, "-v", "error", *_INPUT, *arguments, f"whole.{extension}"], check=True, cwd=directory)
    return {extension: directory / f"whole.{extension}" for extension in _KINDS}


def fed(track: Track) -> bytes:
    return b"".join(track.blocks(threading.Event()))


@pytest.mark.parametrize("extension", _KINDS)
@pytest.mark.parametrize("come", [0.3, 0.5, 0.8])
def test_two_who_read_a_track_see_all_of_it(
    whole: dict[str, Path], tmp_path: Path, extension: str, come: float
) -> None:
    data = whole[extension].read_bytes()
    path = tmp_path / "part"
    path.write_bytes(data[: int(len(data) * come)])
    first = Track(path, ahead_bytes=0, bounds=lambda descriptor: in_pieces(descriptor, 0))
    seen, place = b"", None
    for block in first.blocks(threading.Event()):
        seen += block
        place = first.cut()
    assert place == len(seen)
    assert 0 < place <= len(data) * come
    with path.open("wb") as file:  # the next one's: a hole, and what it asks for
        file.seek(place)
        file.write(data[place:])
    second = Track(
        path, ahead_bytes=0, start=place, bounds=lambda descriptor: in_pieces(descriptor, place, head=first.head)
    )
    second.end()
    rest = fed(second)

    assert second.head == first.head
    made = [tmp_path / f"{name}.{extension}" for name in ("first", "second")]
    for one, content in zip(made, (seen, rest), strict=True):
        one.write_bytes(content)
    contents = [packet.content for one in made for packet in packets(one, "v")]
    assert contents == [packet.content for packet in packets(whole[extension], "v")]


@pytest.fixture
def growing(whole: dict[str, Path], tmp_path: Path) -> Iterator[tuple[Track, Path, bytes]]:
    data = whole["mp4"].read_bytes()
    path = tmp_path / "part"
    path.write_bytes(data[:200])
    track = Track(path, ahead_bytes=100, bounds=lambda descriptor: in_pieces(descriptor, 0))
    yield track, path, data
    track.close()


def test_part_of_a_fragment_is_waited_for(growing: tuple[Track, Path, bytes]) -> None:
    track, path, data = growing
    ends = _ends(data)
    path.write_bytes(data[: ends[1] - 1])
    blocks = track.blocks(threading.Event())
    assert next(blocks) == data[: ends[0]]
    assert track.read_bytes < len(data)
    path.write_bytes(data[: ends[1]])
    assert next(blocks) == data[ends[0] : ends[1]]


def test_track_that_grows_and_is_read_during_a_look_has_not_begun_anew(
    growing: tuple[Track, Path, bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    track, path, data = growing
    blocks, look, read = track.blocks(threading.Event()), os.fstat, []

    def look_meanwhile(descriptor: int) -> os.stat_result:
        seen = look(descriptor)
        monkeypatch.setattr(os, "fstat", look)
        path.write_bytes(data)
        read.append(next(blocks))
        return seen

    monkeypatch.setattr(os, "fstat", look_meanwhile)
    assert not track.is_too_far
    assert len(read[0]) > 200


def test_source_is_not_held_back_before_a_fragment_is_there(growing: tuple[Track, Path, bytes]) -> None:
    track, path, data = growing
    ends = _ends(data)
    path.write_bytes(data[: ends[1] - 1])
    blocks = track.blocks(threading.Event())
    assert next(blocks) == data[: ends[0]]
    assert not track.is_too_far
    path.write_bytes(data)
    assert track.is_too_far


def test_track_that_has_ended_is_read_to_its_end(growing: tuple[Track, Path, bytes]) -> None:
    track, path, data = growing
    path.write_bytes(data)
    track.end()
    assert fed(track) == data
    assert track.cut() is None


def test_track_that_begins_anew_is_no_track_any_more(growing: tuple[Track, Path, bytes]) -> None:
    track, path, data = growing
    path.write_bytes(data)
    blocks = track.blocks(threading.Event())
    next(blocks)
    os.truncate(path, 10)
    with pytest.raises(SourceInterrupted):
        list(blocks)


def test_track_that_begins_anew_is_seen_to_before_it_has_grown_beyond_what_was_read(
    growing: tuple[Track, Path, bytes],
) -> None:
    track, path, data = growing
    path.write_bytes(data)
    assert next(track.blocks(threading.Event()))
    path.write_bytes(b"anew")
    with pytest.raises(SourceInterrupted):
        _ = track.is_too_far


def test_one_large_piece_is_passed_on_as_it_comes_and_cannot_be_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bounds, "MAX_PIECE_BYTES", 50_000)
    subprocess.run(
        [FFMPEG, "-v", "error", *_INPUT, "-c:v", "mpeg4", "-movflags", "+faststart", "whole.mp4"],
        check=True,
        cwd=tmp_path,
    )
    data = (tmp_path / "whole.mp4").read_bytes()
    path = tmp_path / "part"
    path.write_bytes(data[: len(data) // 2])
    track = Track(path, ahead_bytes=0, bounds=lambda descriptor: in_pieces(descriptor, 0))

    assert data.startswith(next(track.blocks(threading.Event())))
    with pytest.raises(SourceTooSlow):
        track.cut()
    assert track.is_too_far  # its source is held back, however large the piece says that it is


@pytest.mark.parametrize("extension", _KINDS)
def test_index_that_is_too_large_to_go_along_is_passed_on_and_cannot_be_cut(
    whole: dict[str, Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, extension: str
) -> None:
    monkeypatch.setattr(bounds, "MAX_HEAD_BYTES", 60)
    path = tmp_path / "part"
    data = whole[extension].read_bytes()
    path.write_bytes(data[:-1000])
    track = Track(path, ahead_bytes=0, bounds=lambda descriptor: in_pieces(descriptor, 0))
    seen = 0
    for block in track.blocks(threading.Event()):
        seen += len(block)
        if seen == len(data) - 1000:
            with pytest.raises(SourceTooSlow):
                track.cut()
            path.write_bytes(data)
            track.end()
    assert seen == len(data)


def test_track_whose_end_nobody_has_told_yet_is_not_left_at_its_end(tmp_path: Path) -> None:
    fragments = Fragments()
    fragments.chosen(iter([{}, {}]), None, there_bytes=0)
    path = tmp_path / "part"
    path.write_bytes(b"")
    track = Track(path, ahead_bytes=0, bounds=lambda _: InFragments(fragments))
    for size in (10, 20):
        path.write_bytes(b"x" * size)
        fragments.appended(size)
    fragments.completed()

    assert track.cut() is None
    assert fed(track) == b"x" * 20


def test_source_that_begins_anew_while_it_is_read_is_interrupted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "part"
    path.write_bytes(b"1" * 1000)
    track = Track(path, ahead_bytes=0)
    read = os.pread

    def read_anew(descriptor: int, count: int, start: int) -> bytes:
        path.write_bytes(b"")
        data = read(descriptor, count, start)
        path.write_bytes(b"2" * 2000)  # as much as was there, before anybody looks again
        return data

    monkeypatch.setattr(os, "pread", read_anew)
    with pytest.raises(SourceInterrupted):
        next(track.blocks(threading.Event()))


def test_what_nobody_knows_to_cut_is_passed_on_as_it_comes(tmp_path: Path) -> None:
    path = tmp_path / "part"
    path.write_bytes(b"RIFF" * 100)
    track = Track(path, ahead_bytes=0, bounds=lambda descriptor: in_pieces(descriptor, 0))

    assert next(track.blocks(threading.Event())) == b"RIFF" * 100
    with pytest.raises(SourceTooSlow):
        track.cut()


def test_walk_goes_on_where_another_has_stopped(whole: dict[str, Path]) -> None:
    path = whole["mp4"]
    size = path.stat().st_size
    with path.open("rb") as file:
        starts = {start - 8 for _, start, _ in boxes(file, 0, size)} | {size}
        for come in range(1, size, 997):
            first = Walk()
            seen = first.advance(file, come)
            assert seen <= come
            assert first.next is not None
            assert first.next in starts
            second = Walk(first.next)
            assert second.advance(file, size) == size
            assert not second.is_cut_short(size)


def _ends(data: bytes) -> list[int]:
    """Where each fragment ends."""
    found, place = [], 0
    while place < len(data):
        place += int.from_bytes(data[place : place + 4], "big")
        if data[place + 4 : place + 8] in {b"moof", b"mfra", b""}:
            found.append(place)
    return found[1:]
