"""An ordinary mp4 out of ffmpeg's fragments, written strictly forward: samples as they come, the index at the end.

ffmpeg itself writes an ordinary one only where it can go back, to fill in how much there was; and of what is sent while
it grows nothing can be changed any more. Fragments it writes forward, but players cannot seek in them before they have
read them all. So each fragment's samples are passed on in an `mdat` of their own, what its `moof` says of them is
remembered, and becomes one `moov` (ISO/IEC 14496-12: 8.8 fragments, 8.6 and 8.7 sample tables, 8.16 for neither).

Until that is written, what is remembered can be put aside, for another one to go on with what another ffmpeg writes.
"""

import dataclasses
import struct
import zlib
from collections.abc import Callable
from typing import IO

from downloader.fetcher import moov
from downloader.fetcher.moov import box, boxes
from downloader.fetcher.samples import Malformed, Samples
from downloader.fetcher.seam import Seam

__all__ = ["Defragmenter", "Malformed"]

COPY_BYTES = 256 * 1024
MAX_HEAD_BYTES = 64 * 1024**2  # of a moov or moof, which is kept in memory, and of what is put aside

_BRANDS = {"mp4": [b"isom", b"iso2", b"mp41"], "m4a": [b"M4A ", b"isom", b"iso2"]}
_HAS_OFFSET, _HAS_FIRST_FLAGS = 0x1, 0x4  # of trun
_SAMPLE_FIELDS = (0x100, 0x200, 0x400, 0x800)  # its samples' duration, size, flags and composition offset
_HAS_BASE, _HAS_DESCRIPTION, _HAS_DEFAULTS = 0x1, 0x2, (0x8, 0x10, 0x20)  # of tfhd
_UP_TO_32 = 2**32 - 1
_STATE = struct.Struct(">QII")  # bytes written, bytes of the moov, tracks


@dataclasses.dataclass(slots=True)
class _Fragment:
    """Of one track: its number, defaults of the samples, when it starts, and the samples themselves, unread."""

    number: int
    defaults: tuple[int, int, int]
    time: int | None = None
    runs: list[bytes] = dataclasses.field(default_factory=list)


class Defragmenter:
    """Reads ffmpeg's output from `source` to its end, and hands what becomes of it to `write`.

    With the `state` of an earlier one it goes on where that has stopped. `is_sound_whole`: as of a `Seam`.
    """

    def __init__(
        self,
        source: IO[bytes],
        write: Callable[[bytes], object],
        *,
        extension: str,
        state: bytes | None = None,
        is_sound_whole: bool = True,
    ) -> None:
        """Raises `Malformed` for a state that is none."""
        self._source, self._write = source, write
        self._extension = extension
        self._written = 0
        self._moov = b""
        self._tracks: dict[int, Samples] = {}  # by their numbers in the file
        self._current: dict[int, Samples] = {}  # by those in what is read
        self._seam: Seam | None = None
        self._again: dict[int, int] = {}  # how many samples are there already
        self._waiting: list[
            tuple[Samples, int, int]
        ] = []  # chunks of the fragment at hand: offset after its mdat's start
        self._is_sound_whole = is_sound_whole
        self.duration_s = 0.0
        if state is not None:
            self._take_up(state)

    def run(self) -> None:
        """All of it. Raises as `read` and `finish` do."""
        self.read()
        self.finish()

    def read(self) -> None:
        """To the end of what comes. Raises `Malformed`, as for output that breaks off, and `SourceChanged`."""
        brands = _BRANDS[self._extension]
        if not self._written:
            self._put(box(b"ftyp", brands[0], (512).to_bytes(4, "big"), *brands))
        before = 0  # how long the moof before an mdat is
        while (header := self._source.read(8)) != b"":
            kind, length, width = self._header(header)
            if kind == b"mdat":
                self._samples(length, before + width)
                continue
            content = self._exactly(length)
            if kind == b"moov":
                self._begin(content)
            elif kind == b"moof":
                before = width + length
                self._fragments(content)

    def finish(self) -> None:
        """That was all. Raises `Malformed` for nothing."""
        if not self._moov:
            raise Malformed("nothing came")
        self.duration_s, content = moov.movie(self._moov, self._tracks)
        self._put(box(b"moov", content))

    def put_aside(self) -> bytes:
        """What another one needs to go on. Raises `Malformed` for nothing, and for more than can be kept."""
        if not self._moov:
            raise Malformed("nothing came")
        tracks = b"".join(samples.put_aside(number) for number, samples in self._tracks.items())
        state = _STATE.pack(self._written, len(self._moov), len(self._tracks)) + self._moov + tracks
        if len(state) > MAX_HEAD_BYTES:
            raise Malformed("too much of an index")
        return zlib.compress(state)

    def _take_up(self, state: bytes) -> None:
        data, place = _unpacked(state), 0

        def take(count: int) -> bytes:
            nonlocal place
            place += count
            if place > len(data):
                raise Malformed("cut short")
            return data[place - count : place]

        self._written, length, tracks = _STATE.unpack(take(_STATE.size))
        self._moov = take(length)
        self._tracks = dict(Samples.taken_up(take) for _ in range(tracks))
        numbers = {moov.Trak.parse(content).number for kind, content in boxes(self._moov) if kind == b"trak"}
        if place != len(data) or numbers != set(self._tracks) or not self._written:
            raise Malformed("not what was put aside")

    @property
    def written_bytes(self) -> int:
        """How much of the file there is, together with what was before."""
        return self._written

    @property
    def ends_s(self) -> dict[bytes, float]:
        """Until when in the movie the first track of each kind (b"vide", b"soun") is shown."""
        traks = [moov.Trak.parse(content) for kind, content in boxes(self._moov) if kind == b"trak"]
        scale = next((moov.time_scale(content) for kind, content in boxes(self._moov) if kind == b"mvhd"), 1)
        found = {}
        for trak in reversed(traks):
            samples = self._tracks[trak.number]
            found[trak.kind] = float(trak.begins_s(scale)) + (samples.origin + samples.shown_until) / trak.scale
        return found

    def _put(self, data: bytes) -> None:
        self._write(data)
        self._written += len(data)

    def _exactly(self, length: int) -> bytes:
        if length > MAX_HEAD_BYTES:
            raise Malformed("too much of an index")
        data = self._source.read(length)
        if len(data) < length:
            raise Malformed("broken off")
        return data

    def _header(self, first: bytes) -> tuple[bytes, int, int]:
        """What box, how long its content, how long its header."""
        if len(first) < 8:
            raise Malformed("broken off")
        length, width = int.from_bytes(first[:4], "big"), 8
        if length == 1:
            length, width = int.from_bytes(self._exactly(8), "big"), 16
        if length < width:
            raise Malformed("a box without an end")
        return first[4:8], length - width, width

    def _samples(self, length: int, before: int) -> None:
        """An mdat. `before` is how far after the start of the moof its content was."""
        is_large = length + 8 > _UP_TO_32
        self._put(
            struct.pack(">I4sQ", 1, b"mdat", length + 16) if is_large else struct.pack(">I4s", length + 8, b"mdat")
        )
        start = self._written
        for samples, offset, count in self._waiting:
            samples.chunk(start + offset - before, count)
        self._waiting = []
        while length:
            data = self._source.read(min(length, COPY_BYTES))
            if not data:
                raise Malformed("broken off")
            self._put(data)
            length -= len(data)

    def _begin(self, content: bytes) -> None:
        if self._moov:
            self._seam = Seam(self._moov, content, self._tracks, is_sound_whole=self._is_sound_whole)
            self._current = self._seam.tracks
        else:
            self._moov = content
            self._current = self._tracks = {number: Samples((0, 0, 0)) for number in _numbers(content)}
        for number, defaults in _defaults(content).items():
            if number in self._current:
                self._current[number].defaults = defaults

    def _fragments(self, moof: bytes) -> None:
        found = [self._fragment(traf) for kind, traf in boxes(moof) if kind == b"traf"]
        if self._seam is not None:
            firsts = {one.number: one.time for one in found if one.time is not None and one.number not in self._again}
            self._again |= self._seam.join(firsts)
        for one in found:
            if one.time is not None:
                samples = self._current[one.number]
                samples.fragment_at(one.time + self._again.get(one.number, 0) * samples.frame)
            for run in one.runs:
                self._run(one, run)

    def _fragment(self, traf: bytes) -> _Fragment:
        found: _Fragment | None = None
        for kind, content in boxes(traf):
            if kind == b"tfhd":
                found = self._track_header(content)
            elif found is None:
                raise Malformed("a fragment of no track")
            elif kind == b"tfdt":
                found.time = int.from_bytes(content[4:12] if content[0] else content[4:8], "big")
            elif kind == b"trun":
                found.runs.append(content)
        if found is None:
            raise Malformed("a fragment of no track")
        return found

    def _track_header(self, content: bytes) -> _Fragment:
        flags, number = struct.unpack_from(">II", content)
        samples = self._current.get(number)
        if samples is None or flags & _HAS_BASE:
            raise Malformed("not where a fragment is expected")
        place = 12 if flags & _HAS_DESCRIPTION else 8
        defaults = list(samples.defaults)
        for index, flag in enumerate(_HAS_DEFAULTS):
            if flags & flag:
                (defaults[index],) = struct.unpack_from(">I", content, place)
                place += 4
        return _Fragment(number, (defaults[0], defaults[1], defaults[2]))

    def _run(self, fragment: _Fragment, content: bytes) -> None:
        flags, count = struct.unpack_from(">II", content)
        samples, place, first_flags = self._current[fragment.number], 8, None
        if not flags & _HAS_OFFSET:
            raise Malformed("samples without a place")
        (offset,) = struct.unpack_from(">i", content, place)
        place += 4
        if flags & _HAS_FIRST_FLAGS:
            (first_flags,) = struct.unpack_from(">I", content, place)
            place += 4
        present = [bool(flags & field) for field in _SAMPLE_FIELDS]
        form = struct.Struct(">" + "I" * sum(present[:3]) + ("i" if present[3] else ""))
        added = 0
        for index in range(count):
            values = iter(form.unpack_from(content, place + index * form.size))
            duration, size, its_flags = (
                next(values) if there else default
                for there, default in zip(present[:3], fragment.defaults, strict=True)
            )
            if index == 0 and first_flags is not None:
                its_flags = first_flags
            if self._is_there(fragment.number):
                offset += size
                continue
            samples.add(duration, size, its_flags, next(values, 0))
            added += 1
        if added:
            self._waiting.append((samples, offset, added))

    def _is_there(self, number: int) -> bool:
        """Whether the next sample of a track is one too many, behind a seam."""
        if self._again.get(number, 0) <= 0:
            return False
        self._again[number] -= 1
        return True


def _unpacked(state: bytes) -> bytes:
    unpacker = zlib.decompressobj()
    try:
        data = unpacker.decompress(state, MAX_HEAD_BYTES)
    except zlib.error as error:
        raise Malformed("not what was put aside") from error
    if not unpacker.eof:
        raise Malformed("more than was put aside")
    return data


def _numbers(content: bytes) -> list[int]:
    return [moov.Trak.parse(trak).number for kind, trak in boxes(content) if kind == b"trak"]


def _defaults(content: bytes) -> dict[int, tuple[int, int, int]]:
    """Duration, size and flags of samples, by the track's number."""
    found = {}
    for kind, mvex in boxes(content):
        if kind == b"mvex":
            for inner, trex in boxes(mvex):
                if inner == b"trex":
                    number, _, duration, size, flags = struct.unpack_from(">5I", trex, 4)
                    found[number] = (duration, size, flags)
    return found
