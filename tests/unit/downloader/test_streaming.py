"""How far a file that comes is handed over while it grows."""

from pathlib import Path

import pytest

from downloader.fetcher.fragments import Fragments
from downloader.fetcher.growth import Growth
from downloader.fetcher.reporting import Reporter
from downloader.fetcher.request import Request
from downloader.fetcher.streaming import Streaming
from downloader.kernel import Support
from infra.local.media import ffmpeg
from reelhaul.options import Options

_MIB = 1024**2


@pytest.mark.usefixtures("programs_known")
def test_only_fragments_that_are_done_are_handed_over(tmp_path: Path) -> None:
    path = tmp_path / "media.mp3.part"
    ffmpeg("-f", "lavfi", "-i", "sine=duration=90", "-b:a", "320k", "-f", "mp3", str(path))
    assert path.stat().st_size > 3 * _MIB
    request = Request(
        url="https://media.example/", options=Options(download_type="audio"), is_item=False, entry=None, inspect=False,
        seconds=60.0, proxy="", directory=tmp_path, max_bytes=0, max_memory_bytes=0,
        kernel=Support(seccomp=False, landlock=False),
    )  # fmt: skip
    with (tmp_path / "told").open("wb") as told:
        stream = Streaming(request, Growth(Reporter(told.fileno(), secrets=()), "A title"), head_bytes=_MIB)
        stream.fragments = Fragments()
        stream.fragments.appended(2 * _MIB)  # and a part of the next is there already
        stream({"status": "downloading", "tmpfilename": str(path)})
    assert stream.has_begun
    assert stream.told_bytes == 2 * _MIB
