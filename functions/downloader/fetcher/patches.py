"""Where yt-dlp has no parameter for what we need. Applied once, before its first use."""

from typing import Any

from yt_dlp import globals as ytdlp_globals
from yt_dlp.downloader.common import FileDownloader
from yt_dlp.downloader.external import FFmpegFD
from yt_dlp.utils import DownloadError

from reelhaul.errors import SourceUnsupported


def apply() -> None:
    """No plugins, no ffmpeg on the network, and errors that keep their type."""
    ytdlp_globals.plugin_dirs.value = []
    FFmpegFD.available = classmethod(lambda *_: False)
    FFmpegFD.real_download = _refuse_ffmpeg
    FileDownloader.report_retry = _keeping_the_error(FileDownloader.report_retry)


def _refuse_ffmpeg(*_: Any) -> bool:
    """ffmpeg as a downloader would open connections of its own, past the proxy."""
    raise SourceUnsupported


def _keeping_the_error(original: Any) -> Any:
    def report_retry(self: Any, err: Any, count: int, retries: int, *fragment: Any) -> Any:
        """When it gives up, yt-dlp keeps only the error's text. `fragment`: its index, and whether it is needed."""
        if count > retries and isinstance(err, BaseException) and fragment[1:] != (False,):
            raise DownloadError(str(err), (type(err), err, err.__traceback__)) from err
        return original(self, err, count, retries, *fragment)

    return report_retry
