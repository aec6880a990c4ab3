import dataclasses
import shutil
from pathlib import Path
from typing import Any

import pytest

from downloader.fetcher.space import Space
from reelhaul.errors import SourceTooLarge


@pytest.fixture
def room_bytes(tmp_path: Path) -> int:
    return shutil.disk_usage(tmp_path).total * 9 // 10


@dataclasses.dataclass
class _Stream:
    is_declined: bool


def coming(name: str, total_bytes: int | None) -> dict[str, Any]:
    return {"status": "downloading", "filename": name, "downloaded_bytes": 1, "total_bytes": total_bytes}


def test_file_that_does_not_fit_is_not_fetched(tmp_path: Path, room_bytes: int) -> None:
    space = Space(tmp_path, None, copies=1)
    space(coming("a", room_bytes - 1))
    with pytest.raises(SourceTooLarge):
        space(coming("a", room_bytes + 1))


def test_tracks_have_to_fit_together_and_beside_what_is_made_of_them(tmp_path: Path, room_bytes: int) -> None:
    space = Space(tmp_path, None, copies=2)
    space(coming("a", room_bytes // 3))
    with pytest.raises(SourceTooLarge):
        space(coming("b", room_bytes // 3))


def test_what_has_no_known_size_is_fetched(tmp_path: Path) -> None:
    Space(tmp_path, None, copies=2)(coming("a", None))


@pytest.mark.parametrize(("is_declined", "expected"), [(False, None), (True, SourceTooLarge)])
def test_what_is_streamed_or_may_be_needs_no_room(
    tmp_path: Path, room_bytes: int, *, is_declined: bool, expected: type[Exception] | None
) -> None:
    space = Space(tmp_path, _Stream(is_declined=is_declined), copies=1)
    if expected is None:
        space(coming("a", room_bytes * 5))
        return
    with pytest.raises(expected):
        space(coming("a", room_bytes * 5))
