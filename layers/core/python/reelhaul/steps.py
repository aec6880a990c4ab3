"""What may happen to a job, each step as a pure function. The table of them is `reelhaul.jobs.STEPS`.

Every step but `beat`, which only the holder of the lease takes, changes the state or the fence, so that of two who act
on the same reading one loses.
"""

import dataclasses
import functools
from collections.abc import Callable
from typing import Concatenate, ParamSpec

from reelhaul.errors import Conflict, RecordDamaged, ReelhaulError
from reelhaul.ids import event_id
from reelhaul.jobs import (
    ACTIVE,
    LEASE_S,
    MAX_ATTEMPTS,
    RETRYABLE,
    STRAY_S,
    Checkpoint,
    Delivery,
    DeliveryState,
    Job,
    Media,
    Phase,
    Playlist,
    PlaylistItem,
    Progress,
    State,
    StoredExtra,
    StoredObject,
    is_step,
)
from reelhaul.limits import Limits
from reelhaul.options import Options

P = ParamSpec("P")

_RECOUNT_S = 60  # how often the sweeper counts a playlist's items, should the announcements of their ends be lost
_ANNOUNCED_FOR_S = 2 * 86_400  # twice the day for which a webhook is tried; what is pending then never gets through
_ANNOUNCE_S = 600  # how late a webhook may be until the sweeper takes its message for lost
_SPOKEN = {
    State.QUEUED: "still waiting", State.RUNNING: "still running", State.EXPANDED: "still running", State.DONE: "done",
}  # fmt: skip


def _by_the_table(step: Callable[Concatenate[Job, P], Job]) -> Callable[Concatenate[Job, P], Job]:
    """Have `step` raise `Conflict` where it would lead from or to a state that the table does not have for it."""

    @functools.wraps(step)
    def taken(job: Job, /, *arguments: P.args, **named: P.kwargs) -> Job:
        after = step(job, *arguments, **named)
        if not is_step(step.__name__, job.state, after.state):
            raise Conflict
        return after

    return taken


def new(
    *,
    job_id: str,
    tenant: str,
    url: str,
    name: str | None,
    options: Options,
    retention_days: int,
    now: float,
    callback_url: str | None = None,
    limits: Limits | None = None,
    item: PlaylistItem | None = None,
) -> Job:
    return Job(
        id=job_id, tenant=tenant, url=url, name=name, options=options, retention_days=retention_days,
        callback_url=callback_url, limits=limits, item=item,
        created_at=now, updated_at=now, due_at=now + _patience_s(1),
    )  # fmt: skip


@_by_the_table
def claim(job: Job, *, now: float) -> Job:
    """A worker takes the job. Raises `Conflict` unless it is queued and has attempts left."""
    if job.attempts >= MAX_ATTEMPTS:
        raise Conflict("All attempts are spent.")
    return job.to(
        State.RUNNING,
        fence=job.fence + 1,
        attempts=job.attempts + 1,
        claimed_at=now,
        due_at=now + LEASE_S,
        updated_at=now,
        progress=job.progress if job.checkpoint else Progress(),
    )


@_by_the_table
def beat(job: Job, progress: Progress, *, now: float) -> Job:
    """The worker is alive: its lease is extended, its progress known."""
    return dataclasses.replace(job, progress=progress, due_at=now + LEASE_S, updated_at=now)


@_by_the_table
def complete(job: Job, media: Media, stored: StoredObject, *, now: float, extras: tuple[StoredExtra, ...] = ()) -> Job:
    """The worker has stored everything. Raises `Conflict` unless the job is running."""
    if job.state is not State.RUNNING:
        raise Conflict("Only a running job is completed.")
    return _ended(
        job, State.DONE, now=now, media=media, stored=stored, extras=extras, error_code=None, error=None,
        progress=Progress(phase=Phase.FINISHING, downloaded_bytes=stored.size, total_bytes=stored.size),
    )  # fmt: skip


@_by_the_table
def expand(job: Job, playlist: Playlist, *, now: float) -> Job:
    """The job turned out to be a playlist, and its items are jobs by now."""
    return _without_checkpoint(job).to(
        State.EXPANDED, fence=job.fence + 1, playlist=playlist, due_at=now + _RECOUNT_S, updated_at=now
    )


@_by_the_table
def recount(job: Job, playlist: Playlist, *, now: float) -> Job:
    """What has become of a playlist's items. It is done when all have ended, however they did.

    Of a playlist that has ended, as of one that was cancelled, only the counts change.
    """
    if job.state is State.EXPANDED and playlist.ended >= playlist.total:
        return _ended(job, State.DONE, now=now, playlist=playlist)
    due_at = now + _RECOUNT_S if job.state is State.EXPANDED else job.due_at
    return dataclasses.replace(job, playlist=playlist, fence=job.fence + 1, due_at=due_at, updated_at=now)


@_by_the_table
def adopt(job: Job, item: PlaylistItem, *, now: float) -> Job:
    """A finished item of an earlier expansion serves this one as well. Raises `Conflict` unless it is done."""
    if job.state is not State.DONE:
        raise Conflict("Only what is done need not be done again.")
    return dataclasses.replace(job, item=item, fence=job.fence + 1, updated_at=now)


@_by_the_table
def fail(job: Job, error: ReelhaulError, *, now: float, cut_off: bool = False) -> Job:
    """The job ends. `cut_off`: somebody else says so than the worker that holds it."""
    seen = _cut_off(job, now=now) if cut_off and job.state is State.RUNNING else job
    return _ended(seen, State.FAILED, now=now, error_code=error.code, error=str(error))


@_by_the_table
def condemn(job: Job, *, now: float) -> Job:
    """The job's record is damaged: whatever state it was in, it has failed, and what it had is not known any more.

    One that had ended before is not announced again.
    """
    error, active = RecordDamaged(), job.state in ACTIVE
    webhook = Delivery(event_id=event_id(job), next_attempt_at=now) if active and job.callback_url else None
    condemned = dataclasses.replace(
        job, state=State.FAILED, fence=job.fence + 1, checkpoint=None, media=None, stored=None, extras=(),
        playlist=None, webhook=webhook, error_code=error.code, error=str(error), completed_at=now, updated_at=now,
    )  # fmt: skip
    seen = _cut_off(condemned, now=now)
    return dataclasses.replace(seen, due_at=_due_at(seen, now=now))


@_by_the_table
def cancel(job: Job, *, now: float) -> Job:
    """The job ends by its user's will; a playlist's items have to follow."""
    seen = _cut_off(job, now=now) if job.state is State.RUNNING else job
    playlist = job.playlist and dataclasses.replace(job.playlist, unsettled=True)
    return _ended(seen, State.CANCELLED, now=now, playlist=playlist, error_code="job.cancelled", error="Cancelled")


@_by_the_table
def requeue(
    job: Job, *, now: float, delay_s: float = 0, count: bool = True, cut_off: bool = False, afresh: bool = False
) -> Job:
    """Back into the queue, for after `delay_s`. Without `count` the claim that ends here was no attempt.

    With `afresh` what an earlier worker has handed over is of no use any more, and is left to be removed. The time that
    it took counts all the same, as does that of this claim.
    Raises `Conflict` unless it is running.
    """
    if job.state is not State.RUNNING:
        raise Conflict("Only a running job goes back into the queue.")
    lost_s = job.checkpoint.spent_s if afresh and job.checkpoint else 0.0
    spent_s = job.spent_s + lost_s + _held_s(job, now=now)
    seen = _cut_off(job, now=now) if cut_off else job
    seen = _without_checkpoint(seen) if afresh else seen
    return seen.to(
        State.QUEUED, fence=job.fence + 1, attempts=job.attempts if count else job.attempts - 1, sends=1,
        due_at=now + delay_s + _patience_s(1), updated_at=now, claimed_at=None, spent_s=spent_s,
    )  # fmt: skip


@_by_the_table
def hand_over(job: Job, checkpoint: Checkpoint, *, now: float) -> Job:
    """The worker's time is over: the next one goes on at `checkpoint`, within the same attempt.

    Raises `Conflict` unless it is running.
    """
    seen = requeue(job, now=now, count=False)
    return dataclasses.replace(seen, checkpoint=checkpoint, spent_s=job.spent_s)  # the rest is in the checkpoint


@_by_the_table
def resend(job: Job, *, now: float) -> Job:
    """Still queued, and its message may be lost: another one goes out, and the next look comes later."""
    if job.state is not State.QUEUED:
        raise Conflict("Only a queued job is sent again.")
    sends = job.sends + 1
    return dataclasses.replace(job, fence=job.fence + 1, sends=sends, due_at=now + _patience_s(sends), updated_at=now)


@_by_the_table
def retry(job: Job, *, now: float, limits: Limits | None = None) -> Job:
    """The user wants it again: a new generation with all its attempts. Raises `Conflict` from other states.

    A file that had expired and was not removed yet is removed once there is another.
    """
    if job.state not in RETRYABLE:
        raise Conflict(f"A download that is {_SPOKEN[job.state]} cannot be retried.")
    return job.to(
        State.QUEUED, generation=job.generation + 1, fence=job.fence + 1, attempts=0, sends=1,
        claimed_at=None, spent_s=0.0, progress=Progress(), media=None, stored=None, extras=(), playlist=None,
        webhook=None, error_code=None, error=None,
        completed_at=None, untidy=job.untidy or bool(job.keys), due_at=now + _patience_s(1), updated_at=now,
        limits=limits,
    )  # fmt: skip


@_by_the_table
def expire(job: Job, *, now: float) -> Job:
    """The file's retention is over. The object stays while links to it live, the record for much longer."""
    expired = job.to(State.EXPIRED, fence=job.fence + 1, updated_at=now)
    return dataclasses.replace(expired, due_at=_due_at(expired, now=now))


@_by_the_table
def remove_file(job: Job, *, now: float) -> Job:
    """The expired file has been removed from the bucket."""
    bare = dataclasses.replace(job, fence=job.fence + 1, stored=None, extras=(), untidy=False, updated_at=now)
    return dataclasses.replace(bare, due_at=_due_at(bare, now=now))


@_by_the_table
def tidied(job: Job, *, now: float) -> Job:
    """Nothing is left behind now: no object too many, no item of a cancelled playlist that still runs.

    While a worker may be alive that was cut off, this is looked at once more.
    """
    playlist = job.playlist and dataclasses.replace(job.playlist, unsettled=False)
    strays = job.stray_until if (job.stray_until or now) > now else None
    tidy = dataclasses.replace(job, untidy=False, stray_until=strays, playlist=playlist, fence=job.fence + 1)
    return dataclasses.replace(tidy, due_at=_due_at(tidy, now=now))


@_by_the_table
def delivered(job: Job, webhook: Delivery, *, now: float) -> Job:
    """The webhook has come so far."""
    after = dataclasses.replace(job, webhook=webhook, fence=job.fence + 1)
    return dataclasses.replace(after, due_at=_due_at(after, now=now))


@_by_the_table
def announce_again(job: Job, *, now: float) -> Job:
    """The message about the webhook may be lost: another one goes out, unless its time is long over."""
    webhook = job.webhook and dataclasses.replace(job.webhook, next_attempt_at=now)
    if webhook and now - (job.completed_at or now) > _ANNOUNCED_FOR_S:
        webhook = dataclasses.replace(webhook, state=DeliveryState.FAILED, next_attempt_at=None)
    after = dataclasses.replace(job, webhook=webhook, fence=job.fence + 1)
    return dataclasses.replace(after, due_at=_due_at(after, now=now))


def _ended(job: Job, state: State, *, now: float, **changes: object) -> Job:
    """The last write of a generation: with it goes what has to be announced, so that neither is there alone."""
    webhook = Delivery(event_id=event_id(job), next_attempt_at=now) if job.callback_url else None
    ended = _without_checkpoint(job).to(
        state, fence=job.fence + 1, webhook=webhook, completed_at=now, updated_at=now, **changes
    )
    return dataclasses.replace(ended, due_at=_due_at(ended, now=now))


def _without_checkpoint(job: Job) -> Job:
    """What it names is of no use any more, and has to be removed."""
    return job if job.checkpoint is None else dataclasses.replace(job, checkpoint=None, untidy=True)


def _cut_off(job: Job, *, now: float) -> Job:
    """The job remembers its worker, which may not know yet that it is cut off, and write for as long as it lives."""
    return dataclasses.replace(job, untidy=True, stray_until=now + STRAY_S)


def _held_s(job: Job, *, now: float) -> float:
    """How long its worker has had the job, by clocks that may differ."""
    return 0.0 if job.claimed_at is None else max(0.0, now - job.claimed_at)


def _due_at(job: Job, *, now: float) -> float | None:
    """When a job that has ended is next looked at: when it has to be tidied, announced again, expired or forgotten."""
    soon = now + LEASE_S
    webhook = job.webhook if job.webhook and job.webhook.state is DeliveryState.PENDING else None
    times = (
        soon if job.untidy or (job.playlist and job.playlist.unsettled) else None,
        job.stray_until,
        (webhook.next_attempt_at or now) + _ANNOUNCE_S if webhook else None,
        max(soon, job.file_expires_at) if job.state is State.DONE and job.file_expires_at else None,
        max(soon, job.removal_at) if job.state is State.EXPIRED and job.removal_at else None,
        job.forgotten_at,
    )
    return min((time for time in times if time is not None), default=None)


def _patience_s(sends: int) -> float:
    """How long a queued job waits for its message to be taken. Doubles, or a long queue would drown in repeats."""
    return float(min(60 * 2 ** (sends - 1), 3600))
