"""One fetch from end to end: look, fetch, finish."""

from typing import Any

import yt_dlp

from downloader.fetcher import extract, finishing, options, patches
from downloader.fetcher.progress import Tracks
from downloader.fetcher.reporting import Reporter
from downloader.fetcher.request import Request


def run(request: Request, reporter: Reporter) -> dict[str, Any]:
    """The fields of the `finished` event. Raises whatever went wrong, see `failures`."""
    patches.apply()
    tracks = Tracks(reporter, max_bytes=request.max_bytes)
    with yt_dlp.YoutubeDL(options.parameters(request, on_progress=tracks)) as ydl:
        ydl.add_postprocessor_hook(lambda _: tracks.finishing())
        info = extract.inspect(ydl, request.url)
        path = extract.download(ydl, info, tracks=tracks, max_bytes=request.max_bytes)
    tracks.finishing()
    output = finishing.finish(path, wants_audio=request.wants_audio)
    return {
        "path": str(output.path),
        "title": str(info.get("title") or ""),
        "extension": output.extension,
        "content_type": output.content_type,
        "duration_s": output.duration_s or info.get("duration"),
        "thumbnail": info.get("thumbnail"),
        "format_note": output.format_note,
    }
