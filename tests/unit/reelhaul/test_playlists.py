"""Playlists: one job becomes many, and ends when all of them have."""

import dataclasses
from collections import Counter
from typing import Any

import pytest

from reelhaul import aws, ids, items, steps
from reelhaul.errors import Conflict, RecordUnreadable, ServiceUnavailable, SourceNotFound
from reelhaul.findings import Entry
from reelhaul.jobs import Job, Playlist, PlaylistItem, State
from reelhaul.limits import Limits
from reelhaul.options import Options
from reelhaul.playlists import add_items, is_called_off, recount
from reelhaul.queue import JobMessage
from tests.conftest import Cloud
from tests.faults import refused, reply_lost
from tests.jobs_in import MEDIA, NOW, cancelled, done, expanded, expired, failed, queued, running, stored


def entries(number: int) -> list[Entry]:
    return [Entry(url=f"https://media.example/{index}", title=f"Part {index}") for index in range(1, number + 1)]


def add(cloud: Cloud, parent: Job, number: int, **changes: Any) -> list[str]:
    """Returns what was logged."""
    events: list[str] = []
    add_items(
        parent, entries(number), store=cloud.store, queue=cloud.queue, log=lambda event, **_: events.append(event),
        clock=lambda: NOW, **changes,
    )  # fmt: skip
    return events


def items_of(cloud: Cloud, parent: Job) -> list[Job]:
    """In the playlist's order."""
    found = cloud.store.items_of("acme", parent.id)
    return sorted(found, key=lambda job: job.item.index if job.item else 0)


def sent(cloud: Cloud) -> list[str]:
    return [JobMessage.parse(body).job_id for body in cloud.messages()]


# --- adding ----------------------------------------------------------------------------------------------------------


def test_every_entry_becomes_a_job_of_its_own_with_the_playlists_options(cloud: Cloud) -> None:
    parent = running(
        options=Options(quality="360p", subtitles=("en",)), retention_days=3, callback_url="https://hooks.example/x"
    )
    add(cloud, parent, 3)
    found = items_of(cloud, parent)
    assert [(job.url, job.name, job.state) for job in found] == [
        (f"https://media.example/{index}", f"Part {index}", State.QUEUED) for index in (1, 2, 3)
    ]
    assert {(job.options, job.retention_days, job.callback_url) for job in found} == {
        (parent.options, 3, "https://hooks.example/x")
    }
    assert [job.item for job in found] == [
        PlaylistItem(parent_id=parent.id, index=index, total=3, counted_apart=True) for index in (1, 2, 3)
    ]


@pytest.mark.parametrize(("finished", "kept"), [((), 2), ((1, 2), 4), ((4, 5), 2), ((2, 3), 4), ((1, 2, 3, 4, 5), 5)])
def test_a_retry_within_limits_keeps_what_is_done_and_begins_what_the_day_allows(
    cloud: Cloud, finished: tuple[int, ...], kept: int
) -> None:
    first = running()
    add(cloud, first, 5)
    for item in items_of(cloud, first):
        if item.item and item.item.index in finished:
            held = cloud.store.swap(item, steps.claim(item, now=NOW))
            cloud.store.swap(held, steps.complete(held, MEDIA, stored(held), now=NOW))
    used = cloud.store.usage("acme", now=NOW).jobs_today
    parent = dataclasses.replace(first, generation=2, limits=Limits(max_jobs_per_day=used + 2))

    add(cloud, parent, 5)

    ours = [item for item in items_of(cloud, parent) if item.item and item.item.generation == 2]
    assert [item.item and (item.item.index, item.item.total) for item in ours] == [
        (index, kept) for index in range(1, kept + 1)
    ]
    begun = min(2, 5 - len(finished))
    assert cloud.store.usage("acme", now=NOW).jobs_today == used + begun


def test_an_entry_without_an_address_is_known_by_its_number(cloud: Cloud) -> None:
    parent = running()
    entry = Entry(url=parent.url, title="", entry=7)
    add_items(parent, [entry], store=cloud.store, queue=cloud.queue, log=print, clock=lambda: NOW)
    [job] = items_of(cloud, parent)
    assert (job.url, job.name, job.item and job.item.entry) == (parent.url, None, 7)


def test_each_item_is_queued_once(cloud: Cloud) -> None:
    parent = running()
    add(cloud, parent, 25)
    assert Counter(sent(cloud)) == Counter(job.id for job in items_of(cloud, parent))


def test_expanding_twice_makes_no_item_twice(cloud: Cloud) -> None:
    parent = running()
    add(cloud, parent, 12)
    before = items_of(cloud, parent)
    sent(cloud)
    add(cloud, parent, 12)
    assert items_of(cloud, parent) == before
    assert sent(cloud) == []
    assert cloud.store.total("acme") == 12


def test_expanding_after_a_crash_adds_what_is_missing(cloud: Cloud) -> None:
    parent = running()
    add(cloud, parent, 2)
    first = {job.id for job in items_of(cloud, parent)}
    sent(cloud)
    add(cloud, parent, 4)
    assert first < {job.id for job in items_of(cloud, parent)}
    assert len(sent(cloud)) == 2


def test_an_item_that_its_user_deleted_meanwhile_stays_deleted(cloud: Cloud) -> None:
    """It would be stored where its tombstone still has everything removed."""
    parent = running()
    add(cloud, parent, 3)
    cloud.store.delete(items_of(cloud, parent)[1], now=NOW)
    add(cloud, parent, 3)
    assert [job.name for job in items_of(cloud, parent)] == ["Part 1", "Part 3"]


def test_a_list_that_moved_between_two_expansions_leaves_nothing_out(cloud: Cloud) -> None:
    parent = running()
    add(cloud, parent, 2)
    moved = [Entry(url="https://media.example/new", title="New"), *entries(2)]
    add_items(parent, moved, store=cloud.store, queue=cloud.queue, log=print, clock=lambda: NOW)
    assert {"New", "Part 1", "Part 2"} == {job.name for job in items_of(cloud, parent)}


def test_a_retried_playlist_is_expanded_anew_and_keeps_what_is_done(cloud: Cloud) -> None:
    parent = running()
    makers = (done, failed, cancelled, done)
    for index, (make, entry) in enumerate(zip(makers, entries(4), strict=True), 1):
        item = PlaylistItem(parent_id=parent.id, index=index, total=4)
        cloud.store.create(dataclasses.replace(make(item=item, url=entry.url), id=ids.item_id(parent, index)))
    again = dataclasses.replace(parent, generation=2)
    shorter = entries(4)[1:]
    add_items(again, shorter, store=cloud.store, queue=cloud.queue, log=print, clock=lambda: NOW)
    now = [job for job in items_of(cloud, parent) if job.item and job.item.generation == 2]
    assert [(job.url[-1], job.state, job.item and job.item.total) for job in now] == [
        ("2", State.QUEUED, 3), ("3", State.QUEUED, 3), ("4", State.DONE, 3),
    ]  # fmt: skip
    assert len(sent(cloud)) == 2


def test_a_retried_playlist_fetches_again_what_has_expired(cloud: Cloud) -> None:
    parent = running()
    item = PlaylistItem(parent_id=parent.id, index=1, total=1)
    old = done(item=item, url=entries(1)[0].url, now=NOW - 8 * 86_400)
    cloud.store.create(dataclasses.replace(old, id=ids.item_id(parent, 1)))
    add(cloud, dataclasses.replace(parent, generation=2), 1)
    assert len(sent(cloud)) == 1


def test_items_whose_messages_cannot_be_sent_are_left_to_the_sweeper(cloud: Cloud) -> None:
    parent = running()
    with refused("sqs", "SendMessageBatch"):
        assert add(cloud, parent, 3) == ["items_send_failed"]
    assert {job.id for job in cloud.store.due(NOW + 60) if isinstance(job, Job)} == {
        job.id for job in items_of(cloud, parent)
    }


def test_items_that_cannot_be_stored_are_an_error_so_that_the_playlist_is_tried_again(cloud: Cloud) -> None:
    with refused("dynamodb", "TransactWriteItems"), pytest.raises(ServiceUnavailable):
        add(cloud, running(), 3)


def test_an_item_whose_creation_got_no_reply_is_made_once(cloud: Cloud) -> None:
    parent = running()
    with reply_lost("dynamodb", "TransactWriteItems"), pytest.raises(ServiceUnavailable):
        add(cloud, parent, 3)
    add(cloud, parent, 3)
    assert len(items_of(cloud, parent)) == cloud.store.total("acme") == 3


def test_a_worker_that_lost_its_job_adds_no_more(cloud: Cloud) -> None:
    parent = running()
    add(cloud, parent, 30, goes_on=lambda: False)
    assert items_of(cloud, parent) == []


# --- counting --------------------------------------------------------------------------------------------------------


def a_playlist(cloud: Cloud, *states: State) -> Job:
    parent = expanded(total=len(states))
    cloud.store.create(parent)
    makers = {
        State.QUEUED: queued, State.DONE: done, State.FAILED: failed, State.CANCELLED: cancelled,
        State.EXPIRED: expired, State.RUNNING: running,
    }  # fmt: skip
    for index, state in enumerate(states, 1):
        item = PlaylistItem(parent_id=parent.id, index=index, total=len(states))
        cloud.store.create(dataclasses.replace(makers[state](item=item), id=ids.item_id(parent, index)))
    return parent


def recounted(cloud: Cloud, parent: Job, **changes: Any) -> Job:
    recount("acme", parent.id, store=cloud.store, clock=lambda: NOW + 9, **changes)
    return cloud.store.get("acme", parent.id)


def test_a_playlist_is_done_when_all_items_have_ended_however_they_did(cloud: Cloud) -> None:
    parent = a_playlist(cloud, State.DONE, State.FAILED, State.CANCELLED, State.EXPIRED)
    after = recounted(cloud, parent)
    assert (after.state, after.completed_at) == (State.DONE, NOW + 9)
    assert after.playlist == Playlist(title="A list", total=4, done=2, failed=1, cancelled=1)


@pytest.mark.parametrize("going", [State.QUEUED, State.RUNNING])
def test_a_playlist_goes_on_while_one_item_does(cloud: Cloud, going: State) -> None:
    after = recounted(cloud, a_playlist(cloud, State.DONE, going))
    assert (after.state, after.playlist) == (State.EXPANDED, Playlist(title="A list", total=2, done=1))


def test_an_item_that_was_deleted_does_not_keep_its_playlist_waiting(cloud: Cloud) -> None:
    parent = a_playlist(cloud, State.DONE, State.QUEUED)
    cloud.store.delete(cloud.store.get("acme", ids.item_id(parent, 2)), now=NOW)
    after = recounted(cloud, parent)
    assert (after.state, after.playlist) == (State.DONE, Playlist(title="A list", total=1, done=1))


def test_items_of_an_earlier_expansion_do_not_end_a_retried_playlist(cloud: Cloud) -> None:
    parent = a_playlist(cloud, State.CANCELLED, State.CANCELLED)
    cloud.store.swap(parent, dataclasses.replace(parent, generation=2))
    item = PlaylistItem(parent_id=parent.id, index=1, total=1, generation=2)
    cloud.store.create(dataclasses.replace(queued(item=item), id=ids.item_id(parent, 1, "new")))
    after = recounted(cloud, parent)
    assert (after.state, after.playlist) == (State.EXPANDED, Playlist(title="A list", total=1))


def test_an_item_that_cannot_be_read_is_not_taken_for_one_that_ended(cloud: Cloud) -> None:
    parent = a_playlist(cloud, State.DONE, State.QUEUED)
    item = items.to_item(cloud.store.get("acme", ids.item_id(parent, 2))) | {"schema": 99}
    aws.client("dynamodb").put_item(TableName=cloud.table, Item=items.to_wire(item))
    with pytest.raises(RecordUnreadable):
        recounted(cloud, parent)


def test_a_cancelled_playlist_goes_on_counting(cloud: Cloud) -> None:
    parent = a_playlist(cloud, State.CANCELLED, State.DONE)
    cloud.store.swap(parent, steps.cancel(parent, now=NOW))
    after = recounted(cloud, parent)
    assert (after.state, after.playlist) == (
        State.CANCELLED, Playlist(title="A list", total=2, done=1, cancelled=1, unsettled=True),
    )  # fmt: skip


def test_a_count_is_not_overwritten_by_who_read_the_playlist_before_it(cloud: Cloud) -> None:
    read_before = a_playlist(cloud, State.DONE, State.FAILED)
    recounted(cloud, read_before)
    with pytest.raises(Conflict):
        cloud.store.swap(read_before, steps.tidied(read_before, now=NOW))


def test_counting_what_has_not_changed_writes_nothing(cloud: Cloud) -> None:
    parent = recounted(cloud, a_playlist(cloud, State.DONE, State.QUEUED))
    with refused("dynamodb", "PutItem") as writes:
        recounted(cloud, parent)
    assert writes == []


def test_the_sweepers_count_puts_off_the_next_one(cloud: Cloud) -> None:
    parent = recounted(cloud, a_playlist(cloud, State.DONE, State.QUEUED))
    assert recounted(cloud, parent, always=True).due_at == NOW + 9 + 60


def test_a_retried_item_of_a_playlist_that_is_done_is_counted_again(cloud: Cloud) -> None:
    parent = recounted(cloud, a_playlist(cloud, State.DONE, State.FAILED))
    item = cloud.store.get("acme", ids.item_id(parent, 2))
    again = cloud.store.swap(item, steps.retry(item, now=NOW))
    cloud.store.swap(again, steps.fail(again, SourceNotFound(), now=NOW))
    assert recounted(cloud, parent) == parent
    item = cloud.store.get("acme", ids.item_id(parent, 2))
    cloud.store.delete(item, now=NOW)
    after = recounted(cloud, parent)
    assert (after.state, after.playlist) == (State.DONE, Playlist(title="A list", total=1, done=1))


@pytest.mark.parametrize("parent", [queued(), running(), cancelled(), failed(), done()])
def test_a_job_that_is_no_playlist_is_left_alone(cloud: Cloud, parent: Job) -> None:
    cloud.store.create(parent)
    assert recounted(cloud, parent) == parent


def test_a_playlist_that_is_gone_is_no_error(cloud: Cloud) -> None:
    recount("acme", ids.new_id(NOW), store=cloud.store)


# --- called off ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "called_off"),
    [(cancelled, True), (running, False), (expanded, False), (queued, False), (failed, True), (None, True)],
)
def test_an_item_is_called_off_with_its_playlist(cloud: Cloud, make: Any, *, called_off: bool) -> None:
    parent = (make or queued)()
    if make is not None:
        cloud.store.create(parent)
    item = queued(item=PlaylistItem(parent_id=parent.id, index=1, total=1))
    assert is_called_off(item, store=cloud.store) is called_off


def test_an_item_of_an_expansion_before_the_retry_is_called_off(cloud: Cloud) -> None:
    parent = dataclasses.replace(expanded(), generation=2)
    cloud.store.create(parent)
    assert is_called_off(queued(item=PlaylistItem(parent_id=parent.id, index=1, total=1)), store=cloud.store)


def test_an_item_that_its_user_retried_is_wanted_for_itself(cloud: Cloud) -> None:
    parent = cancelled()
    cloud.store.create(parent)
    item = steps.retry(failed(item=PlaylistItem(parent_id=parent.id, index=1, total=1)), now=NOW)
    assert not is_called_off(item, store=cloud.store)


def test_a_job_of_its_own_is_never_called_off(cloud: Cloud) -> None:
    assert not is_called_off(queued(), store=cloud.store)
