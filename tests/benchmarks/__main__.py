"""All measurements: `make bench`, or some of them, smaller: `make bench ROWS="transfer small" RUNS=1 SIZE_MB=20`.

All of them together write tests/benchmarks/RESULTS.md; some are only printed. A row that cannot be measured says why.
"""

import argparse
import contextlib
import datetime
import importlib
import os
import platform
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

from tests.benchmarks.programs import NotDone
from tests.benchmarks.rows import Bench, Measure, Row, markdown
from tests.benchmarks.source import NoSource

ROWS = ("transfer", "huge", "small", "whole", "playlist", "relay", "starts", "warm", "listing", "price")
RESULTS = Path(__file__).with_name("RESULTS.md")
_TEXT = """# What was measured

By `make bench` on {today}, of the commit of {commit}, on {machine}; {versions}. Load average
of the 15 minutes before it was written: {load}.

Medians of {runs} runs. Files of {size} MB; source and S3 each limited to {rate} MB/s. A ratio is what was measured to
what it is held against, and met where it is at most the goal.

MeTube, which the goals for small jobs are about, is not measured itself: it is AGPL, and in no package registry. What
stands for it does with yt-dlp what MeTube does for a URL, in its order, and has no web server, no sockets and no lists
on the disk around that (`peer.py`). Where MeTube was measured it took 220 to 243 ms from POST to finished, a sixth to a
quarter of what the plain command took there, and 3.5 to 3.8 s for 20: the command is measured here for that.

{table}"""
_CLEAN_S = 20.0
_EXPECTED = (NotDone, NoSource, OSError, AssertionError, subprocess.SubprocessError, RuntimeError)


def main() -> None:
    asked = _arguments()
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(1))  # and so end what was started
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
    with _directory(name) as directory:
        bench = Bench(
            directory=directory, runs=asked.runs, size_mb=asked.size_mb, rate_mb_s=asked.rate_mb_s,
            huge_mb=asked.huge_mb, relay_s=asked.relay_s, burst=asked.burst, items=asked.items,
        )  # fmt: skip
        try:
            yield from measure(bench)
        except _EXPECTED as error:
            traceback.print_exc()
            said = (
                str(error) if isinstance(error, (NotDone, NoSource)) else type(error).__name__
            )  # else paths are in it
            yield Row(f"{name}: the rest of it", 0, "", failed=said)


@contextlib.contextmanager
def _directory(name: str) -> Iterator[Path]:
    """A new one, which is gone afterwards, also where a process that is about to end still writes into it."""
    made = Path(tempfile.mkdtemp(prefix=f"bench-{name}-")).resolve()
    try:
        yield made
    finally:
        deadline = time.monotonic() + _CLEAN_S
        while made.exists() and time.monotonic() < deadline:
            shutil.rmtree(made, ignore_errors=True)
            time.sleep(0.1)


def report(rows: list[Row], asked: argparse.Namespace) -> str:
    """The file's text: on what it was measured, then the table."""
    git = ["git", "log", "-1", "--format=%cs"]
    date = subprocess.run(git, capture_output=True, text=True, check=False, cwd=RESULTS.parent).stdout.strip()
    memory = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 1024**3
    return _TEXT.format(
        today=f"{datetime.datetime.now(datetime.UTC):%Y-%m-%d}",
        commit=date,
        machine=f"{os.cpu_count()} cores ({platform.machine()}) with {memory:.0f} GB, Linux {platform.release()}",
        versions=", ".join(
            [
                f"Python {platform.python_version()}",
                *(f"{name} {version(name)}" for name in ("yt-dlp", "boto3")),
                _nginx(),
            ]
        ),
        load=f"{os.getloadavg()[2]:.1f}",
        runs=asked.runs,
        size=asked.size_mb,
        rate=asked.rate_mb_s,
        table=markdown(rows),
    )


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
    parser.add_argument("--huge-mb", type=int, default=5_000)
    parser.add_argument("--rate-mb-s", type=int, default=40)
    parser.add_argument("--relay-s", type=int, default=60)
    parser.add_argument("--burst", type=int, default=20)
    parser.add_argument("--items", type=int, default=50)
    parser.add_argument("--out", type=Path, help="where to write the results to, also of some rows")
    return parser.parse_args()


if __name__ == "__main__":
    main()
