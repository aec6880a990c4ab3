"""What every fetcher would do before its job makes a difference, done once: imports, and what they compile and read.

What is drawn by lot on the way is drawn again for each fetcher, as it would be in a process of its own.
"""

import functools
import importlib
import io
import itertools
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from yt_dlp.extractor import gen_extractor_classes
from yt_dlp.networking import Response, common
from yt_dlp.utils.networking import random_user_agent, std_headers

from downloader.fetcher import extract, formats, options
from downloader.fetcher.marks import Watch
from downloader.fetcher.request import Request
from downloader.kernel import Support
from reelhaul.options import Options

_URL = "https://media.example/clip.mp4"  # which nobody is asked for
_REHEARSED = Request(
    url=_URL, options=Options(), is_item=False, entry=None, inspect=False, seconds=0.0, proxy="", directory=Path("/"),
    max_bytes=0, max_memory_bytes=0, kernel=Support(seccomp=False, landlock=False),
)  # fmt: skip
_HEADERS = {
    "Content-Type": "video/mp4", "Content-Length": "12", "Last-Modified": "Sun, 01 Nov 2026 12:00:00 GMT",
}  # fmt: skip
_BODY = b"\0\0\0\x0cftypisom"
_DATE_FORMATS = 100  # yt-dlp tries some fifty for a date, of which the interpreter would keep five

# Who puts another value where a class, or a dictionary of it, holds a random UUID: what some extractors call a device.
_drawn: list[Callable[[str], None]] = []


def up() -> None:
    """Opens no connection. What is rehearsed last is what `re` keeps, which keeps only so many patterns."""
    common.make_ssl_context = _kept(common.make_ssl_context)
    common.make_ssl_context(verify=True, legacy_support=False, use_certifi=True)  # as yt-dlp's handlers do
    made: set[str] = set()
    original, uuid.uuid4 = uuid.uuid4, _noting(uuid.uuid4, made)
    try:
        extractors = [_compiled(extractor) for extractor in gen_extractor_classes()]
    finally:
        uuid.uuid4 = original
    _drawn.extend(_having(made, extractors))
    vars(importlib.import_module("_strptime"))["_CACHE_MAX_SIZE"] = _DATE_FORMATS  # private: else it only takes longer
    with extract.Extractor(options.parameters(_REHEARSED, on_progress=print)) as ydl:
        formats.install(ydl, _REHEARSED)
        ydl.urlopen("data:,")
        ydl.watch = _Rehearsal()
        found = extract.find(ydl, _REHEARSED)
        if isinstance(found, dict):
            extract.prepare(found)


class _Rehearsal(Watch):
    """Answers whatever is asked for as a server would that has a file."""

    def __init__(self) -> None:
        super().__init__(_URL, None)

    def open(self, urlopen: Callable[[Any], Any], request: Any) -> Any:  # noqa: ARG002 - nothing is opened
        return Response(io.BytesIO(_BODY), _URL, _HEADERS)


def draw_again() -> None:
    """To be called in each fetcher. `random` and OpenSSL see for themselves that they were forked."""
    std_headers["User-Agent"] = random_user_agent()
    for put in _drawn:
        put(str(uuid.uuid4()))


def _compiled(extractor: Any) -> type:
    """What stands behind yt-dlp's lazy class. Both keep their patterns once they have been asked."""
    extractor.suitable(_URL)
    real: type = getattr(extractor, "real_class", extractor)
    return real


def _kept(make: Callable[..., Any]) -> Callable[..., Any]:
    """Contexts are not changed once they are made, but take a while: 150 authorities are read for each."""

    @functools.cache
    def made(settings: frozenset[tuple[str, Any]]) -> Any:
        return make(**dict(settings))

    return lambda **settings: made(frozenset(settings.items()))


def _noting(draw: Callable[[], uuid.UUID], made: set[str]) -> Callable[[], uuid.UUID]:
    def uuid4() -> uuid.UUID:
        drawn = draw()
        made.add(str(drawn))
        return drawn

    return uuid4


def _having(made: set[str], extractors: list[type]) -> Iterator[Callable[[str], None]]:
    for owner in set(itertools.chain.from_iterable(one.__mro__ for one in extractors)):
        for name, value in vars(owner).items():
            if isinstance(value, str) and value in made:
                yield functools.partial(setattr, owner, name)
            if isinstance(value, dict):
                yield from (
                    functools.partial(value.__setitem__, key)
                    for key, one in value.items()
                    if isinstance(one, str) and one in made
                )
