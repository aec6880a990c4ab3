"""A live stream as a recording of so many seconds from now on: by yt-dlp's own downloader, and so through the proxy.

For HLS (RFC 8216), which is how live streams come. yt-dlp would have ffmpeg do it, which opens connections of its own;
what it has for streams that grow wants somebody to name the segments, one after the other, and that is done here.
"""

import collections
import dataclasses
import hashlib
import re
import time
from collections.abc import Callable, Iterator
from typing import Any, Self
from urllib.parse import urljoin, urlsplit

from yt_dlp.networking import Request as WebRequest

from downloader.answers import Resume
from reelhaul.errors import (
    SourceChanged,
    SourceInterrupted,
    SourceLive,
    SourceNotMedia,
    SourceTooLong,
    SourceUnsupported,
)
from reelhaul.options import Clip

RECORDED = "http_dash_segments_generator"  # yt-dlp's name for a format with fragments that a function yields
_NOWHERE = "https://media.example/"  # which nobody is asked for
_OF_FORMATS = {"url", "fragments", "protocol", "format", "format_id", "manifest_url"}
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

    def behind(self, number: int) -> list[int]:
        """The segments from `number` on; of a stream that is only begun with, 0, those at its end."""
        if number or self.has_ended:
            return [one for one in self.segments if one >= number]
        return list(self.segments)[-_BEHIND:]

    def is_before(self, number: int) -> bool:
        """Whether all are so far behind that it cannot be the stream that was at `number`."""
        return bool(self.segments) and max(self.segments) + 1 + _BEHIND < number


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """How far a recording has come: the number of the segment that is next, and what there is of those before.

    `missing_s`: what was gone from the playlist before anybody came for it. `beginning`: what the last one begins with.
    """

    number: int = 0
    recorded_s: float = 0.0
    missing_s: float = 0.0
    beginning: str = ""

    @property
    def digest(self) -> str:
        """All but the number, in 64 characters."""
        known_by = hashlib.sha256(self.beginning.encode()).hexdigest() if self.beginning else ""
        return f"{self._ms(self.recorded_s):012x}{self._ms(self.missing_s):012x}{known_by:0<40.40}"

    @classmethod
    def of(cls, number: int, digest: str) -> Self:
        """Raises `SourceChanged` for what is no such digest. What it begins with can only be compared."""
        if not re.fullmatch(r"[0-9a-f]{64}", digest):
            raise SourceChanged
        return cls(number=number, recorded_s=int(digest[:12], 16) / 1000, missing_s=int(digest[12:24], 16) / 1000)

    @staticmethod
    def _ms(seconds: float) -> int:
        return min(round(seconds * 1000), 16**12 - 1)


class Recording:
    """The fragments of a live stream, as yt-dlp wants them: named one after the other, until `seconds` are together.

    One that goes on where another has stopped leaves out nothing but what is gone. That is counted as if it had come:
    the recording is of a time, and its clock goes on. A stream that has begun anew meanwhile has ended for it.
    """

    def __init__(self, read: Read, url: str, *, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._read, self._url, self._seconds, self._clock = read, url, seconds, clock
        self._named: collections.deque[Place] = collections.deque()
        self._begun: str | None = None  # the digest of what another has recorded
        self._has_beginning = False
        self._beginning: str | None = None
        self._count = 0
        self.place = self._at = Place()  # of what has been appended, and of what has been named

    def go_on(self, number: int, digest: str, *, has_beginning: bool) -> None:
        """Behind what another has recorded; `has_beginning`: into its file. Raises `SourceChanged`."""
        self.place, self._begun, self._has_beginning = Place.of(number, digest), digest, has_beginning

    def appended(self) -> Place:
        """Of what has been named one more is in the file: how far it is now."""
        self.place = self._named.popleft()
        return self.place

    def __call__(self, _context: Any) -> Iterator[dict[str, str]]:
        return ({"url": address} for address in self.addresses())

    def addresses(self) -> Iterator[str]:
        """Of what to fetch, in order. Raises `SourceInterrupted` for a stream that only ceases to go on."""
        self._at, is_first, heard_at = self.place, True, self._clock()
        while True:
            playlist = Playlist.parse(*self._read(self._url))
            if is_first and self._at.number and playlist.is_before(self._at.number):
                return
            if is_first and self._is_the_same(playlist):
                self._beginning = playlist.beginning
            is_first = False
            for address in self._new_in(playlist):
                yield address
                heard_at = self._clock()
            if playlist.has_ended or self._has_all:
                return
            if self._clock() - heard_at > max(_SILENCE_S, _BEHIND * playlist.target_s):
                raise SourceInterrupted
            time.sleep(min(max(playlist.target_s / 2, _LEAST_WAIT_S), _MOST_WAIT_S))

    def _new_in(self, playlist: Playlist) -> Iterator[str]:
        for number in playlist.behind(self._at.number):
            address, its_s = playlist.segments[number]
            missing = number - self._at.number if self._at.number else 0
            missing_s = self._at.missing_s + missing * (its_s or playlist.target_s)
            self._at = dataclasses.replace(self._at, missing_s=missing_s)
            if self._has_all:
                return
            if playlist.beginning is not None and playlist.beginning != self._beginning:
                self._beginning = playlist.beginning
                self._named.append(self._at)
                yield playlist.beginning
            known_by = _path(self._beginning)
            come_s = self._at.recorded_s + its_s
            self._at = dataclasses.replace(self._at, number=number + 1, recorded_s=come_s, beginning=known_by)
            self._named.append(self._at)
            yield address
            if self._has_all:
                return
            self._count += 1
            if self._count >= _MAX_SEGMENTS:
                raise SourceTooLong

    @property
    def _has_all(self) -> bool:
        return self._at.recorded_s + self._at.missing_s >= self._seconds

    def _is_the_same(self, playlist: Playlist) -> bool:
        """Whether segments begin with what is in the file already."""
        if playlist.beginning is None or not self._has_beginning or self._begun is None:
            return False
        return Place(beginning=_path(playlist.beginning)).digest[24:] == self._begun[24:]


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
    return _chosen(ydl, info, [_recorded(ydl, one, clip.end_s) for one in formats])


def as_it_was(ydl: Any, resume: Resume) -> dict[str, Any]:
    """A stream that is not there any more as a medium without anything behind what has been recorded."""
    formats = [{"format_id": track.format_id, "url": _NOWHERE, "ext": "mp4"} for track in resume.tracks]
    info = {"id": "recording", "title": resume.title or "recording", "extractor": "generic", "extractor_key": "Generic"}
    return _chosen(ydl, info, [_generated(one, Recording(_over, _NOWHERE, seconds=0.0)) for one in formats])


def is_recorded(info: dict[str, Any]) -> bool:
    """Whether it is a medium that this module has made."""
    return any(isinstance(one.get("fragments"), Recording) for one in info.get("formats") or [])


def noted(note: str, info: dict[str, Any]) -> str:
    """`note`, and how much is missing, if anything is."""
    recordings = [one.get("fragments") for one in info.get("requested_formats") or [info]]
    missing = max((one.place.missing_s for one in recordings if isinstance(one, Recording)), default=0.0)
    return ", ".join(filter(None, [note, f"{missing:.0f} s missing" if round(missing) else ""]))


def _chosen(ydl: Any, info: dict[str, Any], formats: list[dict[str, Any]]) -> dict[str, Any]:
    left_out = {"requested_formats", "duration", "is_live", "live_status", *_OF_FORMATS}
    plain = {name: value for name, value in info.items() if name not in left_out}
    recorded = {**plain, "formats": formats, "subtitles": {}, "is_live": False, "live_status": "was_live"}
    return dict(ydl.process_ie_result(recorded, download=False))


def _recorded(ydl: Any, one: dict[str, Any], seconds: float) -> dict[str, Any]:
    def read(url: str) -> tuple[str, str]:
        with ydl.urlopen(WebRequest(url, headers=one.get("http_headers") or {})) as reply:
            data = bytes(reply.read(_MAX_PLAYLIST_BYTES + 1))
            where = str(reply.url)
        if len(data) > _MAX_PLAYLIST_BYTES:
            raise SourceNotMedia
        return data.decode("utf-8", "replace"), where

    return _generated(one, Recording(read, one["url"], seconds=seconds))


def _generated(one: dict[str, Any], recording: Recording) -> dict[str, Any]:
    return {**one, "protocol": RECORDED, "fragments": recording, "is_from_start": True}


def _over(url: str) -> tuple[str, str]:
    return "#EXTM3U\n#EXT-X-ENDLIST\n", url


def _path(address: str | None) -> str:
    return "" if address is None else urlsplit(address).path


def _number(text: str, tag: str, default: int) -> int:
    found = re.search(rf"^#EXT-X-{tag}:(\d{{1,18}})", text, re.MULTILINE | re.ASCII)
    return int(found[1]) if found else default


def _seconds(line: str) -> float:
    """Of a segment; what is not in order counts as none, and the bounds on bytes and time do the rest."""
    found = re.match(r"#EXTINF:(\d{1,6}(?:\.\d{1,9})?)", line, re.ASCII)
    return float(found[1]) if found else 0.0
