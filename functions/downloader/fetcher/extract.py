"""From a URL to a file, with our policy between finding out what is there and fetching it."""

import dataclasses
import itertools
import weakref
from pathlib import Path
from typing import Any, Self

import yt_dlp
from yt_dlp.extractor import gen_extractor_classes
from yt_dlp.utils import MEDIA_EXTENSIONS, sanitize_url, unsmuggle_url

from downloader.events import Direct
from downloader.fetcher.marks import Watch, Watches
from downloader.fetcher.numbers import number
from downloader.fetcher.progress import Tracks
from downloader.fetcher.request import Request
from reelhaul.errors import (
    ExtractorBroken,
    InvalidRequest,
    SourceDrm,
    SourceInterrupted,
    SourceIsPlaylist,
    SourceLive,
    SourceNotFound,
    SourceTooLarge,
    SourceTooLong,
    SourceUnsupported,
)
from reelhaul.sources import check_source

_MEDIA_ENDINGS = {*MEDIA_EXTENSIONS.video, *MEDIA_EXTENSIONS.audio}
_GENERIC = {"Generic", "HTML5MediaEmbed"}  # for pages of any site
_MAX_NESTING = 4  # a page that embeds a player that holds one video, as the entry of a list
_LISTS = {"playlist", "multi_video", "compat_list"}
_ADDRESSES = {"url", "url_transparent"}
_SMUGGLED_NAMES = {"force_videoid"}  # of what yt-dlp hides in URLs for its extractors, what these can do without
_LIVE = {"is_live", "is_upcoming"}


class Extractor(yt_dlp.YoutubeDL):  # type: ignore[misc]  # it ships no types
    """yt-dlp up to a playlist, which it would go through at once, to its end or to the first entry that fails."""

    watch: Watch | Watches | None = None  # looks at what the server of the medium answers

    def __init__(self, params: dict[str, Any]) -> None:
        self._replies: list[weakref.ref[Any]] = []
        super().__init__(params)

    def urlopen(self, req: Any) -> Any:
        if self.watch is not None:
            return self.watch.open(super().urlopen, req)
        reply = super().urlopen(req)
        self._replies.append(weakref.ref(reply))
        return reply

    def hang_up(self) -> None:
        """End what was opened so far and is not read to its end.

        To look at a file takes its first bytes. Its server would go on sending it, and may refuse whoever comes for it
        with a second connection.
        """
        for reference in self._replies:
            reply = reference()
            if reply is not None:
                reply.close()
        self._replies.clear()

    def process_ie_result(self, ie_result: dict[str, Any], download: bool = True, extra_info: Any = None) -> Any:  # noqa: FBT001, FBT002 - as in the base class
        """A playlist is handed back as it is."""
        if ie_result.get("_type") in _LISTS:
            return ie_result
        return super().process_ie_result(ie_result, download, extra_info)

    def _forceprint(self, key: str, info_dict: Any) -> Any:  # noqa: ARG002 - as in the base class
        """Nothing is printed here. The base class puts tables of all formats together first, nine times a medium."""
        return info_dict

    def add_default_info_extractors(self) -> None:
        """Those that are enabled by default. To see what else may be wished for takes the base class a while."""
        for extractor in gen_extractor_classes():
            if extractor._ENABLED:  # noqa: SLF001 - there is nothing else to ask
                self.add_info_extractor(extractor)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Several:
    """A playlist, or a page with several media: the first entries by their numbers, without those that are gone.

    `info` and the entries are as yt-dlp has them. `count` is `None` where the source does not tell.
    """

    info: dict[str, Any]
    entries: dict[int, dict[str, Any]]
    truncated: bool
    count: int | None

    @classmethod
    def read(cls, info: dict[str, Any], *, most: int) -> Self:
        """Read one entry more than `most`, so as to know whether there are more, and no further."""
        entries = dict(enumerate(itertools.islice(iter(_entries(info)), most + 1), start=1))
        truncated = len(entries) > most
        return cls(
            info=info,
            entries={number: entry for number, entry in entries.items() if entry and number <= most},
            truncated=truncated,
            count=_count(info) if truncated else len(entries),
        )

    def is_one(self) -> bool:
        return len(self.entries) == 1 and not self.truncated

    def entry(self, number: int) -> dict[str, Any]:
        """Raises `SourceNotFound`: the list had this entry once."""
        if number not in self.entries:
            raise SourceNotFound
        return self.entries[number]


def find(ydl: Extractor, request: Request) -> dict[str, Any] | Several:
    """What there is at the address: one medium with its formats chosen, or several where that is asked for.

    A list of one is that one, unless lists are preferred. Entries are counted in the outermost list that is no such.
    Raises `SourceError`.
    """
    if not _is_source(request.url):
        raise SourceUnsupported
    found = _titled(ydl.extract_info(request.url, download=False))
    number, keep_lists = request.entry, request.prefers_lists
    for _ in range(_MAX_NESTING):
        if not found:
            raise SourceUnsupported
        if found.get("_type", "video") == "video":
            if number is not None and number > 1:
                raise SourceNotFound
            return dict(found)
        several = Several.read(found, most=number or request.most_entries)
        if several.is_one() and not keep_lists:
            (entry,) = several.entries.values()
        elif number is not None:
            entry = several.entry(number)
            number, keep_lists = None, False
        else:
            return _permitted(several, request)
        found = _resolved(ydl, found, entry)
    raise SourceUnsupported


def direct(info: dict[str, Any], url: str) -> dict[str, str] | None:
    """The fields of `Direct`, if the medium is the very file at `url`."""
    if not info.get("direct") or info.get("extractor_key") not in _GENERIC or info.get("url") != url:
        return None
    return {"title": str(info["title"]), "extension": str(info["ext"])}


def directly(ydl: Extractor, url: str, known: Direct, format_id: str) -> dict[str, Any]:
    """Such a medium without looking: to do that is to have its server begin to send it."""
    info = {"id": known.title, "title": known.title, "extractor": "generic", "extractor_key": "Generic", "direct": True}
    one = {"format_id": format_id, "url": url, "ext": known.extension}
    return dict(ydl.process_ie_result({**info, "webpage_url": url, "formats": [one]}, download=False))


def _titled(found: dict[str, Any] | None) -> dict[str, Any] | None:
    """Of the only video on a page, the generic extractor makes "Title of the page (1)"."""
    title = str((found or {}).get("title"))
    if not found or found.get("extractor_key") not in _GENERIC or not str(found.get("id")).endswith("-1"):
        return found
    return {**found, "title": title.removesuffix(" (1)")}


def _permitted(several: Several, request: Request) -> Several:
    if request.wants_one and (several.entries or several.truncated):
        raise SourceIsPlaylist
    if not several.entries:
        raise SourceUnsupported
    return several


def prepare(info: dict[str, Any], *, max_duration_s: int = 0) -> dict[str, Any]:
    """A medium, ready to be fetched. Raises `SourceError` for what is not fetched on principle.

    Nor is what plays longer than `max_duration_s`, unless that is 0. Of a plain file it shows only once that is there.
    """
    if is_live(info):
        raise SourceLive
    refuse_drm(info)
    if max_duration_s and (number(info.get("duration")) or 0) > max_duration_s:
        raise SourceTooLong
    _name_plainly(info)
    return info


def refuse_drm(info: dict[str, Any]) -> None:
    """Raises `SourceDrm`."""
    if info.get("_has_drm") or any(track.get("has_drm") for track in _tracks(info)):
        raise SourceDrm


def is_live(info: dict[str, Any]) -> bool:
    return bool(info.get("is_live")) or info.get("live_status") in _LIVE


def own_address(entry: dict[str, Any]) -> str | None:
    """The address at which a playlist's entry can be had without the playlist, if there is one we may go to."""
    url = entry.get("url")
    if entry.get("_type") not in _ADDRESSES or not isinstance(url, str):
        return None
    try:
        plain, smuggled = unsmuggle_url(sanitize_url(url, scheme="https"), {})
    except (ValueError, KeyError, TypeError):
        return None  # not of the form that yt-dlp writes
    return str(plain) if set(smuggled) <= _SMUGGLED_NAMES and _is_source(plain) else None


def _is_source(url: str) -> bool:
    try:
        check_source(url)
    except InvalidRequest:
        return False
    return True


def _resolved(ydl: Extractor, info: dict[str, Any], entry: dict[str, Any]) -> Any:
    extra = {name: info.get(name) for name in ("extractor", "extractor_key", "webpage_url") if info.get(name)}
    return ydl.process_ie_result(entry, download=False, extra_info=extra)


def _entries(info: dict[str, Any]) -> Any:
    """Something that is gone through once, from the beginning, and may ask the source for more as it goes."""
    entries = info.get("entries")
    return [] if entries is None else entries


def _count(info: dict[str, Any]) -> int | None:
    entries, count = _entries(info), info.get("playlist_count")
    if isinstance(entries, list):
        return len(entries)
    return count if isinstance(count, int) else None


def _name_plainly(info: dict[str, Any]) -> None:
    """Forget endings that URLs have and media have not, as in get.php: yt-dlp would refuse to write such a file.

    What the file really is gets probed once it is there.
    """
    for track in (info, *(info.get("formats") or []), *(info.get("requested_formats") or [])):
        if track.get("ext") not in _MEDIA_ENDINGS:
            track["ext"] = "unknown_video"


def _tracks(info: dict[str, Any]) -> list[dict[str, Any]]:
    return list(info.get("requested_formats") or [info])


def check_size(info: dict[str, Any], *, max_bytes: int) -> None:
    """Raises `SourceTooLarge` for what is known to be before anything of it has come."""
    if sum(track.get("filesize") or 0 for track in _tracks(info)) > max_bytes:
        raise SourceTooLarge


def download(ydl: yt_dlp.YoutubeDL, info: dict[str, Any], *, tracks: Tracks, max_bytes: int) -> Path:
    """Fetch what has been found and checked. The file, all tracks merged; yt-dlp's silent failures raise, too."""
    check_size(info, max_bytes=max_bytes)
    tracks.expect(info)
    result = ydl.process_ie_result(info, download=True) or {}
    downloads = result.get("requested_downloads") or []
    if len(downloads) != 1:
        raise ExtractorBroken(f"{len(downloads)} downloads")
    path = downloads[0].get("filepath")
    if not path or not Path(path).is_file():
        raise SourceInterrupted("no file")
    return Path(path)
