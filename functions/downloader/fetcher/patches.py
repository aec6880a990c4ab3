"""Where yt-dlp has no parameter for what we need. Applied once, before its first use."""

from typing import Any

from yt_dlp import globals as ytdlp_globals
from yt_dlp.downloader.common import FileDownloader
from yt_dlp.downloader.external import FFmpegFD
from yt_dlp.downloader.fragment import FragmentFD
from yt_dlp.downloader.hls import HlsFD
from yt_dlp.downloader.http import HttpFD
from yt_dlp.extractor.common import InfoExtractor
from yt_dlp.utils import DownloadError

from downloader.fetcher import fragments, ranges, reading
from reelhaul.errors import SourceUnsupported


def apply() -> None:
    """No plugins, no ffmpeg on the network, errors that keep their type, and no live stream that has ended.

    Fragments are fetched as `fragments` has it, and files as `ranges` has; both are read as `reading` has.
    """
    ytdlp_globals.plugin_dirs.value = []
    FFmpegFD.available = classmethod(lambda *_: False)
    FFmpegFD.real_download = _refuse_ffmpeg
    FileDownloader.report_retry = _keeping_the_error(FileDownloader.report_retry)
    FragmentFD.download_and_append_fragments = fragments.bounded(FragmentFD.download_and_append_fragments)
    HlsFD.can_download = fragments.noting(HlsFD.__dict__["can_download"])
    HttpFD.real_download = ranges.ranged(reading.as_it_comes(HttpFD.real_download))
    # Private, as yt-dlp has no other place for it; a version without it fails here, at once and for every test.
    InfoExtractor._parse_m3u8_vod_duration = _counting_any_end(InfoExtractor._parse_m3u8_vod_duration)  # noqa: SLF001


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


def _counting_any_end(original: Any) -> Any:
    def duration(self: Any, m3u8_vod: str, video_id: str) -> int | None:
        """Whole seconds. What has none is taken for live, which a list that has its end is not, short or empty."""
        found: int | None = original(self, m3u8_vod, video_id)
        return found or (1 if "#EXT-X-ENDLIST" in m3u8_vod else None)

    return duration
