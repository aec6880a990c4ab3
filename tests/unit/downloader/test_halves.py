"""One of two tracks, looked at while a thread fetches it: by the real ffprobe, behind its wrapper."""

import threading
import time
from pathlib import Path
from typing import Any

import pytest

from downloader.fetcher import structure
from downloader.fetcher.halves import Half, errors_of
from downloader.fetcher.request import Request
from downloader.kernel import Support
from reelhaul.errors import SourceUnavailable
from reelhaul.options import Options

pytestmark = pytest.mark.usefixtures("programs_known")

_WAIT_S = 60.0


class Ydl:
    """Fetches the `content`, and does not come to its end before it `goes_on`: with an `error`, or with the file."""

    def __init__(self, content: bytes, error: Exception | None = None) -> None:
        self.goes_on, self.has_come = threading.Event(), threading.Event()
        self._content, self._error = content, error

    def dl(self, name: str, _: dict[str, Any]) -> tuple[bool, bool]:
        part = Path(f"{name}.part")
        part.write_bytes(self._content)
        self.has_come.set()
        assert self.goes_on.wait(_WAIT_S)
        if self._error is not None:
            raise self._error
        part.rename(name)
        return True, True


def half_of(ydl: Ydl, directory: Path) -> Half:
    one = {"format_id": "v", "vcodec": "avc1", "protocol": "https", "ext": "mp4", "url": "https://media.example/v"}
    request = Request(
        url="https://media.example/", options=Options(), is_item=False, entry=None, inspect=False, seconds=60.0,
        proxy="", directory=directory, max_bytes=0, max_memory_bytes=0, kernel=Support(seccomp=False, landlock=False),
    )  # fmt: skip
    return Half(ydl, {}, one, request, 0, before=None, head=b"")


def ended(half: Half) -> None:
    until = time.monotonic() + _WAIT_S
    while half.is_running and time.monotonic() < until:
        time.sleep(0.01)
    assert not half.is_running


def test_track_that_is_completed_and_renamed_during_a_look_is_looked_at_again(
    media: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    ydl = Ydl((media / "clip.mp4").read_bytes() + bytes(300_000))
    half, is_fragmented = half_of(ydl, tmp_path), structure.is_fragmented
    looks: list[str] = []

    def renamed_before(path: Path) -> bool:
        looks.append(path.name)
        ydl.goes_on.set()
        ended(half)
        return is_fragmented(path)

    monkeypatch.setattr(structure, "is_fragmented", renamed_before)
    half.start()
    assert half.look(lambda: None).video == ("h264",)
    assert looks == ["track-0.mp4.part", "track-0.mp4"]
    assert half.is_whole


def test_what_fails_just_before_it_is_looked_at_has_its_own_error(tmp_path: Path) -> None:
    ydl = Ydl(b"<html>", SourceUnavailable())
    half = half_of(ydl, tmp_path)

    def check() -> None:
        errors_of([half])
        ydl.goes_on.set()
        ended(half)

    half.start()
    assert ydl.has_come.wait(_WAIT_S)
    with pytest.raises(SourceUnavailable):
        half.look(check)
