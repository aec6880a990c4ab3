"""Whether a file ends before its container says it does. Only what can be read off the outermost structure."""

import os
from pathlib import Path
from typing import BinaryIO

_MAX_BOXES = 10_000  # a fragmented mp4 of hours has a few thousand
_EBML, _SEGMENT = b"\x1a\x45\xdf\xa3", b"\x18\x53\x80\x67"


def is_cut_short(path: Path) -> bool:
    """True where a top-level box (ISO 14496-12) or the Segment (RFC 8794) reaches past the end of the file."""
    size = path.stat().st_size
    with path.open("rb") as file:
        start = file.read(12)
        file.seek(0)
        if start[4:8] in {b"ftyp", b"styp", b"moov", b"mdat"}:
            return _boxes_reach_past(file, size)
        if start[:4] == _EBML:
            return _segment_reaches_past(file, size)
    return False


def _boxes_reach_past(file: BinaryIO, size: int) -> bool:
    position = 0
    for _ in range(_MAX_BOXES):
        if position == size:
            return False
        file.seek(position)
        header = file.read(16)
        length = int.from_bytes(header[:4], "big")
        if length == 0:  # to the end of the file, wherever that is
            return False
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        if len(header) < 8 or length < 8:
            return False  # not boxes after all, or padding: players ignore it, and so do we
        position += length
        if position > size:
            return True
    return False


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
