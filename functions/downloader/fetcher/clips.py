"""Where a clip starts in a file: at which picture, and whether that can be shown without those before it."""

import dataclasses
from pathlib import Path

from downloader.fetcher import programs
from downloader.fetcher.probe import PROBE_S, Probe
from reelhaul.errors import SourceClipOutOfRange
from reelhaul.options import Clip

_TOLERANCE_S = 0.001  # Matroska's clock ticks in milliseconds: a picture at 6.673333 s is found at 6.673
_AHEAD_S = (
    1.0,
    60.0,
    86_400.0,
)  # how far to look for a picture, if there was none in less: most sources have 25 a second


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cut:
    """A part of a file, `start_s` after its beginning. Without `seconds` up to the end."""

    start_s: float
    seconds: float | None
    on_key_frame: bool

    @property
    def before_input(self) -> list[str]:
        return ["-ss", f"{self.start_s:.6f}"]

    @property
    def after_input(self) -> list[str]:
        return [] if self.seconds is None else ["-t", f"{self.seconds:.6f}"]


def find(path: Path, found: Probe, clip: Clip, *, with_video: bool) -> Cut:
    """The part of `path` that `clip` asks for: with a video, from the first picture at or after its start.

    Raises `SourceClipOutOfRange` where there is none.
    """
    if found.duration_s is not None and clip.start_s >= found.duration_s:
        raise SourceClipOutOfRange
    start_s, on_key_frame = _first_picture(path, found, clip.start_s) if with_video else (clip.start_s, True)
    seconds = None if clip.end_s is None else max(clip.end_s - start_s, _TOLERANCE_S)
    return Cut(start_s=start_s, seconds=seconds, on_key_frame=on_key_frame)


def _first_picture(path: Path, found: Probe, start_s: float) -> tuple[float, bool]:
    """When the first picture from `start_s` on is shown, and whether it is a key frame."""
    for ahead_s in _AHEAD_S:
        pictures = _pictures(path, from_s=found.start_s + start_s, to_s=found.start_s + start_s + ahead_s)
        at, is_key = min(
            ((at - found.start_s, key) for at, key in pictures if at - found.start_s >= start_s - _TOLERANCE_S),
            default=(0.0, None),
        )
        if is_key is not None:
            return max(at, 0.0), is_key
    raise SourceClipOutOfRange


def _pictures(path: Path, *, from_s: float, to_s: float) -> list[tuple[float, bool]]:
    """When pictures are shown on the file's own clock, and which are key frames: from the one before `from_s` on."""
    wanted = ["-select_streams", "V:0", "-show_entries", "packet=pts_time,flags", "-of", "csv=p=0"]
    interval = ["-read_intervals", f"{from_s:.6f}%{to_s:.6f}"]
    done = programs.run("ffprobe", *wanted, *interval, f"file:{path}", timeout_s=PROBE_S)
    lines = [line.split(",") for line in done.stdout.decode("ascii", "replace").splitlines()]
    return [(float(line[0]), "K" in line[1]) for line in lines if _is_shown(line)]


def _is_shown(line: list[str]) -> bool:
    return len(line) >= 2 and line[0] != "N/A" and "D" not in line[1]
