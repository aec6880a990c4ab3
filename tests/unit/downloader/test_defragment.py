"""An mp4 made by several, one after the other: as if one had made it."""

import itertools
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from downloader.fetcher.defragment import Defragmenter, Malformed
from reelhaul.errors import SourceChanged
from tests.unit.downloader.fragmented import COPIED, FFMPEG, Made, assert_same_packets, packets, plays

_INPUT = [
    "-f", "lavfi", "-i", "testsrc2=size=160x90:rate=25:duration=12",
    "-f", "lavfi", "-i", "sine=frequency=440:duration=12",
]  # fmt: skip
_PICTURE = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p", "-g", "25"]
_SOUND = ["-c:a", "aac", "-b:a", "64k", "-ar", "44100"]
_HLS = ["-f", "hls", "-hls_time", "1", "-hls_playlist_type", "vod"]


def made(directory: Path, *arguments: str, inputs: Sequence[str] = _INPUT) -> None:
    subprocess.run([FFMPEG, "-v", "error", *inputs, *arguments], check=True, cwd=directory)


@pytest.fixture(scope="module")
def segments(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    directory = tmp_path_factory.mktemp("ts")
    made(directory, *_PICTURE, *_SOUND, *_HLS, "list.m3u8")
    return [(directory / f"list{number}.ts").read_bytes() for number in range(12)]


@pytest.fixture(scope="module")
def fragments(tmp_path_factory: pytest.TempPathFactory) -> list[bytes]:
    """The first is the beginning of every one of the others."""
    directory = tmp_path_factory.mktemp("fmp4")
    made(directory, *_PICTURE, *_SOUND, *_HLS, "-hls_segment_type", "fmp4", "list.m3u8")
    return [(directory / "init.mp4").read_bytes()] + [
        (directory / f"list{number}.m4s").read_bytes() for number in range(12)
    ]


def joined(
    path: Path, parts: list[bytes], cuts: Sequence[int], *, head: bytes = b"", arguments: tuple[str, ...] = COPIED,
    is_sound_whole: bool = True,
) -> Made:  # fmt: skip
    """An mp4 made of `parts` by so many and one, who begin at `cuts`."""
    making = Made(path, arguments=arguments, is_sound_whole=is_sound_whole)
    bounds = [0, *cuts, len(parts)]
    for start, end in itertools.pairwise(bounds):
        making.add(head + b"".join(parts[start:end]), is_last=end == len(parts))
    return making


@pytest.mark.parametrize("cuts", [[6], [1, 2, 3], [2, 5, 9, 11]])
def test_segments_of_a_transport_stream_follow_each_other(
    segments: list[bytes], tmp_path: Path, cuts: list[int]
) -> None:
    single = joined(tmp_path / "single.mp4", segments, [])
    seamed = joined(tmp_path / "seamed.mp4", segments, cuts)

    assert_same_packets(seamed.path, single.path)
    assert seamed.duration_s == pytest.approx(single.duration_s, abs=0.003)


@pytest.mark.parametrize("cuts", [[6], [1, 2, 3], [2, 5, 9, 11]])
def test_fragments_of_an_mp4_follow_each_other(fragments: list[bytes], tmp_path: Path, cuts: list[int]) -> None:
    head, *parts = fragments
    single = joined(tmp_path / "single.mp4", parts, [], head=head)
    seamed = joined(tmp_path / "seamed.mp4", parts, cuts, head=head)

    assert_same_packets(seamed.path, single.path)
    assert seamed.duration_s == pytest.approx(single.duration_s, abs=0.003)


def test_ten_seams_do_not_add_up(segments: list[bytes], tmp_path: Path) -> None:
    single = joined(tmp_path / "single.mp4", segments, [])
    seamed = joined(tmp_path / "seamed.mp4", segments, range(1, 12))

    assert_same_packets(seamed.path, single.path)


def test_encoded_sound_stays_with_the_picture(segments: list[bytes], tmp_path: Path) -> None:
    arguments = ("-c:v", "copy", "-c:a", "aac", "-b:a", "64k")
    single = joined(tmp_path / "single.mp4", segments, [], arguments=arguments, is_sound_whole=False)
    seamed = joined(tmp_path / "seamed.mp4", segments, [2, 4, 6, 8, 10], arguments=arguments, is_sound_whole=False)

    assert [one.content for one in packets(seamed.path, "v")] == [one.content for one in packets(single.path, "v")]
    assert plays(seamed.path)
    ours, theirs = packets(seamed.path, "a"), packets(single.path, "a")
    assert len(ours) == pytest.approx(len(theirs), abs=5)
    assert ours[-1].pts_s == pytest.approx(theirs[-1].pts_s, abs=0.03)
    assert all(0 < now.dts_s - before.dts_s < 0.05 for before, now in itertools.pairwise(ours))


def test_nothing_more_may_come_behind_a_pause(segments: list[bytes], tmp_path: Path) -> None:
    single = joined(tmp_path / "single.mp4", segments[:4], [])
    making = Made(tmp_path / "seamed.mp4")
    making.add(b"".join(segments[:4]), is_last=False)
    with making.path.open("ab") as file:
        last = Defragmenter((tmp_path / "empty").open("w+b"), file.write, extension="mp4", state=making.state)
        last.run()

    assert making.path.read_bytes() == single.path.read_bytes()


def test_other_media_are_not_joined(segments: list[bytes], tmp_path: Path) -> None:
    made(tmp_path, *_PICTURE, "-s", "320x180", *_SOUND, "-f", "mpegts", "other.ts")
    making = Made(tmp_path / "seamed.mp4")
    making.add(segments[0], is_last=False)

    with pytest.raises(SourceChanged):
        making.add((tmp_path / "other.ts").read_bytes(), is_last=True)


def test_sound_that_was_not_there_before_is_not_joined(segments: list[bytes], tmp_path: Path) -> None:
    making = Made(tmp_path / "seamed.mp4", arguments=("-map", "0:v", "-c", "copy"))
    making.add(segments[0], is_last=False)
    both = Made(tmp_path / "seamed.mp4")
    both.state = making.state

    with pytest.raises(SourceChanged):
        both.add(segments[1], is_last=True)


def test_sound_that_has_ended_leaves_the_picture_going_on(segments: list[bytes], tmp_path: Path) -> None:
    making = Made(tmp_path / "seamed.mp4")
    making.add(b"".join(segments[:6]), is_last=False)
    rest = Made(making.path, arguments=("-map", "0:v", "-c", "copy"))
    rest.state = making.state
    rest.add(b"".join(segments[6:]), is_last=True)

    single = joined(tmp_path / "single.mp4", segments, [])
    assert [one.content for one in packets(making.path, "v")] == [one.content for one in packets(single.path, "v")]
    assert packets(making.path, "a")[-1].pts_s == pytest.approx(6, abs=0.1)
    assert plays(making.path)


@pytest.mark.parametrize(
    "spoil", [lambda state: state[:-1], lambda state: state[:50], lambda _: b"", lambda state: b"x" + state]
)
def test_damaged_state_is_refused(segments: list[bytes], tmp_path: Path, spoil: object) -> None:
    making = Made(tmp_path / "seamed.mp4")
    making.add(segments[0], is_last=False)
    assert making.state is not None
    assert callable(spoil)

    with (tmp_path / "empty").open("w+b") as source, pytest.raises(Malformed):
        Defragmenter(source, lambda _: None, extension="mp4", state=spoil(making.state))


def test_nothing_at_all_is_no_medium(tmp_path: Path) -> None:
    with (tmp_path / "empty").open("w+b") as source:
        making = Defragmenter(source, lambda _: None, extension="mp4")
        with pytest.raises(Malformed):
            making.run()
        with pytest.raises(Malformed):
            making.put_aside()
