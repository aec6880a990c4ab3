"""Three places where yt-dlp has no parameter for what we need. Applied once, before its first use."""

from typing import Any

from yt_dlp import globals as ytdlp_globals
from yt_dlp.downloader.common import FileDownloader
from yt_dlp.downloader.external import FFmpegFD
from yt_dlp.downloader.hls import HlsFD
from yt_dlp.utils import DownloadError

from reelhaul.errors import SourceLive, SourceUnsupported


def apply() -> None:
    """No plugins, no ffmpeg on the network, no live HLS taken for a recording, and errors that keep their type."""
    ytdlp_globals.plugin_dirs.value = []
    FFmpegFD.available = classmethod(lambda *_: False)
    FFmpegFD.real_download = _refuse_ffmpeg
    HlsFD.can_download = classmethod(_refusing_live(HlsFD.can_download.__func__))
    FileDownloader.report_retry = _keeping_the_error(FileDownloader.report_retry)


def _refuse_ffmpeg(*_: Any) -> bool:
    """ffmpeg as a downloader would open connections of its own, past the proxy."""
    raise SourceUnsupported


def _refusing_live(original: Any) -> Any:
    def can_download(cls: Any, manifest: str, info_dict: dict[str, Any], *args: Any, **kwargs: Any) -> bool:
        """A media playlist without an end is a live stream (RFC 8216, 4.3.3.4); yt-dlp would take what is there now.

        Sites' own extractors know better, some leave the end out of recordings.
        """
        ends = "#EXT-X-ENDLIST" in manifest or "#EXT-X-PLAYLIST-TYPE:VOD" in manifest
        if not ends and info_dict.get("extractor_key") == "Generic":
            raise SourceLive
        return bool(original(cls, manifest, info_dict, *args, **kwargs))

    return can_download


def _keeping_the_error(original: Any) -> Any:
    def report_retry(self: Any, err: Any, count: int, retries: int, *fragment: Any) -> Any:
        """When it gives up, yt-dlp keeps only the error's text. `fragment`: its index, and whether it is needed."""
        if count > retries and isinstance(err, BaseException) and fragment[1:] != (False,):
            raise DownloadError(str(err), (type(err), err, err.__traceback__)) from err
        return original(self, err, count, retries, *fragment)

    return report_retry
