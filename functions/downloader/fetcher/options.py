"""yt-dlp's parameters for a request: what it may do, where it may write, which formats it should like."""

import logging
import os
import random
from collections.abc import Callable
from typing import Any

from downloader.fetcher import guard, objections
from downloader.fetcher.reporting import for_the_log
from downloader.fetcher.request import Request

SOCKET_TIMEOUT_S = 20
RETRIES = 2  # soon: what takes more patience goes back to the queue
_PATIENCE_S = 0.5

# Of formats that look the same, those that every player knows and that fit mp4.
_PREFERENCES = ["lang", "quality", "res", "fps", "hdr:12", "vcodec:h264", "channels", "acodec:aac"]


class Log:
    """yt-dlp's messages: warnings and errors go to standard error, of which the parent keeps a tail."""

    def __init__(self) -> None:
        self._logger = logging.getLogger("yt-dlp")

    def debug(self, message: str) -> None:
        """Also what yt-dlp calls info. Dropped: it may hold URLs with keys in them."""

    def warning(self, message: str) -> None:
        self._logger.warning("%s", for_the_log(message))

    def error(self, message: str) -> None:
        self._logger.error("%s", for_the_log(message))


def parameters(request: Request, *, on_progress: Callable[[dict[str, Any]], None]) -> dict[str, Any]:
    """Everything that `yt_dlp.YoutubeDL` gets. Configuration files are only read by its command line, so by nobody."""
    return {
        **_walls(request),
        **_choice(request),
        **_output(request),
        "logger": Log(),
        "noprogress": True,
        "progress_hooks": [on_progress],
        "ignoreerrors": False,
        "socket_timeout": SOCKET_TIMEOUT_S,
        "retries": RETRIES,
        "fragment_retries": RETRIES,
        "extractor_retries": 1,
        "retry_sleep_functions": {"http": _patience_s, "fragment": _patience_s},
        "file_access_retries": 0,
        "concurrent_fragment_downloads": 8,  # more than one for each track: then it takes the window of `fragments`
        objections.CONNECTIONS: request.connections,
        "_no_ytdl_file": True,  # nothing is gone on with by yt-dlp's own account of what it has, see `fragments`
    }


def _patience_s(n: int) -> float:
    """After the failure number `n`, from 0: exponential, with full jitter."""
    return random.uniform(0, _PATIENCE_S * 2**n)  # noqa: S311 - spreads load, protects nothing


def _walls(request: Request) -> dict[str, Any]:
    deno = {"deno": {"path": str(guard.BIN / "deno")}} if os.environ.get("REELHAUL_DENO") else {}
    return {
        "proxy": request.proxy,  # as a parameter: NO_PROXY would undo an environment variable
        "enable_file_urls": False,
        "remote_components": [],
        "js_runtimes": deno,
        "cachedir": False,
        "usenetrc": False,
        "geo_bypass": False,  # it invents addresses to pretend that a request comes from elsewhere
        "default_search": "error",
        "external_downloader": "native",
        "hls_prefer_native": True,
        "ffmpeg_location": str(guard.BIN),
        "skip_unavailable_fragments": False,
        "allow_unplayable_formats": False,
        "fixup": "never",  # `downloader.fetcher.finishing` does it, from what the file is and not what it is called
    }


def _choice(request: Request) -> dict[str, Any]:
    sort = list(_PREFERENCES)
    if request.max_height is not None:
        sort.insert(0, f"res:{request.max_height}")  # the best that is not above it, else the lowest there is
    return {
        "format": "ba/b" if request.wants_audio else "bv*+ba/b",
        "format_sort": sort,
        "merge_output_format": "/".join(dict.fromkeys([request.options.container, "mp4", "webm", "mkv"])),
        "noplaylist": not request.prefers_lists,
    }


def _output(request: Request) -> dict[str, Any]:
    return {
        "outtmpl": {"default": str(request.directory / "media.%(ext)s")},
        "overwrites": True,
        "updatetime": False,
        "writethumbnail": False,
        "writesubtitles": False,
        "writeinfojson": False,
    }
