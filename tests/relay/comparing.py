"""Whether two files are the same to whoever plays them."""

import itertools
from pathlib import Path

import pytest

from downloader.fetcher import structure
from tests.media import probed
from tests.unit.downloader.fragmented import packets, plays

_CLOSE_S = 0.025


def assert_same(seamed: Path, single: Path) -> None:
    """The same packets at the same times, but for a frame of sound; and an index of all of them."""
    for track in ("v", "a"):
        ours, theirs = packets(seamed, track), packets(single, track)
        assert [one.content for one in ours] == [one.content for one in theirs]
        assert all(now.dts_s > before.dts_s for before, now in itertools.pairwise(ours))
        for mine, its in zip(ours, theirs, strict=True):
            assert mine.pts_s == pytest.approx(its.pts_s, abs=_CLOSE_S)
    assert probed(seamed)["duration_s"] == pytest.approx(probed(single)["duration_s"], abs=_CLOSE_S)
    assert plays(seamed)
    assert not structure.is_fragmented(seamed)
    assert not structure.is_cut_short(seamed)
