"""An ordinary mp4 out of ffmpeg's fragments, written strictly forward: samples as they come, the index at the end.

ffmpeg itself writes an ordinary one only where it can go back, to fill in how much there was; and of what is sent while
it grows nothing can be changed any more. Fragments it writes forward, but players cannot seek in them before they have
read them all. So each fragment's samples are passed on in an `mdat` of their own, what its `moof` says of them is
remembered, and becomes one `moov` (ISO/IEC 14496-12: 8.8 fragments, 8.6 and 8.7 sample tables, 8.16 for neither).
"""

import dataclasses
import struct
from array import array
from collections.abc import Callable, Iterator
from typing import IO

COPY_BYTES = 256 * 1024
MAX_HEAD_BYTES = 64 * 1024**2  # of a moov or moof, which is kept in memory

_BRANDS = {"mp4": [b"isom", b"iso2", b"mp41"], "m4a": [b"M4A ", b"isom", b"iso2"]}
_HAS_OFFSET, _HAS_FIRST_FLAGS = 0x1, 0x4  # of trun
_SAMPLE_FIELDS = (0x100, 0x200, 0x400, 0x800)  # its samples' duration, size, flags and composition offset
_HAS_BASE, _HAS_DESCRIPTION, _HAS_DEFAULTS = 0x1, 0x2, (0x8, 0x10, 0x20)  # of tfhd
_NO_SYNC_SAMPLE = 0x10000
_UP_TO_32 = 2**32 - 1


class Malformed(ValueError):
    """Not what ffmpeg writes."""


@dataclasses.dataclass(slots=True)
class _Track:
    """What a moov has to say of a track's samples, in the order of decoding."""

    defaults: tuple[int, int, int]  # duration, size, flags: of `trex`
    sizes: "array[int]" = dataclasses.field(default_factory=lambda: array("I"))
    durations: list[list[int]] = dataclasses.field(default_factory=list)  # runs: how many, how long
    shifts: list[list[int]] = dataclasses.field(default_factory=list)  # the same of composition offsets
    keys: "array[int]" = dataclasses.field(default_factory=lambda: array("I"))
    chunk_offsets: "array[int]" = dataclasses.field(default_factory=lambda: array("Q"))
    chunk_samples: "array[int]" = dataclasses.field(default_factory=lambda: array("I"))
    starts_at: int | None = None
    decoded_until: int = 0
    shown_until: int = 0

    def fragment_at(self, time: int) -> None:
        """A fragment starts: only now it is known how long the last sample before it lasts."""
        if self.starts_at is None:
            self.starts_at = time
        time -= self.starts_at
        gap = time - self.decoded_until
        if gap and self.durations:
            last = self.durations[-1][1]
            self.durations[-1][0] -= 1
            if not self.durations[-1][0]:
                self.durations.pop()
            _count(self.durations, max(0, last + gap))
            self.decoded_until += max(0, last + gap) - last

    def add(self, duration: int, size: int, flags: int, shift: int) -> None:
        self.sizes.append(size)
        _count(self.durations, duration)
        _count(self.shifts, shift)
        if not flags & _NO_SYNC_SAMPLE:
            self.keys.append(len(self.sizes))
        self.shown_until = max(self.shown_until, self.decoded_until + shift + duration)
        self.decoded_until += duration


def _count(runs: list[list[int]], value: int) -> None:
    if runs and runs[-1][1] == value:
        runs[-1][0] += 1
    else:
        runs.append([1, value])


class Defragmenter:
    """Reads ffmpeg's output from `source` to its end, and hands what becomes of it to `write`."""

    def __init__(self, source: IO[bytes], write: Callable[[bytes], object], *, extension: str) -> None:
        self._source, self._write = source, write
        self._extension = extension
        self._written = 0
        self._moov = b""
        self._tracks: dict[int, _Track] = {}
        self._waiting: list[
            tuple[_Track, int, int]
        ] = []  # chunks of the fragment at hand: offset after its mdat's start
        self.duration_s = 0.0

    def run(self) -> None:
        """Raises `Malformed`, as for output that breaks off."""
        brands = _BRANDS[self._extension]
        self._put(_box(b"ftyp", brands[0], (512).to_bytes(4, "big"), *brands))
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
                self._fragment(content)
        if not self._moov:
            raise Malformed("nothing came")
        self._put(_box(b"moov", *self._movie()))

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
        for track, offset, samples in self._waiting:
            track.chunk_offsets.append(start + offset - before)
            track.chunk_samples.append(samples)
        self._waiting = []
        while length:
            data = self._source.read(min(length, COPY_BYTES))
            if not data:
                raise Malformed("broken off")
            self._put(data)
            length -= len(data)

    def _begin(self, moov: bytes) -> None:
        self._moov = moov
        for kind, content in _boxes(moov):
            if kind == b"mvex":
                for inner, trex in _boxes(content):
                    if inner == b"trex":
                        number, _, *defaults = struct.unpack_from(">5I", trex, 4)
                        self._tracks[number] = _Track((defaults[0], defaults[1], defaults[2]))

    def _fragment(self, moof: bytes) -> None:
        for kind, traf in _boxes(moof):
            if kind == b"traf":
                self._track_fragment(traf)

    def _track_fragment(self, traf: bytes) -> None:
        track, defaults = None, (0, 0, 0)
        for kind, content in _boxes(traf):
            if kind == b"tfhd":
                track, defaults = self._track_header(content)
            elif track is None:
                raise Malformed("a fragment of no track")
            elif kind == b"tfdt":
                track.fragment_at(int.from_bytes(content[4:12] if content[0] else content[4:8], "big"))
            elif kind == b"trun":
                self._run(track, content, defaults)

    def _track_header(self, content: bytes) -> tuple[_Track, tuple[int, int, int]]:
        flags, number = struct.unpack_from(">II", content)
        track = self._tracks.get(number)
        if track is None or flags & _HAS_BASE:
            raise Malformed("not where a fragment is expected")
        place = 12 if flags & _HAS_DESCRIPTION else 8
        defaults = list(track.defaults)
        for index, flag in enumerate(_HAS_DEFAULTS):
            if flags & flag:
                (defaults[index],) = struct.unpack_from(">I", content, place)
                place += 4
        return track, (defaults[0], defaults[1], defaults[2])

    def _run(self, track: _Track, content: bytes, defaults: tuple[int, int, int]) -> None:
        flags, count = struct.unpack_from(">II", content)
        place, offset, first_flags = 8, 0, None
        if not flags & _HAS_OFFSET:
            raise Malformed("samples without a place")
        (offset,) = struct.unpack_from(">i", content, place)
        place += 4
        if flags & _HAS_FIRST_FLAGS:
            (first_flags,) = struct.unpack_from(">I", content, place)
            place += 4
        present = [bool(flags & field) for field in _SAMPLE_FIELDS]
        form = struct.Struct(">" + "I" * sum(present[:3]) + ("i" if present[3] else ""))
        for index in range(count):
            values = iter(form.unpack_from(content, place + index * form.size))
            duration, size, its_flags = (
                next(values) if there else default for there, default in zip(present[:3], defaults, strict=True)
            )
            if index == 0 and first_flags is not None:
                its_flags = first_flags
            track.add(duration, size, its_flags, next(values, 0))
        self._waiting.append((track, offset, count))

    def _movie(self) -> Iterator[bytes]:
        header = next(content for kind, content in _boxes(self._moov) if kind == b"mvhd")
        scale = _time_scale(header)
        tracks = [_track(content, self._tracks, scale) for kind, content in _boxes(self._moov) if kind == b"trak"]
        most = max((duration for duration, _ in tracks), default=0)
        self.duration_s = most / scale
        yield _box(b"mvhd", _lasting(header, most, before=4))
        yield from (trak for _, trak in tracks)
        yield from (
            _box(kind, content) for kind, content in _boxes(self._moov) if kind not in {b"mvhd", b"trak", b"mvex"}
        )


def _box(kind: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I4s", len(content) + 8, kind) + content


def _boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = 0
    while place + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        if length < 8 or place + length > len(content):
            raise Malformed("a box past its parent's end")
        yield kind, content[place + 8 : place + length]
        place += length


def _time_scale(header: bytes) -> int:
    """Units per second of an mvhd or mdhd."""
    return int.from_bytes(header[20:24] if header[0] else header[12:16], "big") or 1


def _lasting(header: bytes, duration: int, *, before: int) -> bytes:
    """The content of an mvhd, mdhd or tkhd with another duration, which comes `before` bytes after its two dates."""
    width = 8 if header[0] else 4
    made, changed = (int.from_bytes(header[at : at + width], "big") for at in (4, 4 + width))
    between = header[4 + 2 * width : 4 + 2 * width + before]
    rest = header[4 + 3 * width + before :]
    is_long = max(made, changed, duration) > _UP_TO_32
    start = bytes([1 if is_long else 0]) + header[1:4]
    return start + struct.pack(">QQ" if is_long else ">II", made, changed) + between + _number(duration, is_long) + rest


def _number(value: int, is_long: bool) -> bytes:  # noqa: FBT001 - how wide it is
    return struct.pack(">Q" if is_long else ">I", value)


def _track(trak: bytes, tracks: dict[int, _Track], movie_scale: int) -> tuple[int, bytes]:
    """How long it is shown, in the movie's units, and the finished box."""
    parts = dict(_boxes(trak))
    header, media = parts[b"tkhd"], dict(_boxes(parts[b"mdia"]))
    samples = tracks[int.from_bytes(header[20:24] if header[0] else header[12:16], "big")]
    scale = _time_scale(media[b"mdhd"])
    edits, shown = _edits(dict(_boxes(parts.get(b"edts", b""))).get(b"elst"), samples, scale, movie_scale)
    handled = [
        _box(b"mdhd", _lasting(content, samples.decoded_until, before=4)) if kind == b"mdhd"
        else _box(b"minf", *_media_information(content, samples)) if kind == b"minf"
        else _box(kind, content)
        for kind, content in media.items()
    ]  # fmt: skip
    others = [_box(kind, content) for kind, content in parts.items() if kind not in {b"tkhd", b"edts", b"mdia"}]
    return shown, _box(
        b"trak", _box(b"tkhd", _lasting(header, shown, before=8)), edits, _box(b"mdia", *handled), *others
    )


def _edits(elst: bytes | None, samples: _Track, scale: int, movie_scale: int) -> tuple[bytes, int]:
    """The edit list with its ends filled in, which fragments leave open, and how long all of it is."""
    if elst is None:
        return b"", round(samples.shown_until * movie_scale / scale)
    form = struct.Struct(">QqI" if elst[0] else ">IiI")
    entries, total = [], 0
    for index in range(int.from_bytes(elst[4:8], "big")):
        duration, at, rate = form.unpack_from(elst, 8 + index * form.size)
        if at >= 0:
            at = max(0, at - (samples.starts_at or 0))
            duration = duration or max(0, round((samples.shown_until - at) * movie_scale / scale))
        entries.append(struct.pack(">QqI", duration, at, rate))
        total += duration
    content = bytes([1, 0, 0, 0]) + struct.pack(">I", len(entries)) + b"".join(entries)
    return _box(b"edts", _box(b"elst", content)), total


def _media_information(minf: bytes, samples: _Track) -> Iterator[bytes]:
    for kind, content in _boxes(minf):
        if kind != b"stbl":
            yield _box(kind, content)
            continue
        description = next(inner for inner_kind, inner in _boxes(content) if inner_kind == b"stsd")
        yield _box(b"stbl", _box(b"stsd", description), *_tables(samples))


def _tables(samples: _Track) -> Iterator[bytes]:
    yield _table(b"stts", samples.durations, ">II")
    if len(samples.keys) < len(samples.sizes):
        yield _box(b"stss", bytes(4), struct.pack(">I", len(samples.keys)), _big_endian(samples.keys))
    if any(shift for _, shift in samples.shifts):
        yield _table(b"ctts", samples.shifts, ">Ii", version=int(any(shift < 0 for _, shift in samples.shifts)))
    runs: list[list[int]] = []
    for chunk, count in enumerate(samples.chunk_samples, 1):
        if not runs or runs[-1][1] != count:
            runs.append([chunk, count, 1])
    yield _table(b"stsc", runs, ">III")
    yield _box(b"stsz", bytes(8), struct.pack(">I", len(samples.sizes)), _big_endian(samples.sizes))
    is_far = bool(samples.chunk_offsets) and samples.chunk_offsets[-1] > _UP_TO_32
    offsets = samples.chunk_offsets if is_far else array("I", samples.chunk_offsets)
    yield _box(b"co64" if is_far else b"stco", bytes(4), struct.pack(">I", len(offsets)), _big_endian(offsets))


def _table(kind: bytes, rows: list[list[int]], form: str, *, version: int = 0) -> bytes:
    pack = struct.Struct(form).pack
    return _box(kind, bytes([version, 0, 0, 0]), struct.pack(">I", len(rows)), *(pack(*row) for row in rows))


def _big_endian(numbers: "array[int]") -> bytes:
    swapped = array(numbers.typecode, numbers)
    swapped.byteswap()  # x86_64 and aarch64 are little-endian
    return swapped.tobytes()
