"""A job as an item of the table, and back."""

import dataclasses

import pytest

from reelhaul import items, jobs
from reelhaul.jobs import Progress, State
from tests.jobs_in import NOW, done, in_state, queued, running


@pytest.mark.parametrize("state", State)
def test_a_job_survives_the_round_trip(state: State) -> None:
    job = in_state(state, name="a name")
    assert items.from_item(items.to_item(job)) == job


def test_a_job_without_a_name_survives_the_round_trip() -> None:
    job = queued(name=None)
    assert "name" not in items.to_item(job)
    assert items.from_item(items.to_item(job)) == job


def test_fractions_survive_to_the_millisecond() -> None:
    job = dataclasses.replace(running(), progress=Progress(speed=1234.5678, eta_s=0.5), updated_at=NOW + 0.1234)
    read = items.from_item(items.to_item(job))
    assert (read.progress.speed, read.progress.eta_s, read.updated_at) == (1234.568, 0.5, NOW + 0.123)


@pytest.mark.parametrize(
    ("state", "status"),
    [("QUEUED", "processing"), ("RUNNING", "processing"), ("DONE", "done"), ("FAILED", "error"),
     ("CANCELLED", "error"), ("EXPIRED", "error")],
)  # fmt: skip
def test_a_job_is_filed_under_the_status_of_the_first_contract(state: str, status: str) -> None:
    assert items.to_item(in_state(State(state)))["status_key"] == f"TENANT#acme#{status}"


def test_what_is_not_due_is_not_in_the_index() -> None:
    item = items.to_item(in_state(State.FAILED))
    assert item.keys().isdisjoint({"due_shard", "due_at"})


def test_what_is_due_is_in_one_of_the_shards_that_the_sweeper_reads() -> None:
    shards = {items.to_item(queued())["due_shard"] for _ in range(100)}
    assert shards == set(items.due_partitions())


def test_a_job_is_remembered_for_its_retention_and_some_time() -> None:
    assert items.to_item(done())["ttl"] == int(NOW) + (7 + 90) * 86_400
    assert "ttl" not in items.to_item(queued())


def test_an_item_of_a_newer_schema_is_refused() -> None:
    item = items.to_item(queued()) | {"schema": jobs.SCHEMA_VERSION + 1}
    with pytest.raises(ValueError, match="newer"):
        items.from_item(item)


def test_attributes_that_a_later_version_added_are_ignored() -> None:
    job = queued()
    assert items.from_item(items.to_item(job) | {"colour": "blue"}) == job
