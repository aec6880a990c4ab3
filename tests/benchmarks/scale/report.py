"""What the README says of scale, put together from the simulation. Nothing in it is written by hand."""

import dataclasses
import re

from infra.settings import Settings
from tests.benchmarks import cost
from tests.benchmarks.scale import demand, paper, simulation
from tests.benchmarks.scale.demand import Demand
from tests.benchmarks.scale.quotas import Installation

RATES = (1, 100, 10_000)  # submissions a minute
MINUTES, SEED = 9, 1
SOURCE_MB_S = 20
BEGIN, END = "<!-- make scale -->\n", "<!-- end -->\n"
BLOCK = re.compile(re.escape(BEGIN) + ".*?" + re.escape(END), re.DOTALL)


@dataclasses.dataclass(frozen=True, slots=True)
class Scenario:
    """A load as it is and, by `stacks` like `larger`, as it has to be for it."""

    per_minute: int
    here: Installation
    larger: Installation
    stacks: int
    deployed: simulation.Outcome
    raised: simulation.Outcome


def measured_seconds(readme: str) -> float:
    """What a worker is billed for a file from a source of usual speed, as the README's table of costs has it."""
    found = re.search(rf"^\| {SOURCE_MB_S} MB/s \| ([\d.]+) s \|", readme, re.MULTILINE)
    if not found:
        raise LookupError(f"the README does not say what {SOURCE_MB_S} MB/s take")
    return float(found[1])


def scenario(per_minute: int, asked: Demand, here: Installation) -> Scenario:
    stacks = paper.stacks_for(here, asked, per_minute=per_minute)
    larger = paper.raised(here, asked, per_minute=per_minute)
    deployed = simulation.run(here, asked, per_minute=per_minute, minutes=MINUTES, seed=SEED)
    same = stacks == 1 and larger == here
    raised = (
        deployed if same else simulation.run(larger, asked, per_minute=per_minute / stacks, minutes=MINUTES, seed=SEED)
    )
    return Scenario(per_minute, here, larger, stacks, deployed, raised)


def block(readme: str) -> str:
    """The generated part of the README, between its marks."""
    asked = demand.of_a_job(seconds=measured_seconds(readme), size_mb=cost.SIZE_MB)
    here = Installation.from_settings(Settings())
    lines = [
        f"A job is {asked.size_mb:.0f} MB from a source of {SOURCE_MB_S} MB/s, so {asked.seconds} s of a worker.",
        "All are one tenant's, in each stack, and for each somebody waits with held status requests.",
        "",
        "| what is used up | there is | enough for, a minute | raise |",
        "| --- | --- | --- | --- |",
        *(f"| {one.what} | {one.much} | {one.per_minute:,.0f} | {one.more} |" for one in paper.capacities(here, asked)),
        "",
        f"| submissions a minute | as deployed, after {MINUTES} minutes | raise | then | USD an hour | egress |",
        "| --- | --- | --- | --- | --- | --- |",
        *(_row(scenario(rate, asked, here), asked) for rate in RATES),
        "",
    ]
    return BEGIN + "\n".join(lines) + END


def _row(one: Scenario, asked: Demand) -> str:
    spent = cost.of_downloads(count=60 * one.per_minute, size_mb=asked.size_mb, seconds=asked.seconds)
    changes = _changes(one)
    then = _said(one.raised, stacks=one.stacks) if changes else ""
    cells = (
        f"{one.per_minute:,}", _said(one.deployed), changes or "nothing", then,
        _usd(spent.without_egress), _usd(spent.egress),
    )  # fmt: skip
    return "| " + " | ".join(cells) + " |"


def _said(seen: simulation.Outcome, *, stacks: int = 1) -> str:
    """What became of the load, with what was used up or comes nearest to it."""
    name, share = max(seen.use.items(), key=lambda used: used[1])
    refused = f"{seen.refused_share:.0%} refused with 429, " if seen.refused_share >= 0.005 else ""
    waiting = f"{seen.waiting * stacks:,} wait" if seen.waiting > 60 else f"a median wait of {seen.median_wait_s:.0f} s"
    return f"{refused}{seen.done_per_minute * stacks:,.0f} done a minute, {waiting}; {share:.0%} of {_SPOKEN[name]}"


_SPOKEN = {
    "workers": "the workers", "requests": "the API's rate", "lambda": "Lambda's concurrency", "table": "the table",
    "due": "the index", "tenant": "the tenant's partition", "puts": "S3's rate", "in_flight": "the queue",
}  # fmt: skip


def _changes(one: Scenario) -> str:
    """As CONTEXT for `make deploy`, and what has to be asked of AWS."""
    here, larger = one.here, one.larger
    settings = (
        ("worker_concurrency", here.workers, larger.workers),
        ("throttle_rate", here.api_rate, larger.api_rate),
        ("throttle_burst", here.api_burst, larger.api_burst),
    )
    parts = [f"`{name}={value:.0f}`" for name, was, value in settings if value != was]
    parts = [f"{one.stacks} stacks with {', '.join(parts)} each"] if one.stacks > 1 else parts
    if one.stacks * larger.lambda_concurrency > here.quotas.lambda_concurrency:
        parts.append(f"Lambda's quota to {one.stacks * larger.lambda_concurrency:,}")
    return ", ".join(parts)


def _usd(amount: float) -> str:
    return f"{amount:,.2f}" if amount < 100 else f"{amount:,.0f}"
