"""What a muxer puts aside: read as it was written, or not at all."""

from pathlib import Path

import pytest

from downloader.fetcher import aside
from downloader.fetcher.aside import Aside
from downloader.fetcher.probe import Probe
from downloader.fetcher.samples import Malformed

_FOUND = Probe(demuxer="mov,mp4", video=("h264",), audio=("aac",), channels=(2,), lines=720, start_s=1.5)
_LEFT = Aside(
    found=_FOUND, starts_s=(1.5, 2.0), ends_s=(10.0, 12.0), has_ended=(False, True), heads=(b"one\n", b""),
    state=b"\0\n",
)  # fmt: skip


def test_next_one_reads_what_was_written(tmp_path: Path) -> None:
    assert _LEFT.write(tmp_path) == aside.NAME
    assert Aside.read(tmp_path) == _LEFT
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("spoiled", [b"", b"{}\n", b"[]\n", b'{"found": 1}\n', b"\xff\n", b'{"heads": [null]}\n'])
def test_what_was_not_put_aside_is_refused(tmp_path: Path, spoiled: bytes) -> None:
    (tmp_path / aside.NAME).write_bytes(spoiled)

    with pytest.raises(Malformed):
        Aside.read(tmp_path)


@pytest.mark.parametrize(
    ("starts_s", "delays_s"),
    [
        ({0: 11.5, 1: 14.25}, [0.0, 2.25]),  # ten seconds, and twelve and a quarter, after their beginnings
        ({0: 0.0, 1: 0.0}, [0.0, 2.0]),  # their clocks have begun anew: as much as has come
        ({1: 14.25}, [0.0]),
    ],
)
def test_tracks_begin_as_far_from_each_other_as_they_have_come(
    starts_s: dict[int, float], delays_s: list[float]
) -> None:
    assert _LEFT.delays_s(starts_s) == delays_s
