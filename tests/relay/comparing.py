"""Whether two files are the same to whoever plays them."""

from pathlib import Path

import pytest

from downloader.fetcher import structure
from tests.media import probed
from tests.unit.downloader.fragmented import CLOSE_S, assert_same_packets


def assert_same(seamed: Path, single: Path) -> None:
    """The same packets at the same times, but for a frame of sound; and an index of all of them."""
    assert_same_packets(seamed, single, times=("pts_s",))
    assert probed(seamed)["duration_s"] == pytest.approx(probed(single)["duration_s"], abs=CLOSE_S)
    assert not structure.is_fragmented(seamed)
    assert not structure.is_cut_short(seamed)
