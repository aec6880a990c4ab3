"""A job and the states it may pass through. Pure: no clock, no AWS. `reelhaul.store` repeats these rules as conditions."""

import dataclasses
import secrets
from enum import StrEnum

from reelhaul.errors import Conflict

MAX_ATTEMPTS = 3  # claims per generation; a source that fails three times in a row rarely recovers within the minute
LEASE_S = 45  # a worker silent for this long is taken for dead; it reports every few seconds
SCHEMA_VERSION = 1

_ALPHABET = "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, in lower case: sorts like the numbers it stands for
_TIME_CHARS, _RANDOM_CHARS = 10, 16  # a ULID's split: 48 bits of milliseconds, 80 bits of chance


class State(StrEnum):
    QUEUED = "QUEUED"
    RUNNING = "RUNNING"
    DONE = "DONE"
    FAILED = "FAILED"
    CANCELLED = "CANCELLED"
    EXPIRED = "EXPIRED"


class Phase(StrEnum):
    """What a running job is busy with."""

    FETCHING = "fetching"
    FINISHING = "finishing"  # merging, converting, uploading the rest


ACTIVE = frozenset({State.QUEUED, State.RUNNING})
TRANSITIONS: dict[State, frozenset[State]] = {
    State.QUEUED: frozenset({State.RUNNING, State.FAILED, State.CANCELLED}),
    State.RUNNING: frozenset({State.QUEUED, State.DONE, State.FAILED, State.CANCELLED}),
    State.DONE: frozenset({State.EXPIRED}),
    State.FAILED: frozenset({State.QUEUED}),
    State.CANCELLED: frozenset({State.QUEUED}),
    State.EXPIRED: frozenset({State.QUEUED}),
}
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
class Job:
    """One requested download. Times are seconds since the epoch.

    `fence` counts claims and everything that takes a job from its worker: a worker acts only while the table still
    shows the fence it was given. `generation` counts the user's tries. `due_at` is when the sweeper has to look at it.
    """

    id: str
    tenant: str
    url: str
    name: str | None
    quality: str
    download_type: str
    retention_days: int
    created_at: float
    updated_at: float
    state: State = State.QUEUED
    generation: int = 1
    fence: int = 0
    attempts: int = 0
    due_at: float | None = None
    untidy: bool = False  # a worker was cut off: it may have left an object or a multipart upload behind
    progress: Progress = Progress()
    media: Media | None = None
    stored: StoredObject | None = None
    error_code: str | None = None
    error: str | None = None
    completed_at: float | None = None

    def to(self, state: State, **changes: object) -> "Job":
        """This job in another state. Raises `Conflict` for a transition that is not in `TRANSITIONS`."""
        if state not in TRANSITIONS[self.state]:
            raise Conflict(f"A download that is {self.state.lower()} cannot become {state.lower()}.")
        return dataclasses.replace(self, state=state, **changes)  # type: ignore[arg-type]

    @property
    def file_expires_at(self) -> float | None:
        """When the file is removed, `None` while there is none."""
        if self.stored is None or self.completed_at is None:
            return None
        return self.completed_at + self.retention_days * 86_400

    def seen_at(self, now: float) -> "Job":
        """The job as it is at `now`: a file past its retention is gone, whether or not the sweeper came by yet."""
        if self.state is State.DONE and self.file_expires_at is not None and now >= self.file_expires_at:
            return self.to(State.EXPIRED)
        return self

    @property
    def title(self) -> str:
        """What people call it: the name they gave, else the media's own title, else its id."""
        return self.name or (self.media.title if self.media else None) or self.id

    @property
    def filename(self) -> str:
        """`title` with its extension, once that is known."""
        if self.media is None or self.title.lower().endswith(f".{self.media.extension}"):
            return self.title
        return f"{self.title}.{self.media.extension}"


def new_id(now: float) -> str:
    """A job id: `download-` and a ULID, sortable by creation time (ms) and with 80 random bits unguessable."""
    number = (int(now * 1000) << 80) | secrets.randbits(80)
    digits = (_ALPHABET[number >> shift & 31] for shift in range(5 * (_TIME_CHARS + _RANDOM_CHARS - 1), -1, -5))
    return "download-" + "".join(digits)


def is_id(text: str) -> bool:
    """Whether `text` has the form of a job id. Anything else need not be looked up."""
    prefix, _, ulid = text.partition("-")
    return prefix == "download" and len(ulid) == _TIME_CHARS + _RANDOM_CHARS and set(ulid) <= set(_ALPHABET)


def object_prefix(tenant: str, job_id: str) -> str:
    """Every object of a job lies below this, each under the fence of the worker that wrote it."""
    return f"{tenant}/{job_id}/"


def object_key(job: Job, extension: str) -> str:
    return f"{object_prefix(job.tenant, job.id)}{job.fence}.{extension}"
