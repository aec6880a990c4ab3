"""A job as an item of the table, and back."""

import dataclasses
import json

import pytest

from reelhaul import ids, items, jobs
from reelhaul.jobs import PlaylistItem, Progress, State
from reelhaul.limits import Limits
from reelhaul.options import Clip, Options
from tests.jobs_in import NOW, done, extra, in_state, queued, running

EVERYTHING = Options(
    quality="480p", container="webm", subtitles=("de", "en-US"), clip=Clip(start_s=1.5, end_s=3), playlist="false",
    playlist_limit=5,
)  # fmt: skip


@pytest.mark.parametrize("state", State)
def test_a_job_survives_the_round_trip(state: State) -> None:
    job = in_state(state, name="a name")
    assert items.from_item(items.to_item(job)) == job


def test_a_job_without_a_name_survives_the_round_trip() -> None:
    job = queued(name=None)
    assert items.from_item(items.to_item(job)) == job


def test_everything_a_job_can_have_survives_the_way_through_dynamodb() -> None:
    job = done(
        name="a “name” 文字",
        options=EVERYTHING,
        callback_url="https://hooks.example/x",
        item=PlaylistItem(parent_id=ids.new_id(NOW), index=3, total=9, entry=3, counted_apart=True),
        limits=Limits(max_concurrent_jobs=5, max_bytes_per_day=10**10),
        extras=(extra(running(), "subtitles", language="de"), extra(running())),
    )
    assert items.from_item(items.from_wire(items.to_wire(items.to_item(job)))) == job


def test_fractions_survive() -> None:
    job = dataclasses.replace(running(), progress=Progress(speed=1234.5678, eta_s=0.5), updated_at=NOW + 0.1234)
    read = items.from_item(items.to_item(job))
    assert (read.progress.speed, read.progress.eta_s, read.updated_at) == (1234.5678, 0.5, NOW + 0.1234)


@pytest.mark.parametrize("number", [0, -3, 1, 2**53, 0.5, -0.001, 1e-7, 1.5e21])
def test_numbers_survive_the_way_through_dynamodb(number: float) -> None:
    assert items.from_wire(items.to_wire({"n": number})) == {"n": number}


def test_attributes_that_are_not_ours_do_no_harm() -> None:
    assert items.from_wire({"x": {"BOOL": True}, "y": {"M": {}}, "z": {"S": "z"}}) == {"x": None, "y": None, "z": "z"}


@pytest.mark.parametrize(
    ("state", "status"),
    [("QUEUED", "processing"), ("RUNNING", "processing"), ("EXPANDED", "processing"), ("DONE", "done"),
     ("FAILED", "error"), ("CANCELLED", "error"), ("EXPIRED", "error")],
)  # fmt: skip
def test_a_job_is_filed_under_the_status_of_the_first_contract(state: str, status: str) -> None:
    assert items.to_item(in_state(State(state)))["status_key"] == f"TENANT#acme#{status}"


def test_what_is_not_due_is_not_in_the_index() -> None:
    item = items.to_item(dataclasses.replace(queued(), due_at=None))
    assert item.keys().isdisjoint({"due_shard", "due_at"})


def test_what_is_due_is_in_one_of_the_shards_that_the_sweeper_reads() -> None:
    shards = {items.to_item(queued())["due_shard"] for _ in range(100)}
    assert shards == set(items.due_partitions())


def test_a_job_is_remembered_for_its_retention_and_some_time() -> None:
    item = items.to_item(done())
    assert item["ends_at"] == int(NOW) + (7 + 90) * 86_400
    assert item["ttl"] == item["ends_at"] + 30 * 86_400  # the sweeper, which keeps the counters right, comes first
    assert items.to_item(queued()).keys().isdisjoint({"ends_at", "ttl"})


def test_an_item_of_a_newer_schema_is_refused() -> None:
    item = items.to_item(queued()) | {"schema": jobs.SCHEMA_VERSION + 1}
    with pytest.raises(ValueError, match="newer"):
        items.from_item(item)


def test_what_a_later_version_added_is_kept_for_it() -> None:
    job = queued()
    item = items.to_item(job)
    newer = json.loads(item["job"])
    newer |= {"colour": "blue"}
    newer["options"] |= {"loudness": 3}
    read = items.from_item(item | {"shade": "dark", "job": json.dumps(newer)})
    assert read == dataclasses.replace(job, beyond='{"colour": "blue"}')
    assert json.loads(items.to_item(read)["job"]) == json.loads(item["job"]) | {"colour": "blue"}


@pytest.mark.parametrize("name", ["state", "fence", "generation"])
def test_no_default_stands_for_what_every_write_is_conditional_on(name: str) -> None:
    item = items.to_item(running())
    fields = json.loads(item["job"])
    del fields[name]
    with pytest.raises(KeyError, match=name):
        items.from_item(item | {"job": json.dumps(fields)})
