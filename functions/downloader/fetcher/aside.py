"""What a muxer puts aside for the next one, who goes on with the same file: a file of its own that goes along."""

import dataclasses
import json
from pathlib import Path
from typing import Any, Self

from downloader.fetcher.probe import Probe
from downloader.fetcher.samples import Malformed

NAME = "muxer"  # of the file
_LOOSE_S = 1.0  # what clocks may differ from what has come, and are still believed


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Aside:
    """`found` is what there is in all inputs together; of each: when it `starts_s` on its own clock, what stands at the
    `heads` of its file, and whether it `has_ended`. `ends_s`: how long what came of each plays so far. `state`: as of a
    `Defragmenter`.
    """

    found: Probe
    starts_s: tuple[float, ...]
    ends_s: tuple[float, ...]
    has_ended: tuple[bool, ...]
    heads: tuple[bytes, ...]
    state: bytes

    def write(self, directory: Path) -> str:
        """Into a file there, whose name is returned."""
        fields: dict[str, Any] = {
            "found": dataclasses.asdict(self.found), "starts_s": self.starts_s, "ends_s": self.ends_s,
            "has_ended": self.has_ended, "heads": [len(head) for head in self.heads],
        }  # fmt: skip
        (directory / NAME).write_bytes(json.dumps(fields).encode() + b"\n" + b"".join(self.heads) + self.state)
        return NAME

    @classmethod
    def read(cls, directory: Path) -> Self:
        """The file is gone then. Raises `Malformed`."""
        line, _, rest = (directory / NAME).read_bytes().partition(b"\n")
        (directory / NAME).unlink()
        try:
            fields = json.loads(line)
            heads = []
            for length in fields["heads"]:
                heads.append(rest[:length])
                rest = rest[length:]
            found: dict[str, Any] = {
                name: tuple(one) if isinstance(one, list) else one for name, one in fields["found"].items()
            }
            return cls(
                found=Probe(**found), starts_s=tuple(fields["starts_s"]), ends_s=tuple(fields["ends_s"]),
                has_ended=tuple(fields["has_ended"]), heads=tuple(heads), state=rest,
            )  # fmt: skip
        except (ValueError, KeyError, TypeError) as error:
            raise Malformed("not what was put aside") from error

    def delays_s(self, starts_s: dict[int, float]) -> list[float]:
        """How much later than the first of them inputs begin now, by when they start on their own clocks.

        By what has come of each, where the clocks are not those of before.
        """
        by_clock = [start - self.starts_s[number] for number, start in starts_s.items()]
        by_end = [self.ends_s[number] for number in starts_s]
        fits = all(abs(mine - its) < _LOOSE_S for mine, its in zip(by_clock, by_end, strict=True))
        times = by_clock if fits else by_end
        return [time - min(times) for time in times]
