"""A source that hands out so much for each invocation, and media of kinds that come in several pieces."""

import contextlib
import threading
from pathlib import Path
from typing import IO
from urllib.parse import urlsplit

from infra.local.media import ffmpeg
from tests.integration.streaming import PATIENCE_S, make_large
from tests.media import SourceHandler
from tests.relay.relaying import Timed

_FRAGMENTED = ["-movflags", "+frag_keyframe+empty_moov+default_base_moof"]
_SET = """<AdaptationSet contentType="{kind}" mimeType="{kind}/mp4">
<Representation id="{kind}" codecs="{codec}" bandwidth="{rate}">
<BaseURL>{name}</BaseURL><SegmentBase indexRange="0-0"/></Representation></AdaptationSet>"""


def make_pieces(directory: Path) -> None:
    """large/fmp4/list.m3u8, whose segments are pieces of an mp4, and large/plain/manifest.mpd: two files over HTTP."""
    make_large(directory)
    place = directory / "large"
    if (place / "fmp4").exists():
        return
    (place / "fmp4").mkdir()
    (place / "two").mkdir()
    whole = ["-i", str(place / "plain.mp4"), "-c", "copy"]
    hls = ["-f", "hls", "-hls_time", "0.2", "-hls_playlist_type", "vod", "-hls_segment_type", "fmp4"]
    ffmpeg(*whole, *hls, str(place / "fmp4" / "list.m3u8"))
    ffmpeg(*whole, "-an", *_FRAGMENTED, str(place / "two" / "video.mp4"))
    noise = ["-f", "lavfi", "-i", "anoisesrc=duration=8:color=white", "-c:a", "aac", "-b:a", "320k"]
    ffmpeg(*noise, *_FRAGMENTED, "-frag_duration", "200000", str(place / "two" / "audio.mp4"))
    sets = [
        _SET.format(kind="video", codec="avc1.64000c", rate=5_000_000, name="video.mp4"),
        _SET.format(kind="audio", codec="mp4a.40.2", rate=64_000, name="audio.mp4"),
    ]
    (place / "two" / "manifest.mpd").write_text(
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT8S">'
        f"<Period>{''.join(sets)}</Period></MPD>"
    )


class _Handler(SourceHandler):
    server: "Pieces"

    def send_bytes(self, file: IO[bytes], count: int) -> None:
        path, start = urlsplit(self.path).path, file.tell()
        if path.endswith((".mpd", ".m3u8")):
            super().send_bytes(file, count)
            return
        now, ration = self.server.share(count, of=file.seek(0, 2) if path.startswith("/large/two/") else None)
        file.seek(start)
        self.server.sent_bytes[path] = self.server.sent_bytes.get(path, 0) + now
        with contextlib.suppress(OSError):
            super().send_bytes(file, now)
            self.wfile.flush()
            self.server.clock.given()
            if now < count:
                self.server.clock.wait(ration, patience_s=PATIENCE_S)
                self.close_connection = True


class Pieces(Timed):
    """`ration` hands out so many bytes more of fragments, which come whole, and of others that share of all for each
    time they are asked for. What is beyond hangs until the next.

    `sent_bytes`: by path.
    """

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.RequestHandlerClass = _Handler
        self.sent_bytes: dict[str, int] = {}
        self._lock = threading.Lock()
        self._left_bytes, self._share = 0, 0.0
        self._over = threading.Event()

    def ration(self, count: int, *, share: float) -> None:
        with self._lock:
            self._left_bytes, self._share = count, share
            self._over.set()
            self._over = threading.Event()

    def share(self, count: int, *, of: int | None) -> tuple[int, threading.Event]:
        """How much to send of what has been asked for, `of` a file of that size, and what to wait for then."""
        with self._lock:
            if of is not None:
                return min(count, int(of * self._share)), self._over
            now = count if count <= self._left_bytes else 0
            self._left_bytes -= now
            return now, self._over
