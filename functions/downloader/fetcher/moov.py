"""An mp4's index, out of what ffmpeg says before fragments and what was gathered from these. Pure: bytes to bytes."""

import dataclasses
import struct
from collections.abc import Iterator
from fractions import Fraction

from downloader.fetcher.samples import Malformed, Samples

_UP_TO_32 = 2**32 - 1
_EDITS = {0: struct.Struct(">IiI"), 1: struct.Struct(">QqI")}
_RATES_AT, _RATES_BYTES = 2, 11  # of a DecoderConfigDescriptor: size of the buffer, most and mean bits per second
_SAMPLE_ENTRY_BYTES = {b"vide": 78, b"soun": 28}  # before the boxes in one


@dataclasses.dataclass(frozen=True, slots=True)
class Edit:
    """A line of an edit list: how long, in the movie's units, from where (-1: nothing is shown), how fast."""

    duration: int
    at: int
    rate: int


@dataclasses.dataclass(frozen=True, slots=True)
class Trak:
    """A track as a moov has it. `kind`: as its handler calls itself."""

    number: int
    kind: bytes
    scale: int
    edits: tuple[Edit, ...]
    description: bytes
    content: bytes

    @classmethod
    def parse(cls, content: bytes) -> "Trak":
        parts = dict(boxes(content))
        header, media = parts[b"tkhd"], dict(boxes(parts[b"mdia"]))
        table = dict(boxes(dict(boxes(media[b"minf"]))[b"stbl"]))
        elst = dict(boxes(parts.get(b"edts", b""))).get(b"elst")
        return cls(
            number=int.from_bytes(header[20:24] if header[0] else header[12:16], "big"),
            kind=media[b"hdlr"][8:12],
            scale=time_scale(media[b"mdhd"]),
            edits=tuple(_edits(elst)) if elst else (),
            description=table[b"stsd"],
            content=content,
        )

    def begins_s(self, movie_scale: int) -> Fraction:
        """When in the movie the track's own time is 0."""
        empty = sum(edit.duration for edit in self.edits if edit.at < 0)
        at = next((edit.at for edit in self.edits if edit.at >= 0), 0)
        return Fraction(empty, movie_scale) - Fraction(at, self.scale)

    @property
    def coding(self) -> bytes:
        """What a decoder has to know; without how many bits it has to expect, which ffmpeg tells by the beginning."""
        content = self.description
        entries = [
            kind + _plain(entry, _SAMPLE_ENTRY_BYTES.get(self.kind, len(entry))) for kind, entry in boxes(content[8:])
        ]
        return b"".join(entries)


def _plain(entry: bytes, fixed: int) -> bytes:
    inner = [
        box(kind, _ALIKE[kind](content) if kind in _ALIKE else content)
        for kind, content in boxes(entry[fixed:])
        if kind != b"btrt"
    ]
    return entry[:fixed] + b"".join(inner)


def _without_padding(avcc: bytes) -> bytes:
    """ISO/IEC 14496-15, 5.3.3.1: what comes first, then parameter sets, whose zeros at the end are the stream's."""
    found, place = [avcc[:5]], 5
    for mask in (0x1F, 0xFF):  # sequence and picture
        count = avcc[place] & mask if place < len(avcc) else 0
        place += 1
        for _ in range(count):
            length = int.from_bytes(avcc[place : place + 2], "big")
            found.append(avcc[place + 2 : place + 2 + length].rstrip(b"\0") + b"\0")
            place += 2 + length
    return b"".join([*found, avcc[place:]])


def _without_padding_hevc(hvcc: bytes) -> bytes:
    """ISO/IEC 14496-15, 8.3.3.1: the same, of arrays of parameter sets."""
    found, place = [hvcc[:22]], 23
    for _ in range(hvcc[22] if len(hvcc) > 22 else 0):
        count = int.from_bytes(hvcc[place + 1 : place + 3], "big")
        found.append(hvcc[place : place + 1])
        place += 3
        for _ in range(count):
            length = int.from_bytes(hvcc[place : place + 2], "big")
            found.append(hvcc[place + 2 : place + 2 + length].rstrip(b"\0") + b"\0")
            place += 2 + length
    return b"".join(found)


def _without_rates(esds: bytes) -> bytes:
    """ISO/IEC 14496-1, 7.2.6: in the ES descriptor (3) is that of the decoder's configuration (4)."""
    place = _inside(esds, 4, 3)
    place = _inside(esds, place + 3, 4)
    end = place + _RATES_AT + _RATES_BYTES
    return esds[: place + _RATES_AT] + bytes(_RATES_BYTES) + esds[end:]


def _inside(data: bytes, place: int, tag: int) -> int:
    """Where the content of the descriptor there starts."""
    if data[place : place + 1] != bytes([tag]):
        raise Malformed("another descriptor")
    place += 1
    while data[place : place + 1] and data[place] & 0x80:
        place += 1
    return place + 1


_ALIKE = {b"esds": _without_rates, b"avcC": _without_padding, b"hvcC": _without_padding_hevc}


def movie(moov: bytes, tracks: dict[int, Samples]) -> tuple[float, bytes]:
    """How many seconds it plays, and the content of the finished box."""
    header = next(content for kind, content in boxes(moov) if kind == b"mvhd")
    scale = time_scale(header)
    traks = [Trak.parse(content) for kind, content in boxes(moov) if kind == b"trak"]
    made = [_track(trak, tracks[trak.number], scale) for trak in traks]
    most = max((duration for duration, _ in made), default=0)
    others = [box(kind, content) for kind, content in boxes(moov) if kind not in {b"mvhd", b"trak", b"mvex"}]
    index = [box(b"mvhd", _lasting(header, most, before=4)), *(trak for _, trak in made), *others]
    return most / scale, b"".join(index)


def box(kind: bytes, *contents: bytes) -> bytes:
    content = b"".join(contents)
    return struct.pack(">I4s", len(content) + 8, kind) + content


def boxes(content: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Raises `Malformed`."""
    place = 0
    while place + 8 <= len(content):
        length, kind = struct.unpack_from(">I4s", content, place)
        if length < 8 or place + length > len(content):
            raise Malformed("a box past its parent's end")
        yield kind, content[place + 8 : place + length]
        place += length


def time_scale(header: bytes) -> int:
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


def _track(trak: Trak, samples: Samples, movie_scale: int) -> tuple[int, bytes]:
    """How long it is shown, in the movie's units, and the finished box."""
    parts = dict(boxes(trak.content))
    edits, shown = _edited(trak, samples, movie_scale)
    handled = [
        box(b"mdhd", _lasting(content, samples.decoded_until, before=4)) if kind == b"mdhd"
        else box(b"minf", *_media_information(content, samples)) if kind == b"minf"
        else box(kind, content)
        for kind, content in boxes(parts[b"mdia"])
    ]  # fmt: skip
    others = [box(kind, content) for kind, content in parts.items() if kind not in {b"tkhd", b"edts", b"mdia"}]
    return shown, box(
        b"trak", box(b"tkhd", _lasting(parts[b"tkhd"], shown, before=8)), edits, box(b"mdia", *handled), *others
    )


def _edits(elst: bytes) -> Iterator[Edit]:
    form = _EDITS[1 if elst[0] else 0]
    for index in range(int.from_bytes(elst[4:8], "big")):
        yield Edit(*form.unpack_from(elst, 8 + index * form.size))


def _edited(trak: Trak, samples: Samples, movie_scale: int) -> tuple[bytes, int]:
    """The edit list with its ends filled in, which fragments leave open, and how long all of it is."""
    if not trak.edits:
        return b"", round(samples.shown_until * movie_scale / trak.scale)
    entries, total = [], 0
    for edit in trak.edits:
        duration, at = edit.duration, edit.at
        if at >= 0:
            at = max(0, at - samples.origin)
            duration = duration or max(0, round((samples.shown_until - at) * movie_scale / trak.scale))
        entries.append(_EDITS[1].pack(duration, at, edit.rate))
        total += duration
    content = bytes([1, 0, 0, 0]) + struct.pack(">I", len(entries)) + b"".join(entries)
    return box(b"edts", box(b"elst", content)), total


def _media_information(minf: bytes, samples: Samples) -> Iterator[bytes]:
    for kind, content in boxes(minf):
        if kind != b"stbl":
            yield box(kind, content)
            continue
        description = next(inner for inner_kind, inner in boxes(content) if inner_kind == b"stsd")
        yield box(b"stbl", box(b"stsd", description), *(box(*table) for table in samples.tables()))
