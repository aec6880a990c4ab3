"""What every fetcher would do before its job makes a difference, done once: imports, and what they compile and read.

What is drawn by lot on the way is drawn again for each, so that no two jobs can be told to be of the same worker.
"""

import dataclasses
import functools
import uuid
from pathlib import Path
from typing import Any

from yt_dlp import networking
from yt_dlp.extractor import gen_extractor_classes
from yt_dlp.networking import common
from yt_dlp.utils.networking import random_user_agent, std_headers

from downloader.fetcher import extract, formats, options
from downloader.fetcher.request import Request
from downloader.kernel import Support
from reelhaul.options import Options

_URL = "https://media.example/clip.mp4"  # nobody is asked there
_REHEARSED = Request(
    url=_URL, options=Options(), is_item=False, entry=None, inspect=False, seconds=0.0, proxy="", directory=Path("/"),
    max_bytes=0, max_memory_bytes=0, kernel=Support(seccomp=False, landlock=False),
)  # fmt: skip


def up() -> None:
    common.make_ssl_context = _kept(common.make_ssl_context)
    for extractor in gen_extractor_classes():
        extractor.suitable(_URL)  # which compiles its pattern, and keeps it
        getattr(extractor, "real_class", extractor)  # which is imported where it is used first
    with extract.Extractor(options.parameters(_REHEARSED, on_progress=print)) as ydl:
        formats.install(ydl, _REHEARSED)
        ydl.urlopen("data:,")
        info = {"id": "clip", "title": "clip", "url": _URL, "ext": "mp4", "extractor": "generic", "extractor_key": "Generic"}
        extract.prepare(ydl.process_ie_result(info, download=False))
        for handler in ydl._request_director.handlers.values(): handler._make_sslcontext()


def _kept(make: Any) -> Any:
    """Contexts are not changed once they are made, but take a while: 150 authorities are read for each."""

    @functools.cache
    def made(**settings: Any) -> Any:
        return make(**settings)

    return made


def draw_again() -> None:
    std_headers["User-Agent"] = random_user_agent()
