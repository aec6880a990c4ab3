"""What may happen to a job."""

import dataclasses
import itertools
from collections.abc import Callable
from types import FunctionType

import pytest

from reelhaul import ids, jobs, steps
from reelhaul.errors import Conflict, SourceNotFound, WorkerCrashed
from reelhaul.jobs import (
    LEASE_S,
    MAX_ATTEMPTS,
    RECORD_DAYS,
    STRAY_S,
    Checkpoint,
    Delivery,
    DeliveryState,
    Job,
    Playlist,
    PlaylistItem,
    Progress,
    State,
    is_step,
)
from tests.jobs_in import (
    MEDIA,
    NOW,
    PROGRESS,
    cancelled,
    done,
    expanded,
    expired,
    extra,
    failed,
    in_state,
    queued,
    running,
    stored,
)

DAY_S = 86_400
FORGOTTEN = NOW + (7 + RECORD_DAYS) * DAY_S  # of a job that ended at NOW
HOOK = "https://hooks.example/x"
ENDED = {State.DONE, State.FAILED, State.CANCELLED, State.EXPIRED}
CHECKPOINT = Checkpoint(
    media=MEDIA, object_key="acme/x/1.mp4", upload_id="an upload", parts=2, final_bytes=16, bytes=20,
    place=1500, baggage_key="acme/x/1.relay", baggage_sha256="ab" * 32, spent_s=700.0,
)  # fmt: skip
STEPS: dict[str, tuple[Callable[[Job], Job], set[State]]] = {
    "claim": (lambda job: steps.claim(job, now=NOW), {State.QUEUED}),
    "complete": (lambda job: steps.complete(job, MEDIA, stored(job), now=NOW), {State.RUNNING}),
    "fail": (lambda job: steps.fail(job, SourceNotFound(), now=NOW), {State.QUEUED, State.RUNNING}),
    "cancel": (lambda job: steps.cancel(job, now=NOW), {State.QUEUED, State.RUNNING, State.EXPANDED}),
    "expand": (lambda job: steps.expand(job, Playlist(title="A list", total=2), now=NOW), {State.RUNNING}),
    "requeue": (lambda job: steps.requeue(job, now=NOW), {State.RUNNING}),
    "hand_over": (lambda job: steps.hand_over(job, CHECKPOINT, now=NOW), {State.RUNNING}),
    "resend": (lambda job: steps.resend(job, now=NOW), {State.QUEUED}),
    "retry": (lambda job: steps.retry(job, now=NOW), {State.FAILED, State.CANCELLED, State.EXPIRED}),
    "expire": (lambda job: steps.expire(job, now=NOW), {State.DONE}),
    "condemn": (lambda job: steps.condemn(job, now=NOW), set(State)),
    # These leave the state as it is, mostly.
    "recount": (
        lambda job: steps.recount(job, Playlist(title="A list", total=2, done=1), now=NOW),
        {State.EXPANDED, State.DONE, State.CANCELLED},
    ),
    "adopt": (
        lambda job: steps.adopt(job, PlaylistItem(parent_id=job.id, index=1, total=1), now=NOW), {State.DONE},
    ),
    "remove_file": (lambda job: steps.remove_file(job, now=NOW), {State.EXPIRED}),
    "tidied": (lambda job: steps.tidied(job, now=NOW), ENDED),
    "delivered": (lambda job: steps.delivered(job, Delivery(event_id="msg_1"), now=NOW), ENDED),
    "announce_again": (lambda job: steps.announce_again(job, now=NOW), ENDED),
}  # fmt: skip


@pytest.mark.parametrize(("step", "state"), list(itertools.product(STEPS, State)))
def test_every_step_starts_only_where_it_may(step: str, state: State) -> None:
    take, allowed_from = STEPS[step]
    job = in_state(state)
    if state in allowed_from:
        take(job)
        return
    with pytest.raises(Conflict):
        take(job)


@pytest.mark.parametrize(("step", "state"), list(itertools.product(STEPS, State)))
def test_the_table_has_the_steps_that_there_are(step: str, state: State) -> None:
    take, allowed_from = STEPS[step]
    listed = any(is_step(step, state, end) for end in State)
    assert listed == (state in allowed_from)
    if listed:
        assert is_step(step, state, take(in_state(state)).state)


@pytest.mark.parametrize("step", STEPS)
def test_every_step_changes_state_or_fence_so_that_of_two_one_loses(step: str) -> None:
    take, allowed_from = STEPS[step]
    for state in allowed_from:
        job = in_state(state)
        after = take(job)
        assert (after.state, after.fence, after.generation) != (job.state, job.fence, job.generation)


def test_claim_counts_the_attempt_and_bumps_the_fence() -> None:
    job = queued()
    claimed = steps.claim(job, now=NOW)
    assert (claimed.fence, claimed.attempts, claimed.due_at) == (job.fence + 1, 1, NOW + LEASE_S)


def test_claim_is_refused_when_all_attempts_are_spent() -> None:
    with pytest.raises(Conflict):
        steps.claim(dataclasses.replace(queued(), attempts=MAX_ATTEMPTS), now=NOW)


def test_claim_forgets_the_progress_of_the_attempt_before() -> None:
    again = steps.requeue(running(), now=NOW)
    assert steps.claim(again, now=NOW).progress == Progress()


def test_beat_extends_the_lease_and_keeps_the_fence() -> None:
    job = running()
    beaten = steps.beat(job, PROGRESS, now=NOW + 10)
    assert (beaten.fence, beaten.due_at, beaten.progress) == (job.fence, NOW + 10 + LEASE_S, PROGRESS)


def test_complete_is_looked_at_again_when_its_file_expires() -> None:
    job = done()
    assert job.due_at == job.file_expires_at == NOW + 7 * DAY_S
    assert job.removal_at == NOW + 8 * DAY_S  # a link handed out in the file's last second lives for 24 hours


def test_complete_with_extras_owns_all_its_objects() -> None:
    job = running()
    finished = steps.complete(job, MEDIA, stored(job), extras=(extra(job),), now=NOW)
    assert finished.keys == {f"acme/{job.id}/1.mp4", f"acme/{job.id}/1.thumbnail.jpg"}


def test_complete_clears_the_error_of_an_attempt_before() -> None:
    job = dataclasses.replace(running(), error="old", error_code="old.code")
    finished = steps.complete(job, MEDIA, stored(job), now=NOW)
    assert (finished.error, finished.error_code, finished.progress.downloaded_bytes) == (None, None, 1000)


def test_complete_of_a_job_that_lost_a_worker_is_tidied_first() -> None:
    job = steps.claim(steps.requeue(running(), now=NOW, cut_off=True), now=NOW)
    finished = steps.complete(job, MEDIA, stored(job), now=NOW)
    assert finished.due_at == NOW + LEASE_S
    assert steps.tidied(finished, now=NOW).due_at == NOW + STRAY_S  # the worker that was lost may still be alive
    assert steps.tidied(finished, now=NOW + STRAY_S).due_at == finished.file_expires_at


def test_fail_by_the_worker_leaves_nothing_to_do_until_the_record_goes() -> None:
    job = failed()
    assert (job.error_code, job.error, job.due_at, job.untidy) == (
        "source.not_found", "The source says that this media does not exist (any more).", FORGOTTEN, False,
    )  # fmt: skip


def test_fail_by_somebody_else_makes_the_sweeper_look_for_leftovers() -> None:
    job = steps.fail(running(), WorkerCrashed(), now=NOW, cut_off=True)
    assert (job.untidy, job.due_at) == (True, NOW + LEASE_S)


def test_cancel_of_a_queued_job_leaves_nothing_to_tidy() -> None:
    job = cancelled()
    assert (job.error, job.untidy, job.due_at) == ("Cancelled", False, FORGOTTEN)


def test_cancel_of_a_running_job_has_to_be_tidied() -> None:
    job = steps.cancel(running(), now=NOW)
    assert (job.untidy, job.due_at) == (True, NOW + LEASE_S)


def test_requeue_counts_the_attempt_unless_told_otherwise() -> None:
    assert steps.requeue(running(), now=NOW).attempts == 1
    assert steps.requeue(running(), now=NOW, count=False).attempts == 0


def test_requeue_waits_for_its_delay_before_it_is_due() -> None:
    assert steps.requeue(running(), now=NOW, delay_s=30).due_at == NOW + 30 + 60


def test_resend_waits_twice_as_long_each_time_up_to_an_hour() -> None:
    job, waits = queued(), []
    for _ in range(8):
        job = steps.resend(job, now=NOW)
        waits.append((job.due_at or 0) - NOW)
    assert waits == [120, 240, 480, 960, 1920, 3600, 3600, 3600]


def test_retry_is_a_new_generation_with_all_its_attempts() -> None:
    again = steps.retry(failed(), now=NOW)
    assert (again.generation, again.attempts, again.sends, again.error, again.completed_at) == (2, 0, 1, None, None)


def test_retry_remembers_what_is_untidy() -> None:
    again = steps.retry(steps.cancel(running(), now=NOW), now=NOW)
    assert again.untidy


@pytest.mark.parametrize(
    ("job", "said"), [(queued(), "still waiting"), (running(), "still running"), (done(), "is done")]
)
def test_retry_says_why_not(job: Job, said: str) -> None:
    with pytest.raises(Conflict, match=said):
        steps.retry(job, now=NOW)


def test_expire_keeps_the_object_for_as_long_as_links_live() -> None:
    job = expired()
    assert (job.stored, job.due_at, job.untidy) == (done_again(job), NOW + 8 * DAY_S, False)


def done_again(job: Job) -> object:
    return stored(dataclasses.replace(job, fence=1))


def test_an_expired_file_that_was_removed_leaves_the_record() -> None:
    job = steps.remove_file(expired(), now=NOW + 8 * DAY_S)
    assert (job.state, job.stored, job.keys, job.due_at) == (State.EXPIRED, None, frozenset(), FORGOTTEN)


def test_retry_of_an_expired_job_whose_file_is_still_there_has_to_be_tidied_later() -> None:
    again = steps.retry(expired(), now=NOW)
    assert (again.untidy, again.stored) == (True, None)


# --- playlists -------------------------------------------------------------------------------------------------------


def test_expand_gives_the_lease_up_and_is_looked_at_within_a_minute() -> None:
    before = running()
    job = steps.expand(before, Playlist(title="A list", total=3), now=NOW)
    assert (job.state, job.fence, job.due_at, job.title) == (State.EXPANDED, before.fence + 1, NOW + 60, "A list")


def test_recount_ends_a_playlist_only_when_all_items_have_ended() -> None:
    job = expanded(total=3)
    going = steps.recount(job, Playlist(title="A list", total=3, done=2), now=NOW + 5)
    assert (going.state, going.due_at) == (State.EXPANDED, NOW + 65)
    ended = steps.recount(going, Playlist(title="A list", total=3, done=1, failed=1, cancelled=1), now=NOW + 9)
    assert (ended.state, ended.completed_at, ended.error) == (State.DONE, NOW + 9, None)


def test_recount_of_a_playlist_that_is_done_changes_its_counts_alone() -> None:
    job = steps.recount(expanded(total=2), Playlist(title="A list", total=2, done=1, failed=1), now=NOW)
    later = steps.recount(job, Playlist(title="A list", total=2, done=2), now=NOW + 5)
    assert (later.state, later.completed_at, later.fence, later.playlist) == (
        State.DONE, NOW, job.fence + 1, Playlist(title="A list", total=2, done=2),
    )  # fmt: skip


def test_cancel_of_a_playlist_is_looked_at_until_its_items_have_followed() -> None:
    job = steps.cancel(expanded(), now=NOW)
    assert job.due_at == NOW + LEASE_S
    assert steps.tidied(job, now=NOW).due_at == FORGOTTEN


# --- webhooks --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "ended",
    [
        done(callback_url=HOOK),
        failed(callback_url=HOOK),
        cancelled(callback_url=HOOK),
        steps.recount(expanded(total=1, callback_url=HOOK), Playlist(title="", total=1, done=1), now=NOW),
    ],
)
def test_every_end_carries_its_announcement_in_the_same_write(ended: Job) -> None:
    assert ended.webhook == Delivery(event_id=ids.event_id(ended), next_attempt_at=NOW)
    assert ended.due_at == NOW + 600  # should its message be lost


def test_a_job_without_a_callback_announces_nothing_to_it() -> None:
    assert done().webhook is None


def test_a_webhook_that_is_delivered_leaves_nothing_due_before_the_file_expires() -> None:
    job = done(callback_url=HOOK)
    assert job.webhook is not None
    after = steps.delivered(job, dataclasses.replace(job.webhook, state=DeliveryState.DELIVERED), now=NOW)
    assert (after.due_at, after.fence) == (job.file_expires_at, job.fence + 1)


def test_an_announcement_that_was_lost_is_due_again_after_ten_minutes() -> None:
    job = done(callback_url=HOOK)
    again = steps.announce_again(job, now=NOW + 700)
    assert (again.due_at, again.fence) == (NOW + 1300, job.fence + 1)


def test_each_generation_has_an_event_of_its_own() -> None:
    first = failed(callback_url=HOOK)
    second = steps.cancel(steps.retry(first, now=NOW), now=NOW)
    assert first.webhook is not None
    assert second.webhook is not None
    assert first.webhook.event_id != second.webhook.event_id


@pytest.mark.parametrize("state", sorted(set(State) - {State.DONE}))
def test_only_what_is_done_is_adopted_by_another_expansion(state: State) -> None:
    with pytest.raises(Conflict):
        steps.adopt(in_state(state), PlaylistItem(parent_id="download-1", index=1, total=1), now=NOW)


def test_every_step_there_is_has_been_looked_at() -> None:
    known = {name for name, value in vars(steps).items() if isinstance(value, FunctionType) and name[0] != "_"}
    others = {"new", "beat", "event_id", "is_step"}  # a beginning, the one step that keeps all, and no steps
    assert known - others == set(STEPS)
    assert {step.name for step in jobs.STEPS} - others == set(STEPS) - {"condemn"}


def test_relay_is_one_attempt() -> None:
    job = running()
    again = steps.claim(steps.hand_over(job, CHECKPOINT, now=NOW), now=NOW)

    assert (again.attempts, again.generation, again.checkpoint) == (job.attempts, job.generation, CHECKPOINT)


def test_worker_that_dies_leaves_the_last_checkpoint() -> None:
    job = steps.claim(steps.hand_over(running(), CHECKPOINT, now=NOW), now=NOW)

    assert steps.requeue(job, now=NOW, cut_off=True).checkpoint == CHECKPOINT
    afresh = steps.requeue(job, now=NOW, afresh=True)
    assert (afresh.checkpoint, afresh.untidy) == (None, True)


def claimed_later(job: Job) -> Job:
    return steps.claim(job, now=NOW + 1000)


def test_time_of_attempts_that_failed_is_remembered() -> None:
    first = steps.requeue(steps.claim(queued(), now=NOW), now=NOW + 60)
    assert first.spent_s == 60.0

    second = steps.requeue(claimed_later(first), now=NOW + 1045, cut_off=True)  # by the sweeper
    assert (second.spent_s, second.claimed_at) == (105.0, None)


def test_time_of_what_was_handed_over_counts_once_whatever_becomes_of_it() -> None:
    handed_over = steps.hand_over(steps.claim(queued(), now=NOW), CHECKPOINT, now=NOW + 700)
    assert handed_over.spent_s == 0.0  # the checkpoint has it

    assert steps.requeue(claimed_later(handed_over), now=NOW + 1020).spent_s == 20.0
    assert steps.requeue(claimed_later(handed_over), now=NOW + 1020, afresh=True).spent_s == 20.0 + CHECKPOINT.spent_s


def test_time_begins_again_for_a_user_who_asks_again() -> None:
    spent = steps.claim(steps.requeue(steps.claim(queued(), now=NOW), now=NOW + 60), now=NOW + 100)
    assert steps.retry(steps.fail(spent, SourceNotFound(), now=NOW + 110), now=NOW + 200).spent_s == 0.0


def test_clocks_that_differ_take_no_time_back() -> None:
    assert steps.requeue(steps.claim(queued(), now=NOW), now=NOW - 300).spent_s == 0.0


@pytest.mark.parametrize("step", ["complete", "fail", "cancel", "expand", "condemn"])
def test_what_was_handed_over_is_left_to_be_removed_whatever_becomes_of_the_job(step: str) -> None:
    job = steps.claim(steps.hand_over(running(), CHECKPOINT, now=NOW), now=NOW)

    after = STEPS[step][0](job)

    assert (after.checkpoint, after.untidy) == (None, True)
