"""Which of a source's formats are fetched: the policy that yt-dlp's own selectors cannot express.

Never more lines of picture than were asked for where there is anything with as many or fewer, else the fewest there
are. Lines are the shorter side: an upright 1080x1920 is 1080p. Of as many lines, what needs no encoding.
"""

import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

import yt_dlp
from yt_dlp.networking import Request as WebRequest

from downloader.fetcher import probe, recipes
from downloader.fetcher.request import Request
from downloader.fetcher.timing import Deadline, TimeUp, at_most
from reelhaul.errors import SourceNoAudio

Format = dict[str, Any]
Selector = Callable[[dict[str, Any]], Iterable[Format]]

_MAX_PEEKS = 8
_PEEKS_S = 20.0  # for all of them together
_PEEK_BYTES = 1024**2  # the index of an hour of mp4, which is in front of what is meant for the web
_NAMED = re.compile(r"(?<!\d)(\d{3,4})p(?![a-z])", re.IGNORECASE)
_FAMILIES = (
    ("avc", "h264"), ("h264", "h264"), ("hvc", "hevc"), ("hev", "hevc"), ("h265", "hevc"), ("av01", "av1"),
    ("av1", "av1"), ("vp09", "vp9"), ("vp9", "vp9"), ("vp08", "vp8"), ("vp8", "vp8"), ("mp4v", "mpeg4"),
    ("mp4a.40.34", "mp3"), ("mp4a.6b", "mp3"), ("mp4a.69", "mp3"), ("mp4a", "aac"), ("aac", "aac"), ("mp3", "mp3"),
    ("ec-3", "eac3"), ("eac3", "eac3"), ("ac-3", "ac3"), ("opus", "opus"), ("vorbis", "vorbis"), ("flac", "flac"),
    ("alac", "alac"),
)  # fmt: skip


def install(ydl: yt_dlp.YoutubeDL, request: Request) -> None:
    """Make `ydl` choose from what `narrowed` leaves, after a look into formats that do not tell their size."""
    choose: Selector = ydl.format_selector

    def selector(context: dict[str, Any]) -> Iterator[Format]:
        formats = list(context["formats"])
        if request.max_height is not None:
            _peek(ydl, formats, request.directory)
        yield from choose(_context(narrowed(formats, request)))

    ydl.format_selector = selector


def narrowed(formats: list[Format], request: Request) -> list[Format]:
    """Of formats, worst first, the one picture and the one sound to be fetched; they may be the same.

    Raises `SourceNoAudio` where sound alone is asked for and there is none.
    """
    sounds = [one for one in formats if _has(one, "acodec")]
    alone = [one for one in sounds if not _has(one, "vcodec")]
    if request.wants_audio:
        if formats and not sounds:
            raise SourceNoAudio
        return [_fitting(alone, "acodec", recipes.kept_audio(request.options))] if alone else _within(sounds, request)
    pictures = [one for one in formats if _has(one, "vcodec")]
    if not pictures:
        return alone[-1:]
    if not alone:  # a picture that has no sound is the last resort
        pictures = [one for one in pictures if _has(one, "acodec")] or pictures
    picture = _within(pictures, request)[-1]
    if _has(picture, "acodec"):
        return [picture]
    return [*([_fitting(alone, "acodec", recipes.kept_audio(request.options))] if alone else []), picture]


def lines(one: Format) -> int | None:
    """How many lines of picture a format has, as far as it tells."""
    sides = [int(one[side]) for side in ("width", "height") if one.get(side)]
    if sides:
        return min(sides)
    named = next(filter(None, (_NAMED.search(str(one.get(name) or "")) for name in ("format_note", "format_id"))), None)
    return int(named[1]) if named else None


def _within(pictures: list[Format], request: Request) -> list[Format]:
    """The best that is within the limit."""
    best = pictures[-1]
    if request.max_height is not None:
        best = _limited(pictures, request.max_height)
    alike = [one for one in pictures if one is best or (lines(one) is not None and lines(one) == lines(best))]
    return [_fitting(alike, "vcodec", recipes.kept_video(request.options), best=best)]


def _limited(pictures: list[Format], limit: int) -> Format:
    known = [(count, index) for index, one in enumerate(pictures) if (count := lines(one)) is not None]
    within = max(((count, index) for count, index in known if count <= limit), default=None)
    if within is not None:
        return pictures[within[1]]
    unknown = [one for one in pictures if lines(one) is None]
    if unknown:
        return unknown[0]
    fewest = min(count for count, _ in known)
    return pictures[max(index for count, index in known if count == fewest)]


def _fitting(formats: list[Format], codec: str, kept: set[str] | None, *, best: Format | None = None) -> Format:
    """The best format whose codec can be kept, else the best of all. Of sounds only those in the same language."""
    best = best or formats[-1]
    if kept is None or _family(best.get(codec)) in kept:
        return best
    same = [one for one in formats if codec == "vcodec" or one.get("language") == best.get("language")]
    return next((one for one in reversed(same) if _family(one.get(codec)) in kept), best)


def _family(codec: str | None) -> str | None:
    """The name that ffmpeg has for what a source calls "avc1.64001f" or the like."""
    name = (codec or "").lower()
    return next((family for start, family in _FAMILIES if name.startswith(start)), None)


def _has(one: Format, codec: str) -> bool:
    """Also where the source does not say."""
    return one.get(codec) != "none"


def _context(formats: list[Format]) -> dict[str, Any]:
    """What yt-dlp's selectors want to know about the formats."""
    return {
        "formats": formats,
        "has_merged_format": any(_has(one, "vcodec") and _has(one, "acodec") for one in formats),
        "incomplete_formats": not any(_has(one, "vcodec") for one in formats)
        or not any(_has(one, "acodec") for one in formats),
    }


def _peek(ydl: yt_dlp.YoutubeDL, formats: list[Format], directory: Path) -> None:
    """Fetch the first bytes of formats whose lines nobody tells, and note what is in there."""
    pictures = [one for one in formats if _has(one, "vcodec")]
    unknown = [one for one in pictures if lines(one) is None and "peeked" not in one]
    if len(pictures) < 2:
        return
    time = Deadline(_PEEKS_S)
    for one in unknown[:_MAX_PEEKS]:
        one["peeked"] = True
        found = _beginning(ydl, one, directory / "peek.part", seconds=time.seconds)
        if found is not None and found.lines:
            one["height"] = found.lines  # of which there may be more the other way: what counts is the shorter side
        if found is not None and not found.video:
            one["vcodec"] = "none"


def _beginning(ydl: yt_dlp.YoutubeDL, one: Format, path: Path, *, seconds: float) -> probe.Probe | None:
    try:
        with at_most(seconds):
            if one.get("protocol") in {"http", "https"}:
                path.write_bytes(_first_bytes(ydl, one))
            else:
                ydl.dl(str(path), one, test=True)  # the first segment
        return probe.glance(path)
    except (Exception, TimeUp):  # noqa: BLE001 - it stays unknown; whether it can be fetched at all shows when it is
        return None
    finally:
        for left in path.parent.glob(path.name + "*"):
            left.unlink(missing_ok=True)


def _first_bytes(ydl: yt_dlp.YoutubeDL, one: Format) -> bytes:
    headers = {**(one.get("http_headers") or {}), "Range": f"bytes=0-{_PEEK_BYTES - 1}"}
    with ydl.urlopen(WebRequest(one["url"], headers=headers)) as reply:
        return bytes(reply.read(_PEEK_BYTES))
