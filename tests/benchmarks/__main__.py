"""All measurements: `make bench`, or some of them, smaller: `make bench ROWS="transfer small" RUNS=1 SIZE_MB=20`.

All of them together write tests/benchmarks/RESULTS.md; some are only printed. A row that cannot be measured says why.
"""

import argparse
import datetime
import importlib
import os
import platform
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.programs import NotDone
from tests.benchmarks.rows import Bench, Measure, Row, markdown
from tests.benchmarks.source import NoSource

ROWS = ("transfer", "small", "whole", "playlist", "relay", "starts", "warm", "listing", "price")
RESULTS = Path(__file__).with_name("RESULTS.md")
_EXPECTED = (NotDone, NoSource, OSError, AssertionError, subprocess.SubprocessError, RuntimeError)


def main() -> None:
    asked = _arguments()
    rows: list[Row] = []
    for name in asked.rows or ROWS:
        measure: Measure = importlib.import_module(f"tests.benchmarks.{name}").measure
        for row in _measured(name, measure, asked):
            sys.stdout.write(markdown([row]).splitlines()[-1] + "\n")
            sys.stdout.flush()
            rows.append(row)
    text = report(rows, asked)
    sys.stdout.write("\n" + text)
    if not asked.rows or asked.out:
        (asked.out or RESULTS).write_text(text)


def _measured(name: str, measure: Measure, asked: argparse.Namespace) -> Iterator[Row]:
    with tempfile.TemporaryDirectory(prefix=f"bench-{name}-") as directory:
        bench = Bench(
            directory=Path(directory).resolve(), runs=asked.runs, size_mb=asked.size_mb, rate_mb_s=asked.rate_mb_s,
            relay_s=asked.relay_s,
        )  # fmt: skip
        try:
            yield from measure(bench)
        except _EXPECTED as error:
            traceback.print_exc()
            yield Row(f"{name}: the rest of it", 0, "", failed=f"{type(error).__name__}: {error}".splitlines()[0][:200])


def report(rows: list[Row], asked: argparse.Namespace) -> str:
    """The file's text: on what it was measured, then the table."""
    git = ["git", "log", "-1", "--format=%cs"]
    date = subprocess.run(git, capture_output=True, text=True, check=False, cwd=RESULTS.parent).stdout.strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    lines = [
        "# What was measured",
        "",
        f"By `make bench` on {datetime.datetime.now(datetime.UTC):%Y-%m-%d}, of the commit of {date}, on {os.cpu_count()} "
        f"cores ({platform.machine()}) with {memory:.0f} GB, Linux {platform.release()}, Python {platform.python_version()}, "
        f"yt-dlp {version('yt-dlp')}, boto3 {version('boto3')}, {_nginx()}. Load average before it was printed: "
        f"{os.getloadavg()[2]:.1f}.",
        "",
        f"Medians of {asked.runs} runs. Files of {asked.size_mb} MB; source and S3 each limited to {asked.rate_mb_s} MB/s. "
        "A ratio is what was measured to what it is held against; it is met where it is at most the goal.",
        "",
        "MeTube, which the goals for small jobs name, is not measured here: it is AGPL and in no package registry that this "
        "runs with. In its place stands yt-dlp as a library in warm processes, three at a time as MeTube has it, with no "
        "service around: less work than MeTube's, so a goal that is met against it would be met against that. On another "
        "occasion MeTube took 220 to 243 ms from POST to finished, the plain command 0.9 to 1.3 s, and 3.5 to 3.8 s for 20.",
        "",
        markdown(rows),
    ]
    return "\n".join(lines)


def _nginx() -> str:
    try:
        said = subprocess.run(["/usr/sbin/nginx", "-v"], capture_output=True, text=True, check=False).stderr
    except OSError:
        return "no nginx"
    return said.strip().rpartition(" ")[2].replace("/", " ")


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmarks")
    parser.add_argument("rows", nargs="*", choices=[[], *ROWS], metavar="ROW", help=", ".join(ROWS))
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--size-mb", type=int, default=400)
    parser.add_argument("--rate-mb-s", type=int, default=40)
    parser.add_argument("--relay-s", type=int, default=60)
    parser.add_argument("--out", type=Path, help="where to write the results to, also of some rows")
    return parser.parse_args()


if __name__ == "__main__":
    main()
