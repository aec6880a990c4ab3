"""The README's table of what holds each promise is true: every test that it names is there, and nothing is left out."""

import re

import pytest

from reelhaul.contracts.requests import IDEMPOTENCY_HEADER
from reelhaul.options import Options
from tests.benchmarks import cost
from tests.named import ROOT, exists, named_in
from tests.routes import ROUTES

README = (ROOT / "README.md").read_text()
NAMED = named_in(README)
HELD = README.partition("## What holds it")[2].partition("\n## ")[0]
# What must be survived: every row of the fault matrix.
FAULTS = (
    "same message twice", "again after DONE", "redriven", "kill -9 of the worker after its claim", "half way",
    "after the last part", "after CompleteMultipartUpload", "after DONE, before the ack", "deadline", "memory limit",
    "`/tmp` is full", "ffmpeg or deno hangs", "grandchild", "malformed message", "poison", "message is lost",
    "send fails", "send succeeded", "write succeeded", "throttles the claim", "5xx on heartbeats", "5xx on complete",
    "503 to one part", "past the budget", "CompleteMultipartUpload succeeded", "cancel before the claim",
    "cancel mid-download", "cancel racing complete", "delete while running", "retry while running", "late worker",
    "paused past its lease", "five minutes apart", "two sweepers", "down for an hour", "after its TTL", "answers 500",
    "target hangs", "answers 410", "redirects", "between DONE and the announcement", "same warm worker",
    "old message schema", "outage of DNS", "egress proxy dies",
)  # fmt: skip
NAMED_IN_ROW = re.compile(r"`tests/[\w/]+\.py::\w+` \|$")
FAULT_ROWS = HELD.partition("### What may go wrong")[2].splitlines()


@pytest.mark.parametrize(("path", "name"), NAMED, ids=[name for _, name in NAMED])
def test_every_test_that_the_readme_names_exists(path: str, name: str) -> None:
    assert exists(path, name)


def test_the_readme_names_tests_at_all() -> None:
    assert len(NAMED) > 30


@pytest.mark.parametrize("route", sorted(set(ROUTES) - {"$default"}))
def test_every_route_is_in_the_table(route: str) -> None:
    assert f"| `{route}`" in HELD


@pytest.mark.parametrize(
    "option", [*Options.__dataclass_fields__, "name", "retention_days", "callback_url", IDEMPOTENCY_HEADER]
)
def test_every_option_is_in_the_table(option: str) -> None:
    assert f"| `{option}`" in HELD


@pytest.mark.parametrize("fault", FAULTS)
def test_every_fault_is_in_the_table_with_a_test_that_holds_it(fault: str) -> None:
    [row] = [line for line in FAULT_ROWS if line.startswith("| ") and fault in line.split("|")[1]]
    assert NAMED_IN_ROW.search(row)


def test_what_downloads_cost_follows_from_how_long_they_take() -> None:
    rows = re.findall(r"^(\| (\d+) MB/s \| ([\d.]+) s \|.*)$", README, flags=re.M)
    assert [int(rate) for _, rate, _ in rows] == list(cost.RATES_MB_S)
    assert [row for row, _, _ in rows] == [cost.row(int(rate), float(seconds)) for _, rate, seconds in rows]
    measured = {int(rate): float(seconds) for _, rate, seconds in rows}
    assert all(cost.size_row(*size, seconds=measured) in README.splitlines() for size in cost.SIZES)


def test_every_target_of_make_that_the_readme_names_is_there_and_every_other_way_round() -> None:
    named = {target for targets in re.findall(r"`make ([a-z0-9 -]+)", README) for target in targets.split()}
    there = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), flags=re.M))
    assert named - there == set()
    assert there - named == {"help"}
