"""What a file really is. Names and Content-Types are the source's claims; this looks inside."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Self

from downloader.fetcher import programs, structure
from reelhaul.errors import SourceInterrupted, SourceNotMedia

PROBE_S = 60


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """`demuxer` as ffmpeg names it, codecs of all streams that play, each sound's `channels` and `bits` (0: unknown).

    Lines of picture, bits and seconds if known. `webm`: its own header says so, and not just Matroska. `start_s` is
    the time on its own clock at which it begins.
    """

    demuxer: str
    video: tuple[str, ...]
    audio: tuple[str, ...]
    channels: tuple[int, ...] = ()
    bits: tuple[int, ...] = ()
    quicktime: bool = False
    fragmented: bool = False
    webm: bool = False
    lines: int | None = None
    bits_per_s: int | None = None
    duration_s: float | None = None
    start_s: float = 0.0

    @classmethod
    def parse(cls, found: dict[str, Any]) -> Self:
        container = found.get("format") or {}
        streams = found.get("streams") or []
        pictures = [one for one in streams if one.get("codec_type") == "video" and not _is_cover(one)]
        sounds = [one for one in streams if one.get("codec_type") == "audio"]
        sides = [int(one[side]) for one in pictures[:1] for side in ("width", "height") if one.get(side)]
        return cls(
            demuxer=str(container.get("format_name", "")),
            video=tuple(str(one.get("codec_name", "")) for one in pictures),
            audio=tuple(str(one.get("codec_name", "")) for one in sounds),
            channels=tuple(int(one.get("channels") or 0) for one in sounds),
            bits=tuple(_int(one.get("bits_per_raw_sample")) or one.get("bits_per_sample") or 0 for one in sounds),
            quicktime=str((container.get("tags") or {}).get("major_brand", "")).strip() == "qt",
            lines=min(sides) if sides else None,  # an upright 1080x1920 is 1080p, too
            bits_per_s=_int(container.get("bit_rate")),
            duration_s=_seconds(container.get("duration")),
            start_s=_seconds(container.get("start_time")) or 0.0,
        )

    def is_read_by(self, demuxer: str) -> bool:
        return demuxer in self.demuxer.split(",")


def probe(path: Path) -> Probe:
    """Raises `SourceNotMedia` if nothing in it plays, `SourceInterrupted` if its container announces more."""
    cut_short = structure.is_cut_short(path)
    found = _ffprobe(path)
    if found is None:
        raise SourceInterrupted if cut_short else SourceNotMedia
    result = Probe.parse(found)
    if not result.video and not result.audio:
        raise SourceNotMedia
    if cut_short:
        raise SourceInterrupted
    return dataclasses.replace(result, fragmented=structure.is_fragmented(path), webm=structure.is_webm(path))


def glance(path: Path) -> Probe | None:
    """What is in the beginning of a file, if that can be told from it."""
    found = _ffprobe(path)
    if found is None:
        return None
    return dataclasses.replace(
        Probe.parse(found), fragmented=structure.is_fragmented(path), webm=structure.is_webm(path)
    )


def _ffprobe(path: Path) -> dict[str, Any] | None:
    done = programs.run("ffprobe", "-show_format", "-show_streams", "-of", "json", f"file:{path}", timeout_s=PROBE_S)
    return json.loads(done.stdout) if done.returncode == 0 else None


def _is_cover(stream: dict[str, Any]) -> bool:
    disposition = stream.get("disposition") or {}
    return bool(disposition.get("attached_pic") or disposition.get("still_image"))


def _int(value: object) -> int | None:
    return int(value) if isinstance(value, str) and value.isdigit() else None


def _seconds(value: object) -> float | None:
    try:
        return float(str(value))
    except ValueError:
        return None
