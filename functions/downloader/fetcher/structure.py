"""What can be read off a file's outermost structure: whether all of it is there, and what kind of container it is."""

import os
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

_MAX_BOXES = 10_000  # a fragmented mp4 of hours has a few thousand
_BOXES = {b"ftyp", b"styp", b"moov", b"mdat"}  # one of these is the first
_EBML, _DOC_TYPE, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x42\x82", b"\x18\x53\x80\x67"
_MAX_EBML_HEADER_BYTES = 4096
_HEADER_BYTES = 16  # of a box with a length in 64 bits


def is_cut_short(path: Path) -> bool:
    """True where a top-level box (ISO 14496-12) or the Segment (RFC 8794) reaches past the end of the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        file.seek(0)
        if start[4:8] in _BOXES:
            return any(end > size for _, _, end in boxes(file, 0, size))
        if start[:4] == _EBML:
            return _segment_reaches_past(file, size)
    return False


class Walk:
    """Over the outermost boxes of an mp4 that is still being written, each read before anybody may cut it out."""

    def __init__(self, start: int | None = 0) -> None:
        self._next = start or 0  # where a box starts, or would
        self._goes_on = start is not None

    @property
    def next(self) -> int | None:
        """Where to go on with another walk over the same file, `None` if there is nothing more to see."""
        return self._next if self._goes_on else None

    def advance(self, file: BinaryIO, size: int) -> int:
        """How many of the first `size` bytes are not needed here any more."""
        while self._goes_on and self._next + _HEADER_BYTES <= size:
            file.seek(self._next)
            header = file.read(_HEADER_BYTES)
            length = int.from_bytes(header[:4], "big")
            if length == 1:
                length = int.from_bytes(header[8:16], "big")
            self._goes_on = length >= 8  # else it is up to the end, or padding
            self._next += length if self._goes_on else 0
        return min(size, self._next) if self._goes_on else size

    def is_cut_short(self, size: int) -> bool:
        return self._goes_on and self._next > size


def is_fragmented(path: Path) -> bool:
    """Whether it is an mp4 in fragments, which players cannot seek in before they have read all of it."""
    size = path.stat().st_size
    with path.open("rb") as file:
        if file.read(12)[4:8] not in _BOXES:
            return False
        return any(kind == b"moof" for kind, _, _ in boxes(file, 0, size))


def is_webm(path: Path) -> bool:
    """Whether its EBML header says webm (RFC 8794, 11.2.6), and not matroska."""
    with path.open("rb") as file:
        if file.read(4) != _EBML:
            return False
        header = file.read(min(_ebml_length(file) or 0, _MAX_EBML_HEADER_BYTES))
    _, found, rest = header.partition(_DOC_TYPE)
    return bool(found) and rest[1:5] == b"webm"


def boxes(file: BinaryIO, start: int, end: int) -> Iterator[tuple[bytes, int, int]]:
    """The boxes from `start` up to `end`: what each is, where its content starts, where it should end.

    That may be past `end`, after which there are none. What is not a box ends them, too: players ignore padding.
    """
    for _ in range(_MAX_BOXES):
        if start >= end:
            return
        file.seek(start)
        header = file.read(16)
        length, content = int.from_bytes(header[:4], "big"), start + 8
        if length == 1:
            length, content = int.from_bytes(header[8:16], "big"), start + 16
        elif length == 0:  # up to the end, wherever that is
            length = end - start
        if len(header) < 8 or length < 8:
            return
        yield header[4:8], content, start + length
        start += length


def _segment_reaches_past(file: BinaryIO, size: int) -> bool:
    file.seek(len(_EBML))
    header_length = _ebml_length(file)
    if header_length is None:
        return False
    file.seek(header_length, os.SEEK_CUR)
    if file.read(4) != _SEGMENT:
        return False
    length = _ebml_length(file)
    return length is not None and file.tell() + length > size


def _ebml_length(file: BinaryIO) -> int | None:
    """A variable-length size (RFC 8794, 4), None for the reserved "unknown"."""
    first = file.read(1)
    if not first or not first[0]:
        return None
    width = 9 - first[0].bit_length()
    data = bytes([first[0] & (0xFF >> width)]) + file.read(width - 1)
    value = int.from_bytes(data, "big")
    return None if value == (1 << (7 * width)) - 1 else value
