"""Sources of media that are large in parts of a size that tests can wait for, and that go on when they are told to."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import pytest

from downloader import handler, transfer
from infra.local.media import ffmpeg
from tests.faults import hooked
from tests.media import SourceHandler, SourceServer

PART_BYTES = 256 * 1024
PATIENCE_S = 120.0  # of a source, and of a test that waits for something to happen

_NOISE, _TONE = "testsrc2=size=320x180:rate=25:duration={},noise=alls=60:allf=t", "sine=frequency=440:duration={}"
_PICTURE = ["-c:v", "libx264", "-preset", "ultrafast", "-bf", "2", "-pix_fmt", "yuv420p", "-g", "5", "-qp", "20"]
_SOUND = ["-c:a", "aac", "-b:a", "64k"]


def make_large(directory: Path, *, seconds: int = 8) -> None:
    """large/: front.mp4 and back.mp4, by where the index is, HLS and DASH, each of a megabyte a second.

    plain.mp4 is what ffmpeg makes of the segments by itself.
    """
    place = directory / "large"
    if place.exists():
        return
    place.mkdir()
    back = str(place / "back.mp4")
    made = [part for one in (_NOISE, _TONE) for part in ("-f", "lavfi", "-i", one.format(seconds))]
    ffmpeg(*made, *_PICTURE, *_SOUND, back)
    ffmpeg("-i", back, "-c", "copy", "-movflags", "+faststart", str(place / "front.mp4"))
    ffmpeg(
        "-i", back, "-c", "copy", "-f", "hls", "-hls_time", "0.2", "-hls_playlist_type", "vod", str(place / "list.m3u8")
    )
    ffmpeg("-i", str(place / "list.m3u8"), "-c", "copy", str(place / "plain.mp4"))
    sets = ["-adaptation_sets", "id=0,streams=v id=1,streams=a", "-seg_duration", "0.2"]
    plain = str(place / "plain.mp4")
    ffmpeg("-i", plain, "-c", "copy", "-f", "dash", *sets, str(place / "manifest.mpd"))


class _Handler(SourceHandler):
    server: "PatientServer"

    def send_bytes(self, file: IO[bytes], count: int) -> None:
        """Of the file that is named, the last part only once it is wanted."""
        if urlsplit(self.path).path != self.server.held_path:
            super().send_bytes(file, count)
            return
        held = min(count, self.server.held_bytes)
        super().send_bytes(file, count - held)
        self.wfile.flush()
        if not self.server.goes_on.wait(PATIENCE_S):
            self.server.gave_up = True
        if self.server.breaks_off:
            self.server.breaks_off = False
            self.close_connection = True
            return
        super().send_bytes(file, held)

    def _range(self, size: int) -> tuple[int, int, int]:
        return (0, size - 1, 200) if self.server.ignores_ranges else super()._range(size)


class PatientServer(SourceServer):
    """Of `held_path` the last `held_bytes` come when it `goes_on`; `gave_up` tells that nobody said so."""

    held_path = ""
    held_bytes = 1024
    breaks_off = ignores_ranges = gave_up = False

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.RequestHandlerClass = _Handler
        self.goes_on = threading.Event()

    def hold(self, path: str) -> None:
        self.held_path = f"/{path}"


@contextlib.contextmanager
def small_parts(origin: str, work_directory: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """The downloader on moto, with parts of `PART_BYTES`, for a source at `origin`."""

    def mend(parsed: dict[str, Any], **_: Any) -> None:
        """S3 shows the checksum of parts with their number, moto without."""
        number = parsed.get("ETag", "").strip('"').partition("-")[2]
        if number:
            parsed["ChecksumSHA256"] += f"-{number}"

    monkeypatch.setenv("WORK_DIRECTORY", str(work_directory))
    monkeypatch.setenv("ALLOWED_ORIGINS", origin)
    monkeypatch.setattr(transfer, "PART_BYTES", PART_BYTES)
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    handler.dependencies.cache_clear()
    with hooked("after-call", "s3", "HeadObject", mend):
        yield
