"""A job, and the states that it may pass through. Pure. What may happen to one is in `reelhaul.steps`."""

import dataclasses
from enum import StrEnum

from reelhaul.errors import Conflict
from reelhaul.limits import Limits
from reelhaul.options import Options

MAX_ATTEMPTS = 3  # claims per generation; a source that fails three times in a row rarely recovers within the minute
MAX_SENDS = 100  # messages for one wait in the queue, the later ones an hour apart: after four days it is given up
LEASE_S = 45  # a worker silent for this long is taken for dead; it reports every few seconds
STRAY_S = 960  # no worker outlives this, whoever took it for dead: Lambda ends each invocation after 900 s
RECORD_DAYS = 90  # how long a job is remembered after its file has expired
SCHEMA_VERSION = 1
PLAYLIST_LIMIT = "playlist_limit"  # why a playlist is truncated: what was asked for, or all that this service takes


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
RETRYABLE = frozenset({State.FAILED, State.CANCELLED, State.EXPIRED})
_ENDED = RETRYABLE | {State.DONE}


@dataclasses.dataclass(frozen=True, slots=True)
class Step:
    """What may happen to a job in one of the states `starts`. It `ends` in another one, or where it was (`None`)."""

    name: str
    starts: frozenset[State]
    ends: State | None


def _step(name: str, starts: State | frozenset[State], ends: State | None = None) -> Step:
    return Step(name, frozenset({starts}) if isinstance(starts, State) else starts, ends)


# Everything that may happen to a job, by the names that `reelhaul.steps` has for it. Nothing else passes there, and the
# store repeats the state that a step started from, and the fence, as the condition of the write.
STEPS = (
    _step("claim", State.QUEUED, State.RUNNING),
    _step("resend", State.QUEUED),
    _step("beat", State.RUNNING),
    _step("requeue", State.RUNNING, State.QUEUED),
    _step("hand_over", State.RUNNING, State.QUEUED),
    _step("complete", State.RUNNING, State.DONE),
    _step("expand", State.RUNNING, State.EXPANDED),
    _step("recount", State.EXPANDED, State.DONE),
    _step("recount", frozenset({State.EXPANDED, State.DONE, State.CANCELLED})),
    _step("fail", frozenset({State.QUEUED, State.RUNNING}), State.FAILED),
    _step("cancel", ACTIVE, State.CANCELLED),
    _step("adopt", State.DONE),
    _step("expire", State.DONE, State.EXPIRED),
    _step("remove_file", State.EXPIRED),
    _step("retry", RETRYABLE, State.QUEUED),
    _step("tidied", _ENDED),
    _step("delivered", _ENDED),
    _step("announce_again", _ENDED),
)
CONDEMN = _step("condemn", frozenset(State), State.FAILED)  # what becomes of a job whose record is damaged
TRANSITIONS = {state: frozenset(step.ends for step in STEPS if step.ends and state in step.starts) for state in State}


def is_step(name: str, start: State, end: State) -> bool:
    """Whether the step called `name` may lead from the state `start` to `end`."""
    found = (step for step in (*STEPS, CONDEMN) if step.name == name and start in step.starts)
    return any((step.ends or start) is end for step in found)


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
class Checkpoint:
    """Where a worker stopped whose time was over, for the next one to go on.

    `media` are as they were told first. The first `final_bytes` of the `bytes` that came are the first `parts` of the
    multipart upload `upload_id`, begun as `object_key`. Of what is not stored while it comes there is none of these.
    Whatever else is needed lies in the object `baggage_key`, of which `baggage_sha256` is the checksum, in hexadecimal.
    `place`: how much of the source has been used, in its own measure. `spent_s`: how long those workers have been at it
    that came this far; not those of attempts that have failed.
    """

    media: Media | None = None
    object_key: str | None = None
    upload_id: str | None = None
    parts: int
    final_bytes: int
    bytes: int
    place: int
    baggage_key: str
    baggage_sha256: str
    spent_s: float


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class PlaylistItem:
    """What makes a job an item of a playlist. `index` counts from 1.

    `entry` is for an item without an address of its own: its job has the playlist's, and fetches the entry with this
    number from it. `generation` is that of the playlist, which is expanded anew when it is retried. `counted_apart`:
    the tenant's counters know that this is an item, as those of records from before they did so do not.
    """

    parent_id: str
    index: int
    total: int
    generation: int = 1
    entry: int | None = None
    counted_apart: bool = False


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Playlist:
    """What a playlist job knows of its items. `total` counts those that there are, the others those that ended.

    `truncated`: the source had more, and `truncated_by` is what was in the way: `PLAYLIST_LIMIT` or a
    `LimitReached`'s code. `unsettled`: the job ended before its items, which have to follow.
    """

    title: str
    total: int
    done: int = 0
    failed: int = 0
    cancelled: int = 0
    truncated: bool = False
    truncated_by: str | None = None
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
    `due_at` is when the sweeper has to look at the job, `None` for never. `limits` are those of the key it was last
    asked for with. `claimed_at` is since when the worker is at it that has it now, and `spent_s` how long those were
    whose attempts have failed since the user asked: with a checkpoint's they are bounded, all together.
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
    limits: Limits | None = None
    item: PlaylistItem | None = None
    state: State = State.QUEUED
    generation: int = 1
    fence: int = 0
    attempts: int = 0
    sends: int = 1
    due_at: float | None = None
    claimed_at: float | None = None
    spent_s: float = 0.0
    untidy: bool = False  # a worker was cut off: it may have left an object or a multipart upload behind
    stray_until: float | None = None  # until then it may still be there, and leave some more
    progress: Progress = Progress()
    media: Media | None = None
    stored: StoredObject | None = None
    checkpoint: Checkpoint | None = None
    extras: tuple[StoredExtra, ...] = ()
    playlist: Playlist | None = None
    webhook: Delivery | None = None
    error_code: str | None = None
    error: str | None = None
    completed_at: float | None = None
    beyond: str = "{}"  # what a later version knows of it, as JSON: kept as it is

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

    def is_untidy_at(self, now: float) -> bool:
        """Whether it has to be looked for what a worker, or a cancelled playlist, has left behind."""
        unsettled = self.playlist is not None and self.playlist.unsettled
        return self.untidy or unsettled or (self.stray_until is not None and self.stray_until <= now)

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


def filename_of(job: Job, media: Media) -> str:
    """What the file with these media is called, whether or not the job has them yet."""
    title = job.name or media.title or job.id
    return title if title.lower().endswith(f".{media.extension}") else f"{title}.{media.extension}"
