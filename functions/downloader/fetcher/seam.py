"""Where what one ffmpeg writes goes on behind what another had written, of the same tracks, from later on.

The second one's clock starts anew. All of its tracks are placed by one offset in the movie's time, so that picture and
sound stay as they are to each other; where that leaves less than one frame of sound between or above each other, that
was rounded somewhere, and they follow each other.
"""

from collections.abc import Mapping
from fractions import Fraction

from downloader.fetcher.moov import Trak, boxes, time_scale
from downloader.fetcher.samples import Samples
from reelhaul.errors import SourceChanged

_PICTURE, _SOUND = b"vide", b"soun"


class Seam:
    """`before` and `now` are the contents of two moovs, `tracks` what there is so far, by the numbers in `before`.

    `is_sound_whole`: no sound was encoded, whose ends are filled up. Raises `SourceChanged` for other media.
    """

    def __init__(self, before: bytes, now: bytes, tracks: Mapping[int, Samples], *, is_sound_whole: bool) -> None:
        self._is_sound_whole = is_sound_whole
        self._offset_s: Fraction | None = None
        olds, news = _traks(before), _traks(now)
        self._scales = tuple(
            next((time_scale(content) for kind, content in boxes(moov) if kind == b"mvhd"), 1) for moov in (before, now)
        )
        self._joins: dict[int, _Join] = {}
        for name, new in news.items():
            old = olds.get(name)
            if old is None or old.scale != new.scale or old.coding != new.coding:
                raise SourceChanged
            self._joins[new.number] = _Join(old, new, tracks[old.number], self._scales)

    @property
    def tracks(self) -> dict[int, Samples]:
        """By the numbers that the second one gives them."""
        return {number: join.samples for number, join in self._joins.items()}

    def join(self, firsts: Mapping[int, int]) -> dict[int, int]:
        """Place tracks, by the times of their first fragments. How many samples of each are there already."""
        joins = {number: self._joins[number] for number in firsts}
        if self._offset_s is None:
            self._offset_s = self._offset([*joins.values()], [*firsts.values()])
        return {number: join.place(firsts[number], self._offset_s) for number, join in joins.items()}

    def _offset(self, joins: "list[_Join]", times: list[int]) -> Fraction:
        """By the picture; by the sound, where the last picture was shown longer or shorter than its own file tells."""
        pictures = [(join, time) for join, time in zip(joins, times, strict=True) if join.kind == _PICTURE]
        sounds = [(join, time) for join, time in zip(joins, times, strict=True) if join.kind == _SOUND]
        (picture, picture_at), *_ = pictures or sounds or zip(joins, times, strict=True)
        offset_s = picture.offset_s(picture_at)
        if not pictures or not sounds or not self._is_sound_whole:
            return offset_s
        sound, sound_at = sounds[0]
        by_sound_s = sound.offset_s(sound_at)
        is_apart = abs(by_sound_s - offset_s) >= sound.frame_s
        return by_sound_s if is_apart and picture.has_room(picture_at, by_sound_s) else offset_s


class _Join:
    """One track."""

    def __init__(self, old: Trak, new: Trak, samples: Samples, scales: tuple[int, ...]) -> None:
        self.kind, self.samples = old.kind, samples
        self._scale = old.scale
        self._begins_s = old.begins_s(scales[0]) + Fraction(samples.origin, old.scale)
        self._new_begins_s = new.begins_s(scales[1])

    @property
    def frame_s(self) -> Fraction:
        return Fraction(self.samples.frame, self._scale)

    def offset_s(self, time: int) -> Fraction:
        """What has to be added to the new movie's times for it to follow at once."""
        ends_s = self._begins_s + Fraction(self.samples.decoded_until, self._scale)
        return ends_s - self._new_begins_s - Fraction(time, self._scale)

    def has_room(self, time: int, offset_s: Fraction) -> bool:
        """Whether the last sample would still be shown."""
        return self._gap(time, offset_s) + self.samples.last_duration > 0

    def place(self, time: int, offset_s: Fraction) -> int:
        """How many samples are there already."""
        samples, gap, again = self.samples, self._gap(time, offset_s), 0
        if self.kind == _SOUND and gap < samples.frame:
            again = round(-gap / samples.frame) if -gap >= samples.frame else 0
            gap = 0
        samples.starts_at = time + again * samples.frame - samples.decoded_until - gap
        return again

    def _gap(self, time: int, offset_s: Fraction) -> int:
        place_s = offset_s + self._new_begins_s + Fraction(time, self._scale)
        return round((place_s - self._begins_s) * self._scale) - self.samples.decoded_until


def _traks(moov: bytes) -> dict[tuple[bytes, int], Trak]:
    """By kind, and how many of it came before."""
    found: dict[tuple[bytes, int], Trak] = {}
    for kind, content in boxes(moov):
        if kind == b"trak":
            trak = Trak.parse(content)
            found[trak.kind, sum(one == trak.kind for one, _ in found)] = trak
    return found
