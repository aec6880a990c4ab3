"""What the index of an mp4 has to say of a track's samples, gathered as they come (ISO/IEC 14496-12, 8.6 and 8.7)."""

import struct
from array import array
from collections.abc import Callable, Iterator
from typing import Any

_NO_SYNC_SAMPLE = 0x10000
_UP_TO_32 = 2**32 - 1
_HEAD = struct.Struct(">10I")  # of what a track is put aside as: its number, the defaults, and how long each table is


class Malformed(ValueError):
    """Not what ffmpeg writes, or what was put aside here."""


class Runs:
    """A column of numbers, of which many are like the one before. `form` is that of the values in an `array`."""

    def __init__(self, form: str) -> None:
        self.counts, self.values = array("I"), array(form)

    def add(self, value: int) -> None:
        if self.values and self.values[-1] == value:
            self.counts[-1] += 1
        else:
            self.counts.append(1)
            self.values.append(value)

    def take_last(self) -> int:
        """The last number, which is none of them any more."""
        last = self.values[-1]
        self.counts[-1] -= 1
        if not self.counts[-1]:
            self.counts.pop()
            self.values.pop()
        return last

    def rows(self) -> bytes:
        """Pairs of 32 bits: how many, what."""
        pairs = array("I", bytes(8 * len(self.counts)))
        pairs[0::2], pairs[1::2] = self.counts, array("I", self.values.tobytes())
        return big_endian(pairs)


class Samples:
    """Of one track, in the order of decoding, in units of its own time. `defaults`: duration, size, flags of `trex`.

    It begins at 0. `starts_at` is what the fragments at hand call that, and `origin` what the first of them did.
    """

    def __init__(self, defaults: tuple[int, int, int]) -> None:
        self.defaults = defaults
        self.sizes = array("I")
        self.durations, self.shifts = Runs("I"), Runs("i")
        self.keys = array("I")
        self.chunk_offsets, self.chunk_samples = array("Q"), array("I")
        self.starts_at: int | None = None
        self.origin = self.decoded_until = self.shown_until = 0

    @property
    def last_duration(self) -> int:
        return self.durations.values[-1] if self.durations.values else 0

    @property
    def frame(self) -> int:
        """How long a sample is, but for some."""
        return max(zip(self.durations.counts, self.durations.values, strict=True), default=(0, 0))[1]

    def fragment_at(self, time: int) -> None:
        """A fragment starts: only now it is known how long the last sample before it lasts."""
        if self.starts_at is None:
            self.starts_at = self.origin = time
        gap = time - self.starts_at - self.decoded_until
        if gap and self.durations.values:
            last = self.durations.take_last()
            now = max(1, last + gap)
            self.durations.add(now)
            self.decoded_until += now - last

    def add(self, duration: int, size: int, flags: int, shift: int) -> None:
        self.sizes.append(size)
        self.durations.add(duration)
        self.shifts.add(shift)
        if not flags & _NO_SYNC_SAMPLE:
            self.keys.append(len(self.sizes))
        self.shown_until = max(self.shown_until, self.decoded_until + shift + duration)
        self.decoded_until += duration

    def chunk(self, offset: int, samples: int) -> None:
        self.chunk_offsets.append(offset)
        self.chunk_samples.append(samples)

    def tables(self) -> Iterator[tuple[bytes, bytes]]:
        """Boxes of the sample table: what each is, and its content."""
        yield b"stts", _table(len(self.durations.counts), self.durations.rows())
        if len(self.keys) < len(self.sizes):
            yield b"stss", _table(len(self.keys), big_endian(self.keys))
        if any(self.shifts.values):
            rows, version = self.shifts.rows(), int(min(self.shifts.values) < 0)
            yield b"ctts", _table(len(self.shifts.counts), rows, version=version)
        chunks = list(self._chunks())
        yield b"stsc", _table(len(chunks), b"".join(struct.pack(">III", *row) for row in chunks))
        yield b"stsz", bytes(8) + struct.pack(">I", len(self.sizes)) + big_endian(self.sizes)
        is_far = bool(self.chunk_offsets) and self.chunk_offsets[-1] > _UP_TO_32
        offsets = self.chunk_offsets if is_far else array("I", self.chunk_offsets)
        yield b"co64" if is_far else b"stco", _table(len(offsets), big_endian(offsets))

    def _chunks(self) -> Iterator[tuple[int, int, int]]:
        before = 0
        for chunk, count in enumerate(self.chunk_samples, 1):
            if count != before:
                yield chunk, count, 1
            before = count

    @property
    def _columns(self) -> list[Any]:
        return [
            self.durations.counts, self.durations.values, self.shifts.counts, self.shifts.values, self.keys,
            self.chunk_offsets, self.chunk_samples, self.sizes,
        ]  # fmt: skip

    def put_aside(self, number: int) -> bytes:
        """All of it, for `taken_up`."""
        columns = self._columns
        # Runs have two columns of one length; that of keys and of chunks follow, and that of the sizes.
        lengths = [len(columns[index]) for index in (0, 2, 4, 5, 7)]
        numbers = [self.starts_at or 0, self.origin, self.decoded_until, self.shown_until]
        head = _HEAD.pack(number, *self.defaults, int(self.starts_at is not None), *lengths)
        return head + struct.pack(">4q", *numbers) + b"".join(column.tobytes() for column in columns)

    @classmethod
    def taken_up(cls, take: Callable[[int], bytes]) -> "tuple[int, Samples]":
        """The number of the track, and what `take(how many bytes)` has of it. Raises `Malformed`."""
        number, first, second, third, has_started, *lengths = _HEAD.unpack(take(_HEAD.size))
        samples = cls((first, second, third))
        starts_at, samples.origin, samples.decoded_until, samples.shown_until = struct.unpack(">4q", take(32))
        samples.starts_at = starts_at if has_started else None
        runs, shifts, keys, chunks, sizes = lengths
        for column, length in zip(
            samples._columns,
            (runs, runs, shifts, shifts, keys, chunks, chunks, sizes),
            strict=True,
        ):
            column.frombytes(take(length * column.itemsize))
        samples._check()
        return number, samples

    def _check(self) -> None:
        counts = {sum(self.durations.counts), sum(self.shifts.counts), sum(self.chunk_samples), len(self.sizes)}
        lasting = sum(count * value for count, value in zip(self.durations.counts, self.durations.values, strict=True))
        if len(counts) > 1 or lasting != self.decoded_until or any(key > len(self.sizes) for key in self.keys):
            raise Malformed("tables that contradict each other")


def _table(count: int, rows: bytes, *, version: int = 0) -> bytes:
    return bytes([version, 0, 0, 0]) + struct.pack(">I", count) + rows


def big_endian(numbers: "array[int]") -> bytes:
    swapped = array(numbers.typecode, numbers)
    swapped.byteswap()  # x86_64 and aarch64 are little-endian
    return swapped.tobytes()
