"""Where an mp4's presentation ends (ISO 14496-12, 8.6.6), which ffmpeg leaves to where its packets do."""

from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

from downloader.fetcher.structure import boxes

_MAX_EDITS = 100  # ffmpeg writes one or two


def end_at(path: Path, seconds: float) -> None:
    """Make every track of the mp4 at `path` end after `seconds` of the presentation, if it would go on for longer.

    Pictures are stored in the order of decoding: the last one that is shown may need one that comes after it.
    """
    with path.open("r+b") as file:
        for kind, start, end in boxes(file, 0, path.stat().st_size):
            if kind == b"moov":
                _end_movie(file, start, end, seconds)


def _end_movie(file: BinaryIO, start: int, end: int, seconds: float) -> None:
    most = 0
    for kind, inner, inner_end in boxes(file, start, end):
        if kind == b"mvhd":
            version = _number(file, inner, 1)
            most = round(seconds * _number(file, inner + (20 if version else 12), 4))
            _lower(file, inner + (24 if version else 16), 8 if version else 4, most)
        elif kind == b"trak":
            _end_track(file, inner, inner_end, most)


def _end_track(file: BinaryIO, start: int, end: int, most: int) -> None:
    for kind, inner, inner_end in boxes(file, start, end):
        if kind == b"tkhd":
            version = _number(file, inner, 1)
            _lower(file, inner + (28 if version else 20), 8 if version else 4, most)
        elif kind == b"edts":
            for place, width in _edits(file, inner, inner_end):
                most -= _lower(file, place, width, most)


def _edits(file: BinaryIO, start: int, end: int) -> Iterator[tuple[int, int]]:
    """Where the duration of each edit stands, and in how many bytes."""
    for kind, inner, _ in boxes(file, start, end):
        if kind == b"elst":
            width, size = (8, 20) if _number(file, inner, 1) else (4, 12)
            for index in range(min(_number(file, inner + 4, 4), _MAX_EDITS)):
                yield inner + 8 + index * size, width


def _lower(file: BinaryIO, place: int, width: int, most: int) -> int:
    """Make the number at `place` at most `most`. What it is then."""
    number = min(_number(file, place, width), most)
    file.seek(place)
    file.write(number.to_bytes(width, "big"))
    return number


def _number(file: BinaryIO, place: int, width: int) -> int:
    file.seek(place)
    return int.from_bytes(file.read(width), "big")
