"""What a thousand downloads cost, at each rate of `cost`."""

import contextlib
import io
import re
from collections.abc import Iterator

from tests.benchmarks import cost
from tests.benchmarks.rows import Bench, Row


def measure(bench: Bench) -> Iterator[Row]:
    """By its own command, whose table is the README's."""
    said = io.StringIO()
    with contextlib.redirect_stdout(said):
        cost.main()
    for rate, seconds in re.findall(r"^\| (\d+) MB/s \| ([\d.]+) s \|", said.getvalue(), re.MULTILINE):
        spent = cost.of_downloads(count=cost.COUNT, size_mb=cost.SIZE_MB, seconds=float(seconds))
        what = f"{cost.COUNT:,} downloads of {cost.SIZE_MB} MB at {rate} MB/s, {seconds} s billed each"
        yield Row(what, spent.without_egress, "USD", "a plain design's", 2.3)
