"""Subtitles as text: read as WebVTT (W3C) or SRT, moved in time, written as WebVTT. Pure."""

import dataclasses
import re
from collections.abc import Iterator
from typing import Self

_TIME = r"((?:\d{1,4}:)?\d{1,2}:\d{2}[.,]\d{3})"
_TIMING = re.compile(rf"\s*{_TIME}[ \t]+-->[ \t]+{_TIME}(.*)", re.ASCII)
_SETTING = re.compile(r"(?:vertical|line|position|size|align|region):[\w%.,-]+", re.ASCII)
_INNER_TIME = re.compile(r"<((?:\d{1,4}:)?\d{2}:\d{2}\.\d{3})>", re.ASCII)  # when a word of the cue appears
_MAP = re.compile(r"X-TIMESTAMP-MAP=(.*)", re.ASCII)  # of HLS: RFC 8216, 3.5
_SRT_PLACE = re.compile(r"\{\\an?\d{1,2}\}")
_CONTROL = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f]")
_PREAMBLE = ("STYLE", "REGION")
_MPEG_TICKS_PER_S = 90_000


class NotSubtitles(ValueError):
    """It is something else."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cue:
    start_s: float
    end_s: float
    settings: str
    text: str

    def moved(self, by_s: float, *, most_s: float | None) -> Self | None:
        """The cue so much later, cut to what is from 0 to `most_s`; `None` where nothing is left of it."""
        start_s, end_s = self.start_s + by_s, self.end_s + by_s
        if most_s is not None:
            end_s = min(end_s, most_s)
        start_s = max(start_s, 0.0)
        if end_s <= start_s:
            return None
        text = _INNER_TIME.sub(lambda found: _inner(_seconds(found[1]) + by_s, start_s, end_s), self.text)
        return dataclasses.replace(self, start_s=start_s, end_s=end_s, text=text)

    def __str__(self) -> str:
        timing = f"{_clock(self.start_s)} --> {_clock(self.end_s)} {self.settings}".rstrip()
        return f"{timing}\n{self.text}\n"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Subtitles:
    """Cues, and the blocks that say how they look. `mpeg_s`: what their 0 is on the clock of MPEG-TS, if they tell."""

    preamble: tuple[str, ...]
    cues: tuple[Cue, ...]
    mpeg_s: float | None = None

    @classmethod
    def parse(cls, data: bytes) -> Self:
        """Raises `NotSubtitles` for what is neither WebVTT nor SRT in UTF-8."""
        text = _text(data)
        is_vtt = re.match(r"WEBVTT(?:[ \t\n]|$)", text) is not None
        header, *blocks = _blocks(text) if is_vtt else ["", *_blocks(text)]
        cues = tuple(cue for block in blocks for cue in _cues(block))
        if not is_vtt and not (cues and _starts_as_srt(blocks[0])):
            raise NotSubtitles("neither WebVTT nor SRT")
        preamble = tuple(block for block in blocks if is_vtt and block.startswith(_PREAMBLE))
        return cls(preamble=preamble, cues=cues, mpeg_s=_mpeg_s(header))

    def moved(self, by_s: float, *, most_s: float | None) -> Self:
        moved = (cue.moved(by_s, most_s=most_s) for cue in self.cues)
        return dataclasses.replace(self, cues=tuple(cue for cue in moved if cue is not None))

    def to_vtt(self) -> bytes:
        blocks = ["WEBVTT\n", *(f"{block}\n" for block in self.preamble), *map(str, self.cues)]
        return "\n".join(blocks).encode()


def _text(data: bytes) -> str:
    if b"\0" in data:
        raise NotSubtitles("binary")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise NotSubtitles("not UTF-8") from error
    return _CONTROL.sub("", text.replace("\r\n", "\n").replace("\r", "\n")).lstrip("\n")


def _blocks(text: str) -> list[str]:
    return [block.strip("\n") for block in re.split(r"\n[ \t]*\n", text) if block.strip()]


def _cues(block: str) -> Iterator[Cue]:
    """The cue of a block, after its number or name, if it is one."""
    lines = block.split("\n")
    for index, line in enumerate(lines[:2]):
        found = _TIMING.fullmatch(line)
        if found:
            text = _SRT_PLACE.sub("", "\n".join(lines[index + 1 :])).replace("-->", "--&gt;")
            settings = " ".join(word for word in found[3].split() if _SETTING.fullmatch(word))
            yield Cue(start_s=_seconds(found[1]), end_s=_seconds(found[2]), settings=settings, text=text)
            return


def _starts_as_srt(block: str) -> bool:
    number, _, rest = block.partition("\n")
    return _TIMING.fullmatch(number) is not None or (number.strip().isdigit() and "-->" in rest.partition("\n")[0])


def _mpeg_s(header: str) -> float | None:
    found = _MAP.search(header)
    fields = dict(part.split(":", 1) for part in found[1].split(",") if ":" in part) if found else {}
    fields = {name.strip(): value.strip() for name, value in fields.items()}
    local, ticks = fields.get("LOCAL", ""), fields.get("MPEGTS", "")
    if not re.fullmatch(_TIME, local, re.ASCII) or not re.fullmatch(r"\d{1,12}", ticks, re.ASCII):
        return None
    return int(ticks) / _MPEG_TICKS_PER_S - _seconds(local)


def _inner(at_s: float, start_s: float, end_s: float) -> str:
    return f"<{_clock(at_s)}>" if start_s < at_s < end_s else ""


def _seconds(clock: str) -> float:
    whole, thousandths = clock.replace(",", ".").split(".")
    total = 0
    for part in whole.split(":"):
        total = total * 60 + int(part)
    return total + int(thousandths) / 1000


def _clock(seconds: float) -> str:
    thousandths = round(seconds * 1000)
    minutes, thousandths = divmod(thousandths, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{thousandths // 1000:02}.{thousandths % 1000:03}"
