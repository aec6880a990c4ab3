"""What a measurement comes to: a row with what it is held against, and the goal for their ratio."""

import dataclasses
import statistics
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path


@dataclasses.dataclass(frozen=True)
class Row:
    """`measured` and `limit` have the same `unit`; their ratio is at most `goal` where the goal is met.

    Without a limit the row only says what something took. `failed` says why there is nothing to measure.
    """

    what: str
    measured: float
    unit: str
    against: str = ""
    limit: float | None = None
    goal: float = 1.0
    failed: str = ""

    @property
    def ratio(self) -> float | None:
        return None if self.failed or not self.limit else self.measured / self.limit

    @property
    def verdict(self) -> str:
        if self.failed:
            return f"no: {self.failed}"
        if self.ratio is None:
            return ""
        return "yes" if self.ratio <= self.goal else "no"


@dataclasses.dataclass(frozen=True, kw_only=True)
class Bench:
    """How it is measured: `runs` of each, of which the median counts, in `directory`, which is empty."""

    directory: Path
    runs: int
    size_mb: int
    rate_mb_s: int
    huge_mb: int = 5_000
    small_mb: int = 1
    burst: int = 20
    items: int = 50
    relay_s: int = 60

    def median(self, run: Callable[[], float]) -> float:
        return statistics.median(run() for _ in range(self.runs))

    def in_turns(self, ways: Sequence[Callable[[], float]]) -> list[float]:
        """The median of each, after a run that warms up: what else the machine does strikes all alike."""
        for run in ways:
            run()
        runs = [[run() for run in ways] for _ in range(self.runs)]
        return [statistics.median(taken) for taken in zip(*runs, strict=True)]


Measure = Callable[[Bench], Iterable[Row]]
HEAD = ("measure", "measured", "against", "", "ratio", "goal", "met")


def cells(row: Row) -> tuple[str, ...]:
    """As `HEAD` names them."""
    measured = "-" if row.failed else f"{row.measured:,.3f} {row.unit}"
    if row.limit is None:
        return (row.what, measured, row.against, "", "", "", row.verdict)
    ratio = "-" if row.ratio is None else f"{row.ratio:.2f}"
    return (row.what, measured, row.against, f"{row.limit:,.3f} {row.unit}", ratio, f"{row.goal:g}", row.verdict)


def markdown(rows: Iterable[Row]) -> str:
    table = [HEAD, ("---",) * len(HEAD), *map(cells, rows)]
    return "".join("| " + " | ".join(line) + " |\n" for line in table)
