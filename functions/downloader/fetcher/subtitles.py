"""Subtitles as files of their own, always as WebVTT, whatever the source has: WebVTT, also in HLS, SRT or TTML."""

import functools
from collections.abc import Iterable
from typing import Any

from yt_dlp.utils import dfxp2srt

from downloader.content_types import MAX_EXTRA_BYTES, SUBTITLES
from downloader.fetcher.cues import NotSubtitles, Subtitles
from downloader.fetcher.extras import Extra, Session, if_possible
from downloader.fetcher.finishing import Output

_KNOWN = ("vtt", "srt", "ttml", "dfxp")  # best first
_TTML = ("ttml", "dfxp")
_KINDS = ("subtitles", "automatic_captions")  # what a machine has heard comes last


def fetch(info: dict[str, Any], languages: Iterable[str], output: Output, session: Session) -> list[Extra]:
    """A file for each language that the source has and that could be had, fitting `output`, clip and all."""
    found: list[Extra] = []
    for index, language in enumerate(languages):
        one = functools.partial(_one, info, index, language, output, session)
        found += if_possible(one, "subtitles", seconds=session.seconds)
    return found


def matching(code: str, names: Iterable[str]) -> str | None:
    """The source's name for a language: `code`, else a kind of it ("en-US" for "en"), else what it is a kind of."""
    known: dict[str, str] = {}
    for name in names:
        known.setdefault(name.lower().replace("_", "-"), name)
    wanted = code.lower()
    if wanted in known:
        return known[wanted]
    kinds = [name for name in known if name.startswith(wanted + "-")]
    general = [name for name in known if wanted.startswith(name + "-")]
    best = min(kinds, key=len, default=None) or max(general, key=len, default=None)
    return known[best] if best else None


def choose(info: dict[str, Any], code: str) -> dict[str, Any] | None:
    """The track to fetch for a language."""
    for kind in _KINDS:
        offered = {
            str(name): known
            for name, tracks in (info.get(kind) or {}).items()
            if (known := [track for track in tracks or () if track.get("ext") in _KNOWN])
        }
        name = matching(code, offered)
        if name is not None:
            return dict(min(offered[name], key=lambda track: _KNOWN.index(track["ext"])))
    return None


def read(data: bytes, extension: str) -> Subtitles:
    """Raises `NotSubtitles`."""
    if extension not in _TTML:
        return Subtitles.parse(data)
    if b"<!DOCTYPE" in data or b"<!ENTITY" in data or b"<tt" not in data.replace(b":", b"")[:4096]:
        raise NotSubtitles("not TTML")
    return Subtitles.parse(dfxp2srt(data).encode())


def _one(info: dict[str, Any], index: int, code: str, output: Output, session: Session) -> Extra | None:
    track = choose(info, code)
    if track is None:
        return None
    most = MAX_EXTRA_BYTES[SUBTITLES]
    found = read(_load(track, info, session, most=most), track["ext"])
    data = found.moved(_shift_s(found, output), most_s=_end_s(output)).to_vtt()
    if len(data) > most:
        return None
    path = session.directory / f"subtitles-{index}.vtt"
    path.write_bytes(data)
    return Extra(kind=SUBTITLES, path=path, extension="vtt", language=code)


def _load(track: dict[str, Any], info: dict[str, Any], session: Session, *, most: int) -> bytes:
    if isinstance(track.get("data"), str):
        return str(track["data"]).encode()[: most + 1]
    headers = track.get("http_headers") or info.get("http_headers") or {}
    if "protocol" in track or "fragments" in track:
        return session.track({**track, "http_headers": headers}, most=most)
    return session.page(str(track.get("url")), headers, most=most)


def _shift_s(found: Subtitles, output: Output) -> float:
    """How much later the cues are in the file that is handed over than by their own clock."""
    known = found.mpeg_s is not None and output.source_start_s is not None
    offset_s = (found.mpeg_s or 0.0) - (output.source_start_s or 0.0) if known else 0.0
    return offset_s - (output.clip_start_s or 0.0)


def _end_s(output: Output) -> float | None:
    return None if output.clip_start_s is None else output.duration_s
