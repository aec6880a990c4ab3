"""A job and the states it may pass through. Pure. `reelhaul.store` repeats these rules as conditions."""

import dataclasses
import hashlib
import secrets
from enum import StrEnum

from reelhaul.errors import Conflict, ReelhaulError
from reelhaul.options import Options

MAX_ATTEMPTS = 3  # claims per generation; a source that fails three times in a row rarely recovers within the minute
MAX_SENDS = 100  # messages for one wait in the queue, the later ones an hour apart: after four days it is given up
LEASE_S = 45  # a worker silent for this long is taken for dead; it reports every few seconds
RECORD_DAYS = 90  # how long a job is remembered after its file has expired
SCHEMA_VERSION = 1

_RECOUNT_S = 60  # how often the sweeper counts a playlist's items, should the announcements of their ends be lost
_ANNOUNCED_FOR_S = 2 * 86_400  # twice the day for which a webhook is tried; what is pending then never gets through
_ANNOUNCE_S = 600  # how late a webhook may be until the sweeper takes its message for lost

_ALPHABET = (
    "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, in lower case: sorts like the numbers it stands for
)
_TIME_CHARS, _RANDOM_CHARS = 10, 16  # a ULID's split: 48 bits of milliseconds, 80 bits of chance


class State(StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    EXPANDED = "EXPANDED"  # a playlist whose items are jobs of their own now; no worker is busy with it any more
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class Phase(StrEnum):
    """What a running job is busy with."""

    FETCHING = "fetching"
    FINISHING = "finishing"  # merging, converting, uploading the rest


ACTIVE = frozenset({State.QUEUED, State.RUNNING, State.EXPANDED})
TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.FAILED, State.CANCELLED}),
    State.RUNNING: frozenset({State.QUEUED, State.EXPANDED, State.DONE, State.FAILED, State.CANCELLED}),
    State.EXPANDED: frozenset({State.DONE, State.CANCELLED}),
    State.DONE: frozenset({State.EXPIRED}),
    State.FAILED: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset({State.QUEUED}),
    State.EXPIRED: frozenset({State.QUEUED}),
}
_SPOKEN = {
    State.QUEUED: "still waiting", State.RUNNING: "still running", State.EXPANDED: "still running", State.DONE: "done",
}  # fmt: skip
RETRYABLE = frozenset({State.FAILED, State.CANCELLED, State.EXPIRED})


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Progress:
    """How far a fetch has come. Bytes, bytes per second, seconds; `None` where it is not known."""

    phase: Phase = Phase.FETCHING
    downloaded_bytes: int = 0
    total_bytes: int | None = None
    speed: float | None = None
    eta_s: float | None = None

    @property
    def percentage(self) -> float:
        """0-100. Stays below 100 while the job runs: only a finished job is complete."""
        if not self.total_bytes:
            return 0.0
        return round(min(99.0, 100 * self.downloaded_bytes / self.total_bytes), 1)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Media:
    """What was fetched, as probed. `extension` without its dot, `duration_s` in seconds."""

    title: str
    extension: str
    content_type: str
    duration_s: float | None = None
    thumbnail: str | None = None
    format_note: str = ""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoredObject:
    """The one object of a finished job. `checksum_sha256` is of the whole file, in hexadecimal."""

    key: str
    size: int
    checksum_sha256: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class StoredExtra:
    """A file beside the main one. `kind` is "subtitles" (then with a `language`) or "thumbnail"."""

    kind: str
    key: str
    size: int
    checksum_sha256: str
    content_type: str
    language: str | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistItem:
    """What makes a job an item of a playlist. `index` counts from 1.

    `entry` is for an item without an address of its own: its job has the playlist's, and fetches the entry with this
    number from it. `generation` is that of the playlist, which is expanded anew when it is retried.
    """

    parent_id: str
    index: int
    total: int
    generation: int = 1
    entry: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Playlist:
    """What a playlist job knows of its items. `total` counts those that there are, the others those that ended.

    `truncated`: the source had more than the limit. `unsettled`: the job ended before its items, which have to follow.
    """

    title: str
    total: int
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    truncated: bool = False
    unsettled: bool = False

    @property
    def ended(self) -> int:
        return self.done + self.failed + self.cancelled


class DeliveryState(StrEnum):
    PENDING = "pending"
    DELIVERED = "delivered"
    FAILED = "failed"  # a day of attempts was in vain
    STOPPED = "stopped"  # the target answered 410: it wants no more


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Delivery:
    """How far the webhook about a job's end has come. `response_status` is the target's last HTTP status, if any."""

    event_id: str
    state: DeliveryState = DeliveryState.PENDING
    attempts: int = 0
    response_status: int | None = None
    error: str | None = None
    last_attempt_at: float | None = None
    next_attempt_at: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One requested download. Times are seconds since the epoch.

    `item` is set for an item of a playlist, `playlist` for a playlist once it has been expanded into such items.
    `fence` counts claims and everything that takes a job from its worker: a worker acts only while the table still
    shows the fence it was given. `generation` counts the user's tries, `sends` the messages of this wait in the queue.
    `due_at` is when the sweeper has to look at the job, `None` for never.
    """

    id: str
    tenant: str
    url: str
    name: str | None
    options: Options
    retention_days: int
    created_at: float
    updated_at: float
    callback_url: str | None = None
    item: PlaylistItem | None = None
    state: State = State.QUEUED
    generation: int = 1
    fence: int = 0
    attempts: int = 0
    sends: int = 1
    due_at: float | None = None
    untidy: bool = False  # a worker was cut off: it may have left an object or a multipart upload behind
    progress: Progress = Progress()
    media: Media | None = None
    stored: StoredObject | None = None
    extras: tuple[StoredExtra, ...] = ()
    playlist: Playlist | None = None
    webhook: Delivery | None = None
    error_code: str | None = None
    error: str | None = None
    completed_at: float | None = None

    def to(self, state: State, **changes: object) -> "Job":
        """This job in another state. Raises `Conflict` for a transition that is not in `TRANSITIONS`."""
        if state not in TRANSITIONS[self.state]:
            raise Conflict(f"A download that is {self.state.lower()} cannot become {state.lower()}.")
        return dataclasses.replace(self, state=state, **changes)  # type: ignore[arg-type]  # fields by name

    @property
    def file_expires_at(self) -> float | None:
        """Until when the file is handed out, `None` while there is none."""
        if self.stored is None or self.completed_at is None:
            return None
        return self.completed_at + self.retention_days * 86_400

    @property
    def removal_at(self) -> float | None:
        """When the file is really removed: links handed out until it expired live on for their 24 hours."""
        return None if self.file_expires_at is None else self.file_expires_at + 86_400

    @property
    def forgotten_at(self) -> float | None:
        """When the record goes, `None` while the job has not ended."""
        if self.completed_at is None or self.state in ACTIVE:
            return None
        return self.completed_at + (self.retention_days + RECORD_DAYS) * 86_400

    @property
    def keys(self) -> frozenset[str]:
        """The keys of all objects that this job has."""
        return frozenset(({self.stored.key} if self.stored else set()) | {extra.key for extra in self.extras})

    def seen_at(self, now: float) -> "Job":
        """The job as it is at `now`: a file past its retention is gone, whether or not the sweeper came by yet."""
        if self.state is State.DONE and self.file_expires_at is not None and now >= self.file_expires_at:
            return self.to(State.EXPIRED)
        return self

    @property
    def title(self) -> str:
        """What people call it: the name they gave, else the media's own title, else its id."""
        own = self.media.title if self.media else self.playlist.title if self.playlist else None
        return self.name or own or self.id

    @property
    def filename(self) -> str:
        """`title` with its extension, once that is known."""
        return self.title if self.media is None else filename_of(self, self.media)


# --- what may happen to a job, each step as a pure function ----------------------------------------------------------
#
# Every step but `beat`, which only the holder of the lease takes, changes the state or the fence, so that of two who
# act on the same reading one loses.


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
    item: PlaylistItem | None = None,
) -> Job:
    return Job(
        id=job_id, tenant=tenant, url=url, name=name, options=options, retention_days=retention_days,
        callback_url=callback_url, item=item,
        created_at=now, updated_at=now, due_at=now + _patience_s(1),
    )  # fmt: skip


def claim(job: Job, *, now: float) -> Job:
    """A worker takes the job. Raises `Conflict` unless it is queued and has attempts left."""
    if job.attempts >= MAX_ATTEMPTS:
        raise Conflict("All attempts are spent.")
    return job.to(
        State.RUNNING,
        fence=job.fence + 1,
        attempts=job.attempts + 1,
        due_at=now + LEASE_S,
        updated_at=now,
        progress=Progress(),
    )


def beat(job: Job, progress: Progress, *, now: float) -> Job:
    """The worker is alive: its lease is extended, its progress known."""
    return dataclasses.replace(job, progress=progress, due_at=now + LEASE_S, updated_at=now)


def complete(job: Job, media: Media, stored: StoredObject, *, now: float, extras: tuple[StoredExtra, ...] = ()) -> Job:
    """The worker has stored everything. Raises `Conflict` unless the job is running."""
    if job.state is not State.RUNNING:
        raise Conflict("Only a running job is completed.")
    return _ended(
        job, State.DONE, now=now, media=media, stored=stored, extras=extras, error_code=None, error=None,
        progress=Progress(phase=Phase.FINISHING, downloaded_bytes=stored.size, total_bytes=stored.size),
    )  # fmt: skip


def expand(job: Job, playlist: Playlist, *, now: float) -> Job:
    """The job turned out to be a playlist, and its items are jobs by now."""
    return job.to(State.EXPANDED, fence=job.fence + 1, playlist=playlist, due_at=now + _RECOUNT_S, updated_at=now)


def recount(job: Job, playlist: Playlist, *, now: float) -> Job:
    """What has become of a playlist's items. It is done when all have ended, however they did.

    Of a playlist that has ended, as of one that was cancelled, only the counts change.
    """
    if job.state is State.EXPANDED and playlist.ended >= playlist.total:
        return _ended(job, State.DONE, now=now, playlist=playlist)
    due_at = now + _RECOUNT_S if job.state is State.EXPANDED else job.due_at
    return dataclasses.replace(job, playlist=playlist, fence=job.fence + 1, due_at=due_at, updated_at=now)


def adopt(job: Job, item: PlaylistItem, *, now: float) -> Job:
    """A finished item of an earlier expansion serves this one as well. Raises `Conflict` unless it is done."""
    if job.state is not State.DONE:
        raise Conflict("Only what is done need not be done again.")
    return dataclasses.replace(job, item=item, fence=job.fence + 1, updated_at=now)


def fail(job: Job, error: ReelhaulError, *, now: float, cut_off: bool = False) -> Job:
    """The job ends. `cut_off`: somebody else says so than the worker that holds it."""
    untidy = job.untidy or (cut_off and job.state is State.RUNNING)
    return _ended(job, State.FAILED, now=now, untidy=untidy, error_code=error.code, error=str(error))


def cancel(job: Job, *, now: float) -> Job:
    """The job ends by its user's will; a playlist's items have to follow."""
    untidy = job.untidy or job.state is State.RUNNING
    playlist = job.playlist and dataclasses.replace(job.playlist, unsettled=True)
    return _ended(
        job, State.CANCELLED, now=now, untidy=untidy, playlist=playlist, error_code="job.cancelled", error="Cancelled"
    )


def requeue(job: Job, *, now: float, delay_s: float = 0, count: bool = True, cut_off: bool = False) -> Job:
    """Back into the queue, for after `delay_s`. Without `count` the claim that ends here was no attempt.

    Raises `Conflict` unless it is running.
    """
    if job.state is not State.RUNNING:
        raise Conflict("Only a running job goes back into the queue.")
    return job.to(
        State.QUEUED, fence=job.fence + 1, attempts=job.attempts if count else job.attempts - 1, sends=1,
        untidy=job.untidy or cut_off, due_at=now + delay_s + _patience_s(1), updated_at=now,
    )  # fmt: skip


def resend(job: Job, *, now: float) -> Job:
    """Still queued, and its message may be lost: another one goes out, and the next look comes later."""
    if job.state is not State.QUEUED:
        raise Conflict("Only a queued job is sent again.")
    sends = job.sends + 1
    return dataclasses.replace(job, fence=job.fence + 1, sends=sends, due_at=now + _patience_s(sends), updated_at=now)


def retry(job: Job, *, now: float) -> Job:
    """The user wants it again: a new generation with all its attempts. Raises `Conflict` from other states.

    A file that had expired and was not removed yet is removed once there is another.
    """
    if job.state not in RETRYABLE:
        raise Conflict(f"A download that is {_SPOKEN[job.state]} cannot be retried.")
    return job.to(
        State.QUEUED, generation=job.generation + 1, fence=job.fence + 1, attempts=0, sends=1, progress=Progress(),
        media=None, stored=None, extras=(), playlist=None, webhook=None, error_code=None, error=None,
        completed_at=None, untidy=job.untidy or bool(job.keys), due_at=now + _patience_s(1), updated_at=now,
    )  # fmt: skip


def expire(job: Job, *, now: float) -> Job:
    """The file's retention is over. The object stays while links to it live, the record for much longer."""
    expired = job.to(State.EXPIRED, fence=job.fence + 1, updated_at=now)
    return dataclasses.replace(expired, due_at=_due_at(expired, now=now))


def remove_file(job: Job, *, now: float) -> Job:
    """The expired file has been removed from the bucket."""
    bare = dataclasses.replace(job, fence=job.fence + 1, stored=None, extras=(), untidy=False, updated_at=now)
    return dataclasses.replace(bare, due_at=_due_at(bare, now=now))


def tidied(job: Job, *, now: float) -> Job:
    """Nothing is left behind any more: no object too many, no item of a cancelled playlist that still runs."""
    playlist = job.playlist and dataclasses.replace(job.playlist, unsettled=False)
    tidy = dataclasses.replace(job, untidy=False, playlist=playlist, fence=job.fence + 1)
    return dataclasses.replace(tidy, due_at=_due_at(tidy, now=now))


def delivered(job: Job, webhook: Delivery, *, now: float) -> Job:
    """The webhook has come so far."""
    after = dataclasses.replace(job, webhook=webhook, fence=job.fence + 1)
    return dataclasses.replace(after, due_at=_due_at(after, now=now))


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
    ended = job.to(state, fence=job.fence + 1, webhook=webhook, completed_at=now, updated_at=now, **changes)
    return dataclasses.replace(ended, due_at=_due_at(ended, now=now))


def _due_at(job: Job, *, now: float) -> float | None:
    """When a job that has ended is next looked at: when it has to be tidied, announced again, expired or forgotten."""
    soon = now + LEASE_S
    webhook = job.webhook if job.webhook and job.webhook.state is DeliveryState.PENDING else None
    times = (
        soon if job.untidy or (job.playlist and job.playlist.unsettled) else None,
        (webhook.next_attempt_at or now) + _ANNOUNCE_S if webhook else None,
        max(soon, job.file_expires_at) if job.state is State.DONE and job.file_expires_at else None,
        max(soon, job.removal_at) if job.state is State.EXPIRED and job.removal_at else None,
        job.forgotten_at,
    )
    return min((time for time in times if time is not None), default=None)


def _patience_s(sends: int) -> float:
    """How long a queued job waits for its message to be taken. Doubles, or a long queue would drown in repeats."""
    return float(min(60 * 2 ** (sends - 1), 3600))


def filename_of(job: Job, media: Media) -> str:
    """What the file with these media is called, whether or not the job has them yet."""
    title = job.name or media.title or job.id
    return title if title.lower().endswith(f".{media.extension}") else f"{title}.{media.extension}"


# --- names -----------------------------------------------------------------------------------------------------------


def new_id(now: float) -> str:
    """A job id: `download-` and a ULID, sortable by creation time (ms) and with 80 random bits unguessable."""
    number = (int(now * 1000) << 80) | secrets.randbits(80)
    digits = (_ALPHABET[number >> shift & 31] for shift in range(5 * (_TIME_CHARS + _RANDOM_CHARS - 1), -1, -5))
    return "download-" + "".join(digits)


def item_id(parent: Job, index: int, what: str = "") -> str:
    """The id of a playlist's item: always the same one, so that a playlist that is expanded twice has no item twice.

    `what` tells apart what may stand at this place: a list can change between one expansion and the next. The id sorts
    beside its playlist, and of two items the earlier one counts as the newer. Who does not know the playlist's id
    cannot guess it: the last 12 characters are 60 bits of a hash.
    """
    known = f"{parent.tenant} {parent.id} {parent.generation} {index} {what}"
    digest = int.from_bytes(hashlib.sha256(known.encode()).digest()[:8], "big")
    number = ((1 << 20) - 1 - index) << 60 | digest >> 4
    digits = (_ALPHABET[number >> shift & 31] for shift in range(5 * (_RANDOM_CHARS - 1), -1, -5))
    return item_prefix(parent.id) + "".join(digits)


def item_prefix(parent_id: str) -> str:
    """What the ids of all items of a playlist begin with. Other jobs of the same millisecond share it."""
    return parent_id[: len("download-") + _TIME_CHARS]


def event_id(job: Job) -> str:
    """The id of the event that a job has ended: one per generation, however often it is sent."""
    return f"msg_{job.id.removeprefix('download-')}_{job.generation}"


def is_id(text: str) -> bool:
    """Whether `text` has the form of a job id. Anything else need not be looked up."""
    prefix, _, ulid = text.partition("-")
    return prefix == "download" and len(ulid) == _TIME_CHARS + _RANDOM_CHARS and set(ulid) <= set(_ALPHABET)


def object_prefix(tenant: str, job_id: str) -> str:
    """Every object of a job lies below this, each under the fence of the worker that wrote it."""
    return f"{tenant}/{job_id}/"


def object_key(job: Job, extension: str) -> str:
    """`extension` may have several parts, as in "thumbnail.jpg"."""
    return f"{object_prefix(job.tenant, job.id)}{job.fence}.{extension}"
