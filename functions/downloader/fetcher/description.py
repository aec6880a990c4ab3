"""What yt-dlp knows of something, as the fields that the parent is told, each of a kind and size that it believes."""

import contextlib
from typing import Any

from yt_dlp.networking import HEADRequest
from yt_dlp.networking.exceptions import RequestError
from yt_dlp.utils import determine_protocol

from downloader.fetcher.extract import Extractor, Several, is_live, own_address
from downloader.fetcher.numbers import number, whole
from reelhaul.sources import MAX_URL_CHARS

MAX_FORMATS = 100  # sites have up to fifty or so; of more, the best are told
MAX_LANGUAGES = 100
MAX_TITLE_CHARS = 1000  # the parent keeps fewer, and what it throws away is no title
_SHORT = 100  # characters, of what is a name or a note
_LANGUAGE_CHARS = 35  # the longest tag that is worth listing (RFC 5646, 4.4.1)

_NOT_CAPTIONS = {"live_chat", "danmaku", "comments"}


def title(info: dict[str, Any]) -> str:
    return str(info.get("title") or "")[:MAX_TITLE_CHARS]


def entry(number: int, info: dict[str, Any]) -> dict[str, Any]:
    """One of several. `url` is `None` where it has no address of its own."""
    return {"number": number, "url": own_address(info), "title": title(info)}


def several(found: Several) -> dict[str, Any]:
    return {**_of_any(found.info), "is_playlist": True, "count": found.count}


def medium(info: dict[str, Any]) -> dict[str, Any]:
    return {
        **_of_any(info),
        "is_playlist": False,
        "duration_s": number(info.get("duration")),
        "is_live": is_live(info),
        "subtitles": _languages(info),
    }


def _of_any(info: dict[str, Any]) -> dict[str, Any]:
    pictures = info.get("thumbnails") or [{}]  # the last is the best
    return {
        "title": title(info),
        "webpage_url": _address(info.get("webpage_url")),
        "uploader": str(info.get("uploader") or "")[:_SHORT],
        "thumbnail": _address(info.get("thumbnail") or pictures[-1].get("url")),
    }


def _address(url: object) -> str | None:
    """An ornament: shown if it is in order. What yt-dlp adds for itself is cut off."""
    if not isinstance(url, str) or not url.isascii():
        return None
    plain = url.partition("#__youtubedl_smuggle")[0]
    return plain if len(plain) <= MAX_URL_CHARS else None


def _languages(info: dict[str, Any]) -> list[str]:
    names = [str(name) for name in info.get("subtitles") or {} if name not in _NOT_CAPTIONS]
    return sorted(name for name in names if name.isascii() and len(name) <= _LANGUAGE_CHARS)[:MAX_LANGUAGES]


def formats(ydl: Extractor, info: dict[str, Any]) -> list[dict[str, Any]]:
    """What there is to choose from, the best first. Pictures of the timeline are no choice."""
    tracks = info.get("formats") or [info]
    playing = [track for track in reversed(tracks) if not track.get("vcodec") == track.get("acodec") == "none"]
    described = [_format(track) for track in playing[:MAX_FORMATS]]
    if len(described) == 1 and described[0]["filesize"] is None:
        described[0]["filesize"] = _asked_size(ydl, playing[0])
    return described


def _format(track: dict[str, Any]) -> dict[str, Any]:
    video, audio = track.get("vcodec"), track.get("acodec")
    return {
        "format_id": str(track.get("format_id") or "")[:_SHORT],
        "extension": _extension(track),
        "format_note": str(track.get("format_note") or "")[:_SHORT],
        "height": whole(track.get("height")),
        "width": whole(track.get("width")),
        "fps": number(track.get("fps")),
        "video_codec": _codec(video),
        "audio_codec": _codec(audio),
        "filesize": whole(track.get("filesize") or track.get("filesize_approx")),
        "bitrate": number(track.get("tbr")),
        "has_video": video != "none",
        "has_audio": audio != "none",
    }


def _extension(track: dict[str, Any]) -> str:
    extension = str(track.get("ext") or "")[:_SHORT]
    return "" if extension == "unknown_video" else extension


def _codec(name: object) -> str | None:
    return str(name)[:_SHORT] if name and name not in {"none", "unknown"} else None


def _asked_size(ydl: Extractor, track: dict[str, Any]) -> int | None:
    """The size of a plain file, which its server knows. Without an answer it stays unknown."""
    if determine_protocol(track) not in {"http", "https"}:
        return None
    request = HEADRequest(track["url"], headers=track.get("http_headers") or {})
    with contextlib.suppress(RequestError, OSError, ValueError), contextlib.closing(ydl.urlopen(request)) as reply:
        length = reply.headers.get("Content-Length") or ""
        return int(length) if length.isdecimal() else None
    return None
