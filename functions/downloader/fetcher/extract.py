"""From a URL to a file, with our policy between finding out what is there and fetching it."""

from pathlib import Path
from typing import Any

import yt_dlp
from yt_dlp.utils import MEDIA_EXTENSIONS

from downloader.fetcher.progress import Tracks
from reelhaul.errors import (
    ExtractorBroken,
    SourceDrm,
    SourceInterrupted,
    SourceLive,
    SourceTooLarge,
    SourceUnsupported,
)

_SMUGGLE = "__youtubedl_smuggle"  # hands parameters to extractors inside a URL
_MEDIA_ENDINGS = {*MEDIA_EXTENSIONS.video, *MEDIA_EXTENSIONS.audio}
_MAX_NESTING = 3  # a page that embeds a player that holds one video
_LIVE = {"is_live", "is_upcoming"}


def inspect(ydl: yt_dlp.YoutubeDL, url: str) -> dict[str, Any]:
    """What there is at `url`, formats chosen. Raises `SourceError` for what is not fetched on principle."""
    if not url.lower().startswith(("http://", "https://")) or _SMUGGLE in url:
        raise SourceUnsupported
    info = _single(ydl, ydl.extract_info(url, download=False))
    if info.get("is_live") or info.get("live_status") in _LIVE:
        raise SourceLive
    if info.get("_has_drm") or any(track.get("has_drm") for track in _tracks(info)):
        raise SourceDrm
    _name_plainly(info)
    return info


def _name_plainly(info: dict[str, Any]) -> None:
    """Forget endings that URLs have and media have not, as in get.php: yt-dlp would refuse to write such a file.

    What the file really is gets probed once it is there.
    """
    for track in (info, *(info.get("formats") or []), *(info.get("requested_formats") or [])):
        if track.get("ext") not in _MEDIA_ENDINGS:
            track["ext"] = "unknown_video"


def _single(ydl: yt_dlp.YoutubeDL, info: dict[str, Any] | None) -> dict[str, Any]:
    """The one medium that `info` names. A playlist of one is that one; one of several is refused."""
    for _ in range(_MAX_NESTING):
        if not info:
            raise SourceUnsupported
        if info.get("_type", "video") == "video":
            return info
        entries = list(info.get("entries") or [])
        if len(entries) != 1 or _SMUGGLE in str((entries[0] or {}).get("url")):
            raise SourceUnsupported
        info = ydl.process_ie_result(entries[0], download=False)
    raise SourceUnsupported


def _tracks(info: dict[str, Any]) -> list[dict[str, Any]]:
    return list(info.get("requested_formats") or [info])


def download(ydl: yt_dlp.YoutubeDL, info: dict[str, Any], *, tracks: Tracks, max_bytes: int) -> Path:
    """Fetch what `inspect` found. The file, all tracks merged; yt-dlp's silent failures raise, too."""
    if sum(track.get("filesize") or 0 for track in _tracks(info)) > max_bytes:
        raise SourceTooLarge
    tracks.expect(info)
    result = ydl.process_ie_result(info, download=True) or {}
    downloads = result.get("requested_downloads") or []
    if len(downloads) != 1:
        raise ExtractorBroken(f"{len(downloads)} downloads")
    path = downloads[0].get("filepath")
    if not path or not Path(path).is_file():
        raise SourceInterrupted("no file")
    return Path(path)
