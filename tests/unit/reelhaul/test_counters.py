"""What is counted of a tenant's jobs: always what there is, and never one more than a limit allows."""

import dataclasses
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from botocore.exceptions import ClientError
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from reelhaul import aws, ids, items, steps, table
from reelhaul.errors import Conflict, JobNotFound, JobsPerDayReached, LimitReached, ServiceUnavailable, SourceNotFound
from reelhaul.jobs import Job, PlaylistItem
from reelhaul.limits import Limits, Usage
from reelhaul.store import IdempotentRequest, JobStore
from tests.conftest import Cloud
from tests.faults import connection_lost, hooked, meanwhile
from tests.jobs_in import MEDIA, NOW, done, expanded, extra, failed, queued, running, stored

DAY_S = 86_400
ONE_AT_A_TIME, ONE_A_DAY = Limits(max_concurrent_jobs=1), Limits(max_jobs_per_day=1)
ONCE = IdempotentRequest(key="order-1", fingerprint="f-1")


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(table, "_WAIT_S", 0.001)


def used(cloud: Cloud, *, now: float = NOW) -> tuple[int, int, int]:
    return dataclasses.astuple(cloud.store.usage("acme", now=now))


def item_of(parent: Job, index: int = 1, **fields: Any) -> Job:
    place = PlaylistItem(parent_id=parent.id, index=index, total=9, counted_apart=True)
    return dataclasses.replace(queued(item=place, **fields), id=ids.item_id(parent, index))


def gate_of(cloud: Cloud) -> dict[str, Any]:
    key = items.to_wire({"pk": items.gate_partition("acme"), "sk": "GATE"})
    return items.from_wire(aws.client("dynamodb").get_item(TableName=cloud.table, Key=key).get("Item", {}))


def shards_of(cloud: Cloud) -> list[dict[str, Any]]:
    found = aws.client("dynamodb").scan(TableName=cloud.table)["Items"]
    return [item for item in map(items.from_wire, found) if item["pk"] == items.counts_partition("acme")]


# --- what is counted -------------------------------------------------------------------------------------------------


def test_a_tenant_that_never_did_anything_has_used_nothing(cloud: Cloud) -> None:
    assert used(cloud) == (0, 0, 0)


def test_a_job_is_under_way_until_it_ends_and_one_of_its_day_for_good(cloud: Cloud) -> None:
    job = queued()
    cloud.store.create(job)
    assert used(cloud) == (1, 1, 0)
    claimed = cloud.store.swap(job, steps.claim(job, now=NOW))
    assert used(cloud) == (1, 1, 0)
    ended = cloud.store.swap(claimed, steps.fail(claimed, SourceNotFound(), now=NOW))
    assert used(cloud) == (0, 1, 0)
    cloud.store.delete(ended, now=NOW)
    assert used(cloud) == (0, 1, 0)


@pytest.mark.parametrize("make", [queued, running, expanded])
def test_a_job_that_is_deleted_while_under_way_is_so_no_longer(cloud: Cloud, make: Callable[..., Job]) -> None:
    job = make()
    cloud.store.create(job)
    cloud.store.delete(job, now=NOW)
    assert used(cloud) == (0, 1, 0)


def test_a_retry_is_another_job_of_its_own_day(cloud: Cloud) -> None:
    job = failed()
    cloud.store.create(job)
    cloud.store.swap(job, steps.retry(job, now=NOW + DAY_S))
    assert used(cloud) == (1, 1, 0)
    assert used(cloud, now=NOW + DAY_S) == (1, 1, 0)


def test_all_that_is_stored_is_counted_on_the_day_that_it_is(cloud: Cloud) -> None:
    job = running()
    cloud.store.create(job)
    after = steps.complete(job, MEDIA, stored(job), extras=(extra(job),), now=NOW + DAY_S)
    cloud.store.swap(job, after)
    assert used(cloud)[2] == 0
    assert used(cloud, now=NOW + DAY_S)[2] == 1010
    cloud.store.delete(after, now=NOW + DAY_S)
    assert used(cloud, now=NOW + DAY_S)[2] == 1010


def test_what_is_stored_is_counted_once_whatever_happens_to_its_job_later(cloud: Cloud) -> None:
    job = done(extras=())
    cloud.store.create(job)
    for step in (steps.tidied, steps.expire, steps.remove_file, steps.retry):
        job = cloud.store.swap(job, step(job, now=NOW))
    assert used(cloud) == (1, 2, 1000)


def test_items_are_jobs_of_the_day_and_their_playlist_alone_is_under_way(cloud: Cloud) -> None:
    parent = expanded()
    cloud.store.create(parent)
    for index in (1, 2):
        cloud.store.create(item_of(parent, index))
    assert used(cloud) == (1, 3, 0)
    first = item_of(parent, 1)
    cloud.store.change("acme", first.id, lambda job: steps.cancel(job, now=NOW))
    assert used(cloud) == (1, 3, 0)


def test_items_of_before_they_were_counted_apart_leave_no_trace_when_they_end(cloud: Cloud) -> None:
    old = queued(item=PlaylistItem(parent_id=queued().id, index=1, total=1))
    cloud.store.create(old)
    assert used(cloud)[0] == 1
    cloud.store.swap(old, steps.cancel(old, now=NOW))
    assert used(cloud)[0] == 0


def test_counters_of_before_read_as_nothing_used(cloud: Cloud) -> None:
    old = {"pk": items.counts_partition("acme"), "sk": "3", "processing": 2, "done": 7}
    aws.client("dynamodb").put_item(TableName=cloud.table, Item=items.to_wire(old))
    assert used(cloud) == (2, 0, 0)
    assert cloud.store.counts("acme")["done"] == 7


def test_days_long_past_are_forgotten_and_yesterday_is_not(cloud: Cloud) -> None:
    job = queued()
    cloud.store.create(job)
    for now in (NOW + DAY_S, NOW + 2 * DAY_S, NOW + 3 * DAY_S):
        ended = cloud.store.swap(job, steps.cancel(job, now=now))
        job = cloud.store.swap(ended, steps.retry(ended, now=now))
    [shard] = shards_of(cloud)
    assert {name for name in shard if name.startswith("jobs_")} == {"jobs_20261124", "jobs_20261125"}


def test_a_write_whose_reply_was_lost_is_counted_once(cloud: Cloud) -> None:
    with connection_lost("dynamodb", "TransactWriteItems") as lost:
        cloud.store.create(queued(limits=Limits(max_jobs_per_day=2)))
    assert lost
    assert used(cloud) == (1, 1, 0)


class World:
    """A tenant's jobs, and what anybody can work out from looking at all that ever happened."""

    def __init__(self, store: JobStore) -> None:
        self.store = store
        self.jobs: list[Job] = []
        self.begun = self.bytes = 0

    def act(self, action: str, which: int) -> None:
        if action in ("create", "create item") or not self.jobs:
            job = queued()
            if action == "create item":
                job = item_of(job)
            self.store.create(job)
            self.jobs.append(job)
            self.begun += 1
            return
        job = self.jobs[which % len(self.jobs)]
        try:
            self._take(action, job)
        except (Conflict, JobNotFound):
            return  # not a step that this job may take

    def _take(self, action: str, job: Job) -> None:
        seen = self.store.get("acme", job.id)
        if action == "delete":
            self.store.delete(seen, now=NOW)
            self.jobs.remove(job)
            return
        step: dict[str, Callable[[Job], Job]] = {
            "claim": lambda job: steps.claim(job, now=NOW),
            "requeue": lambda job: steps.requeue(job, now=NOW),
            "complete": lambda job: steps.complete(job, MEDIA, stored(job), now=NOW),
            "fail": lambda job: steps.fail(job, SourceNotFound(), now=NOW),
            "cancel": lambda job: steps.cancel(job, now=NOW),
            "expire": lambda job: steps.expire(job, now=NOW),
            "retry": lambda job: steps.retry(job, now=NOW),
        }
        after = self.store.change("acme", job.id, step[action])
        self.begun += action == "retry"
        self.bytes += after.stored.size if action == "complete" and after.stored else 0

    def truth(self) -> Usage:
        seen = [self.store.get("acme", job.id) for job in self.jobs]
        under_way = [job for job in seen if items.STATUSES[job.state] == "processing" and job.item is None]
        return Usage(open_jobs=len(under_way), jobs_today=self.begun, bytes_today=self.bytes)


ACTIONS = ["create", "create item", "claim", "requeue", "complete", "fail", "cancel", "expire", "retry", "delete"]


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.sampled_from(ACTIONS), st.integers(0, 3)), min_size=5, max_size=30))
def test_counters_are_the_truth_after_whatever_happened(cloud: Cloud, acts: list[tuple[str, int]]) -> None:
    client = aws.client("dynamodb")
    for item in client.scan(TableName=cloud.table)["Items"]:
        client.delete_item(TableName=cloud.table, Key={name: item[name] for name in ("pk", "sk")})
    world = World(cloud.store)
    for action, which in acts:
        world.act(action, which)
        assert cloud.store.usage("acme", now=NOW) == world.truth()


# --- the gate --------------------------------------------------------------------------------------------------------


def test_without_limits_nobody_goes_near_the_gate(cloud: Cloud) -> None:
    def reads(**_: Any) -> None:
        raise AssertionError("the counters are read")

    with hooked("before-call", "dynamodb", "TransactGetItems", reads):
        cloud.store.create(queued())
    assert gate_of(cloud) == {}


def test_over_a_limit_nothing_is_written(cloud: Cloud) -> None:
    cloud.store.create(queued(limits=ONE_A_DAY))
    before = aws.client("dynamodb").scan(TableName=cloud.table)["Items"]
    with pytest.raises(LimitReached):
        cloud.store.create(queued(limits=ONE_A_DAY))
    assert aws.client("dynamodb").scan(TableName=cloud.table)["Items"] == before


def test_two_keys_of_a_tenant_have_different_ceilings_over_the_same_use(cloud: Cloud) -> None:
    cloud.store.create(queued())
    with pytest.raises(LimitReached):
        cloud.store.create(queued(limits=ONE_AT_A_TIME))
    cloud.store.create(queued(limits=Limits(max_concurrent_jobs=2)))
    cloud.store.create(queued())
    assert used(cloud)[0] == 3


def test_another_tenants_use_is_none_of_ours(cloud: Cloud) -> None:
    cloud.store.create(queued(tenant="umbrella"))
    cloud.store.create(queued(limits=ONE_A_DAY))


@pytest.mark.parametrize("limits", [ONE_AT_A_TIME, ONE_A_DAY])
def test_of_two_who_come_at_once_one_takes_the_last_place(cloud: Cloud, limits: Limits) -> None:
    def faster() -> None:
        cloud.store.create(queued(limits=limits))

    with (
        meanwhile("dynamodb", "TransactWriteItems", faster),
        pytest.raises(LimitReached),
    ):
        cloud.store.create(queued(limits=limits))
    assert cloud.store.total("acme") == 1


def test_who_is_outrun_at_the_gate_gets_in_while_there_is_room(cloud: Cloud) -> None:
    limits = Limits(max_concurrent_jobs=2)
    with meanwhile("dynamodb", "TransactWriteItems", lambda: cloud.store.create(queued(limits=limits))):
        cloud.store.create(queued(limits=limits))
    assert (used(cloud)[0], gate_of(cloud)["version"]) == (2, 2)


def test_of_a_crowd_exactly_as_many_get_in_as_there_is_room(cloud: Cloud) -> None:
    """moto carries out one call at a time; what is between two calls of one of them, others may use."""
    limits = Limits(max_concurrent_jobs=5)

    def enter(_: int) -> bool:
        try:
            cloud.store.create(queued(limits=limits))
        except (LimitReached, ServiceUnavailable):
            return False
        return True

    with ThreadPoolExecutor(8) as pool:
        entered = sum(pool.map(enter, range(16)))
    assert (entered, used(cloud)[0]) == (5, 5)


def test_at_a_gate_that_is_never_free_one_is_told_to_come_again(cloud: Cloud) -> None:
    def others(**_: Any) -> None:
        gate = {"pk": items.gate_partition("acme"), "sk": "GATE", "version": time.monotonic_ns()}
        aws.client("dynamodb").put_item(TableName=cloud.table, Item=items.to_wire(gate))

    with hooked("before-call", "dynamodb", "TransactWriteItems", others), pytest.raises(ServiceUnavailable):
        cloud.store.create(queued(limits=ONE_A_DAY))
    assert used(cloud) == (0, 0, 0)


def test_counters_that_others_write_to_at_the_moment_are_read_again(cloud: Cloud) -> None:
    busy: list[int] = []

    def in_the_way(**_: Any) -> None:
        if len(busy) < 3:
            busy.append(1)
            answer: Any = {"Error": {"Code": "TransactionCanceledException"}}
            answer["CancellationReasons"] = [{"Code": "None"}, {"Code": "TransactionConflict"}]
            raise ClientError(answer, "TransactGetItems")

    with hooked("before-call", "dynamodb", "TransactGetItems", in_the_way):
        cloud.store.create(queued(limits=ONE_A_DAY))
    assert used(cloud) == (1, 1, 0)


def test_a_retry_goes_through_the_gate_as_well(cloud: Cloud) -> None:
    job = failed()
    cloud.store.create(job)
    with pytest.raises(LimitReached):
        cloud.store.change("acme", job.id, lambda job: steps.retry(job, now=NOW, limits=ONE_A_DAY))
    assert cloud.store.get("acme", job.id) == job


def test_of_two_retries_of_one_job_the_slower_one_hears_that_it_is_under_way(cloud: Cloud) -> None:
    job = failed()
    cloud.store.create(job)

    def retry() -> Job:
        return cloud.store.change("acme", job.id, lambda job: steps.retry(job, now=NOW, limits=ONE_AT_A_TIME))

    with meanwhile("dynamodb", "TransactWriteItems", retry), pytest.raises(Conflict):
        retry()
    assert cloud.store.get("acme", job.id).generation == 2


def test_what_was_accepted_before_is_not_over_a_limit(cloud: Cloud) -> None:
    first = cloud.store.create(queued(limits=ONE_A_DAY), ONCE)
    assert cloud.store.create(queued(limits=ONE_A_DAY), ONCE) == first
    assert used(cloud) == (1, 1, 0)


def test_what_is_accepted_at_this_moment_is_not_over_a_limit(cloud: Cloud) -> None:
    accepted: list[Job] = []

    def same() -> None:
        accepted.append(cloud.store.create(queued(limits=ONE_A_DAY), ONCE))

    with meanwhile("dynamodb", "TransactWriteItems", same):
        assert cloud.store.create(queued(limits=ONE_A_DAY), ONCE) == accepted[0]
    assert used(cloud) == (1, 1, 0)


# --- a playlist's items ----------------------------------------------------------------------------------------------


def grant(cloud: Cloud, parent: Job, wanted: int, fingerprint: str = "f-1") -> int:
    return cloud.store.grant_items(parent, wanted, fingerprint=fingerprint, now=NOW)


def test_items_get_what_is_left_of_the_day_and_are_counted_with_that(cloud: Cloud) -> None:
    parent = running(limits=Limits(max_jobs_per_day=4))
    cloud.store.create(parent)
    assert grant(cloud, parent, 5) == 3
    for index in (1, 2, 3):
        cloud.store.create(item_of(parent, index, limits=parent.limits))
    assert used(cloud) == (1, 4, 0)


def test_a_worker_that_takes_over_is_granted_the_same_and_nothing_is_counted_twice(cloud: Cloud) -> None:
    parent = running(limits=Limits(max_jobs_per_day=4))
    cloud.store.create(parent)
    assert [grant(cloud, parent, 5) for _ in range(3)] == [3, 3, 3]
    assert used(cloud)[1] == 4


def test_a_list_that_has_changed_is_granted_what_is_left_after_the_first(cloud: Cloud) -> None:
    parent = running(limits=Limits(max_jobs_per_day=4))
    cloud.store.create(parent)
    assert (grant(cloud, parent, 2), grant(cloud, parent, 5, "f-2"), grant(cloud, parent, 5, "f-3")) == (2, 1, 0)


def test_of_two_playlists_at_once_no_job_is_granted_twice(cloud: Cloud) -> None:
    one, other = (running(limits=Limits(max_jobs_per_day=6)) for _ in range(2))
    cloud.store.create(one)
    cloud.store.create(other)
    granted: list[int] = []
    with meanwhile("dynamodb", "TransactWriteItems", lambda: granted.append(grant(cloud, other, 3))):
        granted.append(grant(cloud, one, 3))
    assert granted == [3, 1]
    assert used(cloud)[1] == 6


def test_an_item_that_is_retried_is_a_job_of_the_day_and_takes_no_place(cloud: Cloud) -> None:
    limits = Limits(max_concurrent_jobs=1, max_jobs_per_day=3)
    parent = running(limits=limits)
    cloud.store.create(parent)
    grant(cloud, parent, 1)
    item = item_of(parent, limits=limits)
    cloud.store.create(item)
    cloud.store.change("acme", item.id, lambda job: steps.cancel(job, now=NOW))
    cloud.store.change("acme", item.id, lambda job: steps.retry(job, now=NOW, limits=limits))
    assert used(cloud) == (1, 3, 0)
    cloud.store.change("acme", item.id, lambda job: steps.cancel(job, now=NOW))
    with pytest.raises(JobsPerDayReached):
        cloud.store.change("acme", item.id, lambda job: steps.retry(job, now=NOW, limits=limits))
    assert used(cloud) == (1, 3, 0)
