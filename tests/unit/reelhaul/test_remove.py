"""Ending a job before its time."""

import dataclasses
from typing import Any

import pytest

from reelhaul import ids, steps
from reelhaul.errors import Conflict, JobNotFound, ServiceUnavailable
from reelhaul.jobs import STRAY_S, Job, PlaylistItem, State
from reelhaul.remove import cancel, cancel_items, delete
from reelhaul.store import Tombstone
from tests.conftest import Cloud
from tests.faults import hooked, meanwhile, refused
from tests.jobs_in import MEDIA, NOW, PROGRESS, done, expanded, expired, failed, queued, running, stored


def cancel_now(cloud: Cloud, job: Job) -> Job:
    return cancel(job.tenant, job.id, store=cloud.store, clock=lambda: NOW)


def delete_now(cloud: Cloud, job: Job, log: Any = lambda *_, **__: None) -> None:
    delete(job.tenant, job.id, store=cloud.store, bucket=cloud.media, log=log, clock=lambda: NOW)


@pytest.mark.parametrize("job", [queued(), running()])
def test_a_job_under_way_is_cancelled(cloud: Cloud, job: Job) -> None:
    cloud.store.create(job)
    assert cancel_now(cloud, job).state is State.CANCELLED
    assert cloud.store.get("acme", job.id).error == "Cancelled"


@pytest.mark.parametrize("job", [done(), failed(), expired()])
def test_a_job_that_has_ended_stays_as_it_is(cloud: Cloud, job: Job) -> None:
    cloud.store.create(job)
    assert cancel_now(cloud, job) == job
    assert cloud.store.get("acme", job.id) == job


def test_a_worker_that_reports_at_the_same_time_does_not_win_against_a_cancel(cloud: Cloud) -> None:
    job = running()
    cloud.store.create(job)
    beaten = steps.beat(job, PROGRESS, now=NOW + 1)
    with meanwhile("dynamodb", "TransactWriteItems", lambda: cloud.store.swap(job, beaten)):
        cancel_now(cloud, job)
    with pytest.raises(Conflict):
        cloud.store.swap(job, steps.complete(job, MEDIA, stored(job), now=NOW + 2))


def test_a_job_that_is_retried_while_it_is_cancelled_is_cancelled(cloud: Cloud) -> None:
    job = failed()
    cloud.store.create(job)
    looks: list[int] = []

    def retried_before_the_second_look(**_: Any) -> None:
        looks.append(1)
        if len(looks) == 2:
            cloud.store.swap(job, steps.retry(job, now=NOW))

    with hooked("before-call", "dynamodb", "GetItem", retried_before_the_second_look):
        assert cancel_now(cloud, job).state is State.CANCELLED


def test_a_cancel_that_comes_a_moment_too_late_leaves_the_job_done(cloud: Cloud) -> None:
    job = running()
    cloud.store.create(job)
    finish = steps.complete(job, MEDIA, stored(job), now=NOW)
    with meanwhile("dynamodb", "TransactWriteItems", lambda: cloud.store.swap(job, finish)):
        assert cancel_now(cloud, job).state is State.DONE


def test_another_tenants_job_can_be_neither_cancelled_nor_deleted(cloud: Cloud) -> None:
    job = running()
    cloud.store.create(job)
    foreign = dataclasses.replace(job, tenant="umbrella")
    for act in (cancel_now, delete_now):
        with pytest.raises(JobNotFound):
            act(cloud, foreign)
    assert cloud.store.get("acme", job.id) == job


def test_delete_removes_record_and_objects_and_nothing_else(cloud: Cloud) -> None:
    job, other = done(), done()
    for each in (job, other):
        cloud.store.create(each)
        cloud.put_object(stored(each).key)
    delete_now(cloud, job)
    with pytest.raises(JobNotFound):
        cloud.store.get("acme", job.id)
    assert cloud.object_keys() == [stored(other).key]


def test_delete_wins_against_a_worker_that_reports_at_the_same_time(cloud: Cloud) -> None:
    job = queued()
    cloud.store.create(job)
    claim = steps.claim(job, now=NOW)
    with meanwhile("dynamodb", "TransactWriteItems", lambda: cloud.store.swap(job, claim)):
        delete_now(cloud, job)
    with pytest.raises(Conflict):
        cloud.store.swap(claim, steps.beat(claim, PROGRESS, now=NOW))


def test_a_file_that_cannot_be_removed_now_is_left_to_the_sweeper(cloud: Cloud) -> None:
    job, events = done(), []
    cloud.store.create(job)
    cloud.put_object(stored(job).key)
    with refused("s3", "DeleteObject"):
        delete_now(cloud, job, log=lambda event, **_: events.append(event))
    assert events == ["file_removal_postponed"]
    assert list(cloud.store.due(NOW + 1000)) == [Tombstone("acme", job.id, NOW + STRAY_S, has_items=True)]


def test_a_record_that_cannot_be_removed_keeps_its_file(cloud: Cloud) -> None:
    job = done()
    cloud.store.create(job)
    cloud.put_object(stored(job).key)
    with refused("dynamodb", "TransactWriteItems"), pytest.raises(ServiceUnavailable):
        delete_now(cloud, job)
    assert cloud.object_keys() == [stored(job).key]


# --- playlists -------------------------------------------------------------------------------------------------------


def a_playlist(cloud: Cloud) -> tuple[Job, list[Job]]:
    """One with an item in each of three states, and beside it a job that has nothing to do with it."""
    parent = expanded(total=3)
    made = [make(item=item_of(parent, index)) for index, make in enumerate((queued, running, done), 1)]
    items = [dataclasses.replace(job, id=ids.item_id(parent, index)) for index, job in enumerate(made, 1)]
    bystander = dataclasses.replace(queued(), id=parent.id[:-4] + "0000")
    for job in (parent, *items, bystander):
        cloud.store.create(job)
    return parent, items


def item_of(parent: Job, index: int) -> PlaylistItem:
    return PlaylistItem(parent_id=parent.id, index=index, total=3)


def states(cloud: Cloud) -> list[str]:
    return sorted(job.state.value for job in cloud.store.page("acme", limit=10).jobs)


def test_cancel_of_a_playlist_cancels_what_has_not_ended_and_nothing_else(cloud: Cloud) -> None:
    parent, _ = a_playlist(cloud)
    cancel_now(cloud, parent)
    assert states(cloud) == ["CANCELLED", "CANCELLED", "CANCELLED", "DONE", "QUEUED"]


def test_cancel_of_one_item_leaves_the_others_alone(cloud: Cloud) -> None:
    _, items = a_playlist(cloud)
    cancel_now(cloud, items[0])
    assert states(cloud) == ["CANCELLED", "DONE", "EXPANDED", "QUEUED", "RUNNING"]


def test_delete_of_a_playlist_deletes_its_items_and_their_files(cloud: Cloud) -> None:
    parent, items = a_playlist(cloud)
    cloud.put_object(ids.object_key(items[2], "mp4"))
    delete_now(cloud, parent)
    assert states(cloud) == ["QUEUED"]
    assert cloud.object_keys() == []
    assert cloud.store.total("acme") == 1


def test_an_item_that_is_deleted_meanwhile_does_not_stop_the_others(cloud: Cloud) -> None:
    parent, items = a_playlist(cloud)
    with meanwhile("dynamodb", "Query", lambda: None):
        cloud.store.delete(items[0], now=NOW)
        cancel_now(cloud, parent)
    assert states(cloud) == ["CANCELLED", "CANCELLED", "DONE", "QUEUED"]


def test_delete_is_done_with_the_playlist_itself_even_if_its_items_have_to_wait(cloud: Cloud) -> None:
    parent, _ = a_playlist(cloud)
    events: list[str] = []
    with refused("dynamodb", "Query"):
        delete_now(cloud, parent, log=lambda event, **_: events.append(event))
    assert events == ["item_removal_postponed"]
    assert [found.has_items for found in cloud.store.due(NOW + 1000) if isinstance(found, Tombstone)] == [True]


def test_cancel_is_done_with_the_playlist_itself_even_if_its_items_have_to_wait(cloud: Cloud) -> None:
    parent, _ = a_playlist(cloud)
    with refused("dynamodb", "Query"):
        assert cancel_now(cloud, parent).state is State.CANCELLED


def test_items_of_a_later_expansion_are_not_cancelled_with_an_earlier_one(cloud: Cloud) -> None:
    parent, _ = a_playlist(cloud)
    later = item_of(parent, 9)
    again = dataclasses.replace(queued(item=dataclasses.replace(later, generation=2)), id=ids.item_id(parent, 9))
    cloud.store.create(again)
    cancel_now(cloud, parent)
    assert cloud.store.get("acme", again.id).state is State.QUEUED


def test_items_that_there_is_no_time_for_are_left_for_later(cloud: Cloud) -> None:
    parent, _ = a_playlist(cloud)
    assert not cancel_items(parent, store=cloud.store, has_time=lambda: False)
    assert "CANCELLED" not in states(cloud)
    assert cancel_items(parent, store=cloud.store, has_time=lambda: True)
    assert states(cloud).count("CANCELLED") == 2
