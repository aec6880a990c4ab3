"""What the README says of scale is what the simulation finds. `make scale` writes it anew."""

import pytest

from infra.settings import Settings
from tests.benchmarks.scale import demand, paper, report
from tests.benchmarks.scale.quotas import MOST_WORKERS, Installation
from tests.named import ROOT

README = (ROOT / "README.md").read_text()


def test_the_readmes_part_about_scale_is_what_the_simulation_says() -> None:
    assert report.BLOCK.findall(README) == [report.block(README)]


def test_what_is_to_be_raised_can_be_set() -> None:
    asked = demand.of_a_job(seconds=report.measured_seconds(README), size_mb=100)
    here = Installation.from_settings(Settings())
    for rate in (1, 10, 100, 1000, 10_000, 100_000):
        larger = paper.raised(here, asked, per_minute=rate)
        context = {
            "worker_concurrency": larger.workers,
            "throttle_rate": int(larger.api_rate),
            "throttle_burst": int(larger.api_burst),
        }
        assert Settings.from_context(context).worker_concurrency <= MOST_WORKERS


@pytest.mark.parametrize("seconds", [5.0, 15.0, 60.0])
def test_a_longer_job_writes_more_and_only_by_its_heartbeats(seconds: float) -> None:
    asked = demand.of_a_job(seconds=seconds, size_mb=100)
    beats = seconds / asked.beat_s
    once = asked.create + asked.claim + asked.complete
    assert asked.writes("table") == once.table + beats * asked.beat.table
    assert 0 < asked.writes("tenant") < asked.writes("table")
