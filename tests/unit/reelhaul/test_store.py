"""The jobs in DynamoDB: conditions, races, lost replies, lists, and what is due."""

import contextlib
import dataclasses
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError

from reelhaul import aws, items, steps
from reelhaul.errors import Conflict, JobNotFound, ServiceUnavailable, SourceNotFound
from reelhaul.jobs import LEASE_S, STRAY_S, Job, Progress, State
from reelhaul.store import JobStore, Tombstone, Unreadable
from tests.conftest import Cloud
from tests.faults import connection_lost, hooked, meanwhile, refused, reply_lost
from tests.jobs_in import MEDIA, NOW, PROGRESS, cancelled, done, due, failed, queued, running, stored


@pytest.fixture
def store(cloud: Cloud) -> JobStore:
    return JobStore(aws.client("dynamodb"), cloud.table, clock=lambda: NOW)


def put_raw(cloud: Cloud, stands_for: Job | None = None, **changes: Any) -> None:
    item = items.to_item(stands_for or queued()) | changes
    aws.client("dynamodb").put_item(TableName=cloud.table, Item=items.to_wire(item))


# --- one job ---------------------------------------------------------------------------------------------------------


def test_a_created_job_can_be_read(store: JobStore) -> None:
    job = queued(name="a name")
    store.create(job)
    assert store.get("acme", job.id) == job


def test_an_id_is_used_once(store: JobStore) -> None:
    job = queued()
    store.create(job)
    with pytest.raises(Conflict):
        store.create(dataclasses.replace(job, url="https://other.example/"))


@pytest.mark.parametrize("job_id", ["download-01m808tx008cx83k0b2xmnd18p", "download-1", "", "../x", "KEY"])
def test_an_unknown_id_is_not_found(store: JobStore, job_id: str) -> None:
    with pytest.raises(JobNotFound):
        store.get("acme", job_id)


def test_another_tenants_job_is_not_found(store: JobStore) -> None:
    job = queued()
    store.create(job)
    with pytest.raises(JobNotFound):
        store.get("umbrella", job.id)


def test_a_record_past_its_time_is_gone_before_dynamodb_deletes_it(store: JobStore, cloud: Cloud) -> None:
    job = failed()
    store.create(job)
    late = JobStore(aws.client("dynamodb"), cloud.table, clock=lambda: NOW + 97 * 86_400)
    with pytest.raises(JobNotFound):
        late.get("acme", job.id)
    assert late.page("acme", limit=10).jobs == []


def test_swap_writes_the_new_state(store: JobStore) -> None:
    job = queued()
    store.create(job)
    claimed = store.swap(job, steps.claim(job, now=NOW))
    assert store.get("acme", job.id) == claimed


def test_of_two_workers_that_claim_one_job_one_loses(store: JobStore) -> None:
    job = queued()
    store.create(job)
    store.swap(job, steps.claim(job, now=NOW))
    with pytest.raises(Conflict):
        store.swap(job, steps.claim(job, now=NOW + 1))


def test_a_stale_worker_can_neither_report_nor_complete(store: JobStore) -> None:
    job = running()
    store.create(job)
    store.swap(job, steps.requeue(job, now=NOW, cut_off=True))
    with pytest.raises(Conflict):
        store.swap(job, steps.beat(job, PROGRESS, now=NOW))
    with pytest.raises(Conflict):
        store.swap(job, dataclasses.replace(done(), id=job.id))


def test_a_worker_of_an_earlier_generation_cannot_touch_the_retry(store: JobStore) -> None:
    old = running()
    again = dataclasses.replace(old, generation=2)
    store.create(again)
    with pytest.raises(Conflict):
        store.swap(old, steps.fail(old, SourceNotFound(), now=NOW))


def test_swap_of_a_deleted_job_is_a_conflict_and_does_not_bring_it_back(store: JobStore) -> None:
    job = running()
    store.create(job)
    store.delete(job, now=NOW)
    with pytest.raises(Conflict):
        store.swap(job, steps.beat(job, PROGRESS, now=NOW))
    with pytest.raises(JobNotFound):
        store.get("acme", job.id)


def test_a_create_whose_reply_is_lost_succeeds_when_it_is_sent_again(store: JobStore) -> None:
    job = queued()
    with connection_lost("dynamodb", "TransactWriteItems") as lost:
        store.create(job)
    assert lost == ["TransactWriteItems"]
    assert store.get(job.tenant, job.id) == job
    assert store.total(job.tenant) == 1


def test_a_swap_whose_reply_is_lost_finds_its_own_work(store: JobStore) -> None:
    job = queued()
    store.create(job)
    claimed = steps.claim(job, now=NOW)
    with connection_lost("dynamodb", "PutItem") as lost:
        assert store.swap(job, claimed) == claimed
    assert lost == ["PutItem"]
    assert store.get(job.tenant, job.id) == claimed


def test_of_two_workers_that_write_the_very_same_one_loses(store: JobStore) -> None:
    job = queued()
    store.create(job)
    claimed = steps.claim(job, now=NOW)
    store.swap(job, claimed)
    with pytest.raises(Conflict):
        store.swap(job, claimed)


def test_a_lost_reply_is_not_mistaken_for_anothers_work(store: JobStore) -> None:
    job = queued()
    store.create(job)
    store.swap(job, steps.claim(job, now=NOW))
    with pytest.raises(Conflict):
        store.swap(job, steps.claim(job, now=NOW + 0.5))


def test_change_applies_a_step_to_the_job_as_it_is(store: JobStore) -> None:
    job = queued()
    store.create(job)
    assert store.change("acme", job.id, lambda read: steps.cancel(read, now=NOW)).state is State.CANCELLED


def test_change_starts_over_when_somebody_was_faster(store: JobStore) -> None:
    job = queued()
    store.create(job)
    with meanwhile("dynamodb", "TransactWriteItems", lambda: store.swap(job, steps.claim(job, now=NOW))):
        changed = store.change("acme", job.id, lambda read: steps.cancel(read, now=NOW))
    assert (changed.state, changed.untidy) == (State.CANCELLED, True)  # it saw the worker


def test_change_passes_on_a_step_that_is_not_allowed(store: JobStore) -> None:
    job = done()
    store.create(job)
    with pytest.raises(Conflict, match="done"):
        store.change("acme", job.id, lambda read: steps.cancel(read, now=NOW))


@pytest.mark.parametrize("operation", ["GetItem", "PutItem", "Query", "TransactWriteItems"])
def test_what_aws_cannot_do_is_service_unavailable(store: JobStore, operation: str) -> None:
    job = queued()
    store.create(job)

    calls: dict[str, Callable[[], object]] = {
        "GetItem": lambda: store.get("acme", job.id),
        "PutItem": lambda: store.swap(job, steps.claim(job, now=NOW)),
        "Query": lambda: store.page("acme", limit=1),
        "TransactWriteItems": lambda: store.delete(job, now=NOW),
    }
    with refused("dynamodb", operation), pytest.raises(ServiceUnavailable) as caught:
        calls[operation]()
    assert isinstance(caught.value.__cause__, ClientError)


# --- delete ----------------------------------------------------------------------------------------------------------


def test_delete_leaves_a_tombstone_that_becomes_due_when_a_worker_must_have_noticed(store: JobStore) -> None:
    job = running()
    store.create(job)
    store.delete(job, now=NOW)
    assert list(store.due(NOW + LEASE_S - 1)) == []
    assert list(store.due(NOW + LEASE_S)) == [Tombstone("acme", job.id, NOW + STRAY_S, has_items=True)]


def test_a_tombstone_is_looked_at_again_when_no_worker_can_be_left(store: JobStore) -> None:
    job = running()
    store.create(job)
    store.delete(job, now=NOW)
    [tombstone] = store.due(NOW + LEASE_S)
    assert isinstance(tombstone, Tombstone)
    store.put_off(tombstone)
    assert list(store.due(NOW + STRAY_S - 1)) == []
    assert list(store.due(NOW + STRAY_S)) == [tombstone]
    store.bury(tombstone)
    with pytest.raises(Conflict):
        store.put_off(tombstone)


def test_a_buried_tombstone_is_gone(store: JobStore) -> None:
    job = queued()
    store.create(job)
    store.delete(job, now=NOW)
    store.bury(Tombstone("acme", job.id, NOW))
    assert list(store.due(NOW + 1000)) == []


def test_delete_of_a_job_that_moved_on_is_a_conflict_and_leaves_no_tombstone(store: JobStore) -> None:
    job = queued()
    store.create(job)
    store.swap(job, steps.claim(job, now=NOW))
    with pytest.raises(Conflict):
        store.delete(job, now=NOW)
    assert not [found for found in store.due(NOW + 1000) if isinstance(found, Tombstone)]


def test_a_delete_whose_reply_is_lost_finds_its_own_work(store: JobStore) -> None:
    job = queued()
    store.create(job)
    with reply_lost("dynamodb", "TransactWriteItems"), pytest.raises(ServiceUnavailable):
        store.delete(job, now=NOW)
    store.delete(job, now=NOW)


# --- lists -----------------------------------------------------------------------------------------------------------


def fill(store: JobStore, number: int, *, make: Callable[..., Job] = queued, tenant: str = "acme") -> list[Job]:
    """`number` jobs, newest first."""
    made = [make(now=NOW + second, tenant=tenant) for second in range(number)]
    for job in made:
        store.create(job)
    return made[::-1]


def test_a_page_shows_the_newest_first(store: JobStore) -> None:
    made = fill(store, 5)
    assert store.page("acme", limit=10).jobs == made
    assert store.page("acme", limit=10).last_id is None


def test_pages_lead_through_the_whole_list_once(store: JobStore) -> None:
    made = fill(store, 7)
    seen, after = [], None
    for _ in range(4):
        page = store.page("acme", limit=2, after=after)
        seen += page.jobs
        after = page.last_id
    assert seen == made
    assert after is None


def test_a_last_page_that_is_full_is_known_to_be_the_last(store: JobStore) -> None:
    fill(store, 4)
    first = store.page("acme", limit=2)
    assert store.page("acme", limit=2, after=first.last_id).last_id is None


def test_records_past_their_time_do_not_end_the_list_early(store: JobStore, cloud: Cloud) -> None:
    made = fill(store, 6)
    for job in made[1:4]:
        put_raw(cloud, job, ends_at=int(NOW) - 1)
    page = store.page("acme", limit=2)
    assert [job.id for job in page.jobs] == [made[0].id, made[4].id]
    assert [job.id for job in store.page("acme", limit=2, after=page.last_id).jobs] == [made[5].id]


def test_a_record_that_cannot_be_read_does_not_hide_the_others(store: JobStore, cloud: Cloud) -> None:
    made = fill(store, 3)
    put_raw(cloud, made[1], schema=99)
    page = store.page("acme", limit=2)
    assert (page.jobs, page.unreadable) == ([made[0]], (Unreadable("TENANT#acme", made[1].id, is_newer=True),))
    assert store.page("acme", limit=2, after=page.last_id).jobs == [made[2]]


def test_lists_keep_tenants_apart(store: JobStore) -> None:
    fill(store, 3, tenant="umbrella")
    mine = fill(store, 2)
    assert store.page("acme", limit=10).jobs == mine
    assert store.total("acme") == 2


def test_another_tenants_place_shows_only_ones_own_jobs(store: JobStore) -> None:
    fill(store, 3, tenant="umbrella")
    mine = fill(store, 3)
    after = store.page("umbrella", limit=1).last_id
    assert set(store.page("acme", limit=10, after=after).jobs) <= set(mine)


def test_a_list_of_one_status_pages_and_counts(store: JobStore) -> None:
    done_jobs = fill(store, 3, make=done)
    failed_jobs = [failed(now=NOW + 100), cancelled(now=NOW + 99)]
    for job in failed_jobs:
        store.create(job)
    first = store.page("acme", limit=2, status="done")
    assert first.jobs + store.page("acme", limit=2, status="done", after=first.last_id).jobs == done_jobs
    assert store.page("acme", limit=5, status="error").jobs == failed_jobs
    assert (store.total("acme", status="done"), store.total("acme", status="error"), store.total("acme")) == (3, 2, 5)


# --- counters --------------------------------------------------------------------------------------------------------


def truth(store: JobStore) -> dict[str, int]:
    """The counters' values, counted by reading everything."""
    seen = [items.STATUSES[job.state] for job in store.page("acme", limit=1000).jobs]
    return {status: seen.count(status) for status in ("processing", "done", "error")}


def test_the_total_costs_the_same_however_many_jobs_there_are(store: JobStore) -> None:
    fill(store, 40)
    read: list[int] = []

    def note(parsed: dict[str, Any], **_: Any) -> None:
        read.append(parsed["ScannedCount"])

    with hooked("after-call", "dynamodb", "Query", note):
        assert store.total("acme") == 40
    (looked_at,) = read
    assert 1 < looked_at <= items.COUNT_SHARDS  # a shard without any job is not there


def test_counters_follow_a_job_through_its_life(store: JobStore) -> None:
    job = queued()
    store.create(job)
    life: list[Callable[[Job], Job]] = [
        lambda job: steps.claim(job, now=NOW),
        lambda job: steps.beat(job, PROGRESS, now=NOW),
        lambda job: steps.requeue(job, now=NOW),
        lambda job: steps.cancel(job, now=NOW),
        lambda job: steps.retry(job, now=NOW),
        lambda job: steps.claim(job, now=NOW),
        lambda job: steps.complete(job, MEDIA, stored(job), now=NOW),
        lambda job: steps.expire(job, now=NOW),
        lambda job: steps.remove_file(job, now=NOW),
    ]
    for step in life:
        job = store.swap(job, step(job))
        assert store.counts("acme") == truth(store)
    store.forget(job)
    assert store.counts("acme") == {"processing": 0, "done": 0, "error": 0}


@pytest.mark.parametrize("fault", [refused, reply_lost, connection_lost])
def test_counters_equal_the_truth_after_a_fault(store: JobStore, fault: Callable[..., Any]) -> None:
    """Whether or not a write that failed was carried out, its count was or was not with it."""
    first, second = queued(), running()
    store.create(first)
    store.create(second)
    calls: list[Callable[[], object]] = [
        lambda: store.create(queued()),
        lambda: store.swap(second, steps.fail(second, SourceNotFound(), now=NOW)),
        lambda: store.delete(first, now=NOW),
    ]
    for call in calls:
        with fault("dynamodb", "TransactWriteItems"), contextlib.suppress(ServiceUnavailable):
            call()
        assert store.counts("acme") == truth(store)


def test_a_write_that_lost_its_race_counts_nothing(store: JobStore) -> None:
    job = queued()
    store.create(job)
    store.swap(job, steps.cancel(job, now=NOW))
    with pytest.raises(Conflict):
        store.swap(job, steps.fail(job, SourceNotFound(), now=NOW))
    assert store.counts("acme") == {"processing": 0, "done": 0, "error": 1}


# --- what is due -----------------------------------------------------------------------------------------------------


def test_due_finds_what_is_overdue_in_every_shard_and_nothing_else(store: JobStore) -> None:
    overdue = [due(queued(now=NOW + number), NOW - number) for number in range(20)]
    for job in [*overdue, due(queued(), NOW + 1), failed()]:
        store.create(job)
    found = [job for job in store.due(NOW) if isinstance(job, Job)]
    assert {job.id for job in found} == {job.id for job in overdue}


def test_due_is_bounded_and_takes_the_longest_overdue_first(store: JobStore) -> None:
    overdue = [due(queued(now=NOW + number), NOW - number) for number in range(30)]
    for job in overdue:
        store.create(job)
    found = [job for job in store.due(NOW, limit=1) if isinstance(job, Job)]
    shards = {items.to_item(job)["due_shard"]: job.id for job in overdue}  # the last one of each is due the longest
    assert {job.id for job in found} == set(shards.values())


@pytest.mark.parametrize(
    "broken", [{"schema": 99}, {"job": '{"state":"ASLEEP"}'}, {"job": "half"}, {"job": "[]"}, {"job": "{}"}]
)
def test_due_goes_on_past_what_it_cannot_read(store: JobStore, cloud: Cloud, broken: dict[str, Any]) -> None:
    job = queued()
    store.create(job)
    put_raw(cloud, due_at=int(NOW), **broken)
    found = list(store.due(NOW + 60))
    assert job in found
    assert [type(entry) for entry in found if entry != job] == [Unreadable]


def test_progress_is_read_as_it_was_written(store: JobStore) -> None:
    job = running()
    store.create(job)
    progress = Progress(downloaded_bytes=5, total_bytes=10, speed=2.5, eta_s=2.0)
    store.swap(job, steps.beat(job, progress, now=NOW))
    assert store.get("acme", job.id).progress == progress
