"""Where a track that is still being fetched can be cut, so that a muxer gets whole fragments and another can go on."""

import abc
import os
from bisect import bisect_left
from typing import Protocol

from downloader.fetcher.fragments import Fragments

MAX_HEAD_BYTES = 8 * 1024**2  # of what stands before the first fragment
MAX_PIECE_BYTES = 32 * 1024**2  # of which it is waited for the end, wherever the disk could hold more
_BOX_BYTES = 16  # a box's header, with a length in 64 bits
_FIRST_BOXES = {b"ftyp", b"styp", b"moov"}
_EBML, _SEGMENT, _CLUSTER = 0x1A45DFA3, 0x18538067, 0x1F43B675
_HEADS = {0x1549A966, 0x1654AE6B}  # Info and Tracks (RFC 9559)
_ELEMENT_BYTES = 12  # an id of up to 4 bytes, a size of up to 8
_UNKNOWN_SIZE = b"\x01" + b"\xff" * 7


class Bounds(Protocol):
    """Of one track's file. Places in the file count as the source does."""

    head: bytes  # what has to come before fragments that do not follow the file's beginning

    wanted_bytes: int  # how large the file has to be for more of it to be within reach, if that is known

    @property
    def end(self) -> int | None:
        """The source's name for the place behind which nothing comes, where that is known, for any thread.

        Whoever fetches it may not have said yet that it is there.
        """

    def reach(self, descriptor: int, size: int) -> int:
        """How far a file of that size may be read: to the end of a fragment, unless these are too large for that."""

    def cut(self, read_bytes: int) -> tuple[int, int] | None:
        """The first bound that is not before that: where in the file, and the source's name for it (as `Source.place`).

        `None` where the muxer has a part of a fragment already, or nobody knows how to cut.
        """


class Uncut:
    """Nobody knows how to cut it."""

    head = b""
    wanted_bytes = 0
    end = None

    def reach(self, descriptor: int, size: int) -> int:  # noqa: ARG002 - as of others
        return size

    def cut(self, read_bytes: int) -> tuple[int, int] | None:  # noqa: ARG002 - as of others
        return None


class InFragments:
    """Of a playlist or a manifest: each of them is whole by itself. The file starts with what they need."""

    head = b""
    wanted_bytes = 0

    def __init__(self, fragments: Fragments) -> None:
        self._fragments = fragments
        self._ends: list[int] = []
        self._counts: list[int] = []

    def reach(self, descriptor: int, size: int) -> int:  # noqa: ARG002 - as of others
        count, end, _ = self._fragments.so_far
        if end and (not self._ends or end > self._ends[-1]):
            self._ends.append(end)
            self._counts.append(count)
        return min(end, size)

    def cut(self, read_bytes: int) -> tuple[int, int] | None:
        index = bisect_left(self._ends, read_bytes)
        return (self._ends[index], self._counts[index]) if index < len(self._ends) else None

    @property
    def end(self) -> int | None:
        return self._fragments.total or None


class _InPieces(abc.ABC):
    """Of one file over HTTP, by what stands in it. `start` is where it is begun with."""

    head_bytes = _BOX_BYTES
    end = None

    def __init__(self, start: int, *, head: bytes = b"") -> None:
        self.head = head
        self._is_complete = bool(head)  # the head
        self._next = start
        self._bounds = [start] if head else []
        self._is_too_much = False
        self._next_ends_at = 0
        self.wanted_bytes = 0

    def reach(self, descriptor: int, size: int) -> int:
        while not self._is_too_much and self._next + self.head_bytes <= size:
            if not self._piece(descriptor, size):
                break
        last = self._bounds[-1] if self._bounds else 0
        is_near = not self._is_too_much and max(size, self._next_ends_at) - last <= MAX_PIECE_BYTES
        self.wanted_bytes = self._next_ends_at if is_near else 0  # what is passed on as it comes is not waited for
        return last if is_near else size

    def cut(self, read_bytes: int) -> tuple[int, int] | None:
        index = bisect_left(self._bounds, read_bytes)
        return (self._bounds[index],) * 2 if index < len(self._bounds) else None

    @abc.abstractmethod
    def _piece(self, descriptor: int, size: int) -> bool:
        """Look at the next one; False if more of it has to come first."""

    def _keep(self, descriptor: int, start: int, length: int) -> None:
        """As long as it is no more than can go along: an index of all that there is has no fragments behind it."""
        self._is_too_much = len(self.head) + length > MAX_HEAD_BYTES
        self.head += b"" if self._is_too_much else os.pread(descriptor, length, start)


class InBoxes(_InPieces):
    """A fragmented mp4 (ISO/IEC 14496-12, 8.8): a bound is behind each mdat."""

    def _piece(self, descriptor: int, size: int) -> bool:
        header = os.pread(descriptor, _BOX_BYTES, self._next)
        length, kind = int.from_bytes(header[:4], "big"), header[4:8]
        if length == 1:
            length = int.from_bytes(header[8:16], "big")
        self._next_ends_at = self._next + length + _BOX_BYTES
        if length < 8 or self._next + length > size:
            return False
        if kind in {b"ftyp", b"moov"} and not self._is_complete:
            self._keep(descriptor, self._next, length)
        self._is_complete = self._is_complete or kind == b"moof"
        self._next += length
        if kind == b"mdat" and self._is_complete:
            self._bounds.append(self._next)
        return True


class InClusters(_InPieces):
    """Matroska (RFC 9559): a bound is before and behind each Cluster that tells its length."""

    head_bytes = _ELEMENT_BYTES

    def _piece(self, descriptor: int, size: int) -> bool:
        found = _element(os.pread(descriptor, _ELEMENT_BYTES, self._next))
        if found is None:
            return False
        name, width, length = found
        if name == _SEGMENT:
            self.head += name.to_bytes(4, "big") + _UNKNOWN_SIZE
            self._next += width
            return True
        self._next_ends_at = self._next + width + (length or 0) + _ELEMENT_BYTES
        if length is None or self._next + width + length > size:
            return False
        if name == _EBML or (name in _HEADS and not self._is_complete):
            self._keep(descriptor, self._next, width + length)
        self._is_complete = self._is_complete or name == _CLUSTER
        self._next += width + length
        if name == _CLUSTER:
            self._bounds.append(self._next)
        return True


def _element(data: bytes) -> tuple[int, int, int | None] | None:
    """Id, bytes of the header and of the content (RFC 8794, 4 to 6), which may be unknown."""
    if not data[0]:
        return None
    id_width = 9 - data[0].bit_length()
    first = data[id_width : id_width + 1]
    if id_width > 4 or not first or not first[0]:
        return None
    width = 9 - first[0].bit_length()
    value = int.from_bytes(data[id_width : id_width + width], "big") & ((1 << (7 * width)) - 1)
    length = None if value == (1 << (7 * width)) - 1 else value
    return int.from_bytes(data[:id_width], "big"), id_width + width, length


def in_pieces(descriptor: int, start: int, *, head: bytes = b"") -> Bounds:
    """Of one file over HTTP, by its beginning, which is the `head` if it is not there any more."""
    first = head[:_BOX_BYTES] or os.pread(descriptor, _BOX_BYTES, 0)
    if first[4:8] in _FIRST_BOXES:
        return InBoxes(start, head=head)
    if first[:4] == _EBML.to_bytes(4, "big"):
        return InClusters(start, head=head)
    return Uncut()
