"""A live stream as a recording of so many seconds from now on: by yt-dlp's own downloader, and so through the proxy.

For HLS (RFC 8216), which is how live streams come. yt-dlp would have ffmpeg do it, which opens connections of its own;
what it has for streams that grow wants somebody to name the segments, one after the other, and that is done here.
"""

import dataclasses
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Self
from urllib.parse import urljoin

from yt_dlp.networking import Request as WebRequest

from reelhaul.errors import SourceInterrupted, SourceLive, SourceNotMedia, SourceTooLong, SourceUnsupported
from reelhaul.options import Clip

_GENERATED = "http_dash_segments_generator"  # yt-dlp's name for a format with fragments that a function yields
_HLS = {"m3u8", "m3u8_native"}
_MAX_PLAYLIST_BYTES = 2 * 1024**2
_MAX_SEGMENTS = 50_000
_BEHIND = 3  # segments; RFC 8216, 6.3.3: not to start closer to the end than that
_LEAST_WAIT_S, _MOST_WAIT_S = 0.2, 5.0
_SILENCE_S = 30.0  # or some segments, if that is longer: then the stream has broken off
# Of these we have no use for the parts: keys and pieces of files.
_REFUSED = re.compile(r"^#EXT-X-(?:(?:SESSION-)?KEY:(?!METHOD=NONE)|BYTERANGE|MAP:.*BYTERANGE)", re.MULTILINE)
_MAP = re.compile(r'#EXT-X-MAP:(?:.*,)?URI="([^"]+)"')

Read = Callable[[str], tuple[str, str]]  # a playlist's address -> its text, and where that really was


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Playlist:
    """A media playlist as it is at one time: its segments by their numbers, each with its address and its seconds."""

    segments: dict[int, tuple[str, float]]
    beginning: str | None
    target_s: float
    has_ended: bool

    @classmethod
    def parse(cls, text: str, url: str) -> Self:
        """Raises `SourceNotMedia`, and `SourceUnsupported` for what is encrypted or cut into ranges."""
        if not text.startswith("#EXTM3U"):
            raise SourceNotMedia
        if _REFUSED.search(text):
            raise SourceUnsupported
        number = _number(text, "MEDIA-SEQUENCE", 0)
        segments: dict[int, tuple[str, float]] = {}
        seconds = 0.0
        for line in map(str.strip, text.splitlines()):
            if line.startswith("#EXTINF:"):
                seconds = _seconds(line)
            elif line and not line.startswith("#"):
                segments[number] = (urljoin(url, line), seconds)
                number += 1
        found = _MAP.search(text)
        return cls(
            segments=segments,
            beginning=urljoin(url, found[1]) if found else None,
            target_s=float(_number(text, "TARGETDURATION", 5)),
            has_ended="#EXT-X-ENDLIST" in text,
        )


def as_recording(
    ydl: Any, info: dict[str, Any], clip: Clip | None, *, max_duration_s: int, left_s: float
) -> dict[str, Any]:
    """The live stream `info` as a medium that ends where `clip` does. `left_s` is the time there is for all of it.

    Raises `SourceLive` without such an end, or where there is nothing to record (yet), and `SourceTooLong`.
    """
    if clip is None or clip.end_s is None or info.get("live_status") == "is_upcoming":
        raise SourceLive
    if (max_duration_s and clip.end_s > max_duration_s) or clip.end_s >= left_s:
        raise SourceTooLong
    formats = [one for one in info.get("formats") or [] if one.get("protocol") in _HLS]
    if not formats:
        raise SourceLive
    recorded = [_recorded(ydl, one, clip.end_s) for one in formats]
    plain = {name: value for name, value in info.items() if name not in {"requested_formats", "duration"}}
    return {**plain, "formats": recorded, "subtitles": {}, "is_live": False, "live_status": "was_live"}


def segments(read: Read, url: str, *, seconds: float, clock: Callable[[], float] = time.monotonic) -> Iterator[str]:
    """Addresses of what to fetch, in order, until `seconds` are together or the stream ends.

    Raises `SourceInterrupted` for one that only ceases to go on.
    """
    last, count, total, beginning, heard_at = -1, 0, 0.0, None, clock()
    while True:
        playlist = Playlist.parse(*read(url))
        new = [number for number in playlist.segments if number > last]
        if last < 0 and not playlist.has_ended:
            new = new[-_BEHIND:]
        for number in new:
            address, its_s = playlist.segments[number]
            if playlist.beginning is not None and playlist.beginning != beginning:
                beginning = playlist.beginning
                yield beginning
            yield address
            last, count, total, heard_at = number, count + 1, total + its_s, clock()
            if total >= seconds:
                return
            if count >= _MAX_SEGMENTS:
                raise SourceTooLong
        if playlist.has_ended:
            return
        if clock() - heard_at > max(_SILENCE_S, _BEHIND * playlist.target_s):
            raise SourceInterrupted
        time.sleep(min(max(playlist.target_s / 2, _LEAST_WAIT_S), _MOST_WAIT_S))


def _recorded(ydl: Any, one: dict[str, Any], seconds: float) -> dict[str, Any]:
    def read(url: str) -> tuple[str, str]:
        with ydl.urlopen(WebRequest(url, headers=one.get("http_headers") or {})) as reply:
            data = bytes(reply.read(_MAX_PLAYLIST_BYTES + 1))
            where = str(reply.url)
        if len(data) > _MAX_PLAYLIST_BYTES:
            raise SourceNotMedia
        return data.decode("utf-8", "replace"), where

    def fragments(_context: Any) -> Iterator[dict[str, str]]:
        return ({"url": address} for address in segments(read, one["url"], seconds=seconds))

    return {**one, "protocol": _GENERATED, "fragments": fragments, "is_from_start": True}


def _number(text: str, tag: str, default: int) -> int:
    found = re.search(rf"^#EXT-X-{tag}:(\d{{1,18}})", text, re.MULTILINE | re.ASCII)
    return int(found[1]) if found else default


def _seconds(line: str) -> float:
    """Of a segment; what is not in order counts as none, and the bounds on bytes and time do the rest."""
    found = re.match(r"#EXTINF:(\d{1,6}(?:\.\d{1,9})?)", line, re.ASCII)
    return float(found[1]) if found else 0.0
