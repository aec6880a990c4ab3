"""A job and the states it may pass through. Pure. `reelhaul.store` repeats these rules as conditions."""

import dataclasses
import secrets
from enum import StrEnum

from reelhaul.errors import Conflict, ReelhaulError

MAX_ATTEMPTS = 3  # claims per generation; a source that fails three times in a row rarely recovers within the minute
MAX_SENDS = 100  # messages for one wait in the queue, the later ones an hour apart: after four days it is given up
LEASE_S = 45  # a worker silent for this long is taken for dead; it reports every few seconds
SCHEMA_VERSION = 1

_ALPHABET = (
    "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, in lower case: sorts like the numbers it stands for
)
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
_SPOKEN = {State.QUEUED: "still waiting", State.RUNNING: "still running", State.DONE: "done"}
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
    shows the fence it was given. `generation` counts the user's tries, `sends` the messages of this wait in the queue.
    `due_at` is when the sweeper has to look at the job, `None` for never.
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
    sends: int = 1
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
        """Until when the file is handed out, `None` while there is none."""
        if self.stored is None or self.completed_at is None:
            return None
        return self.completed_at + self.retention_days * 86_400

    @property
    def removal_at(self) -> float | None:
        """When the file is really removed: links handed out until it expired live on for their 24 hours."""
        return None if self.file_expires_at is None else self.file_expires_at + 86_400

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


# --- what may happen to a job, each step as a pure function ----------------------------------------------------------
#
# Every step but `beat` changes the state or the fence, so that of two who act on the same reading one loses.


def new(
    *,
    job_id: str,
    tenant: str,
    url: str,
    name: str | None,
    quality: str,
    download_type: str,
    retention_days: int,
    now: float,
) -> Job:
    return Job(
        id=job_id, tenant=tenant, url=url, name=name, quality=quality, download_type=download_type,
        retention_days=retention_days, created_at=now, updated_at=now, due_at=now + _patience_s(1),
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


def complete(job: Job, media: Media, stored: StoredObject, *, now: float) -> Job:
    done = job.to(
        State.DONE, media=media, stored=stored, completed_at=now, updated_at=now, error_code=None, error=None,
        progress=Progress(phase=Phase.FINISHING, downloaded_bytes=stored.size, total_bytes=stored.size),
    )  # fmt: skip
    return dataclasses.replace(done, due_at=now + LEASE_S if job.untidy else done.removal_at)


def fail(job: Job, error: ReelhaulError, *, now: float, cut_off: bool = False) -> Job:
    """The job ends. `cut_off`: somebody else says so than the worker that holds it."""
    return _stopped(job, State.FAILED, now=now, cut_off=cut_off, error_code=error.code, error=str(error))


def cancel(job: Job, *, now: float) -> Job:
    return _stopped(job, State.CANCELLED, now=now, cut_off=True, error_code="job.cancelled", error="Cancelled")


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
    """The user wants it again: a new generation with all its attempts. Raises `Conflict` from other states."""
    if job.state not in RETRYABLE:
        raise Conflict(f"A download that is {_SPOKEN[job.state]} cannot be retried.")
    return job.to(
        State.QUEUED, generation=job.generation + 1, fence=job.fence + 1, attempts=0, sends=1, progress=Progress(),
        media=None, stored=None, error_code=None, error=None, completed_at=None,
        due_at=now + _patience_s(1), updated_at=now,
    )  # fmt: skip


def expire(job: Job, *, now: float, untidy: bool = False) -> Job:
    """The file's retention is over: the record stays for a while. `untidy`: the object is still there."""
    due_at = now + LEASE_S if untidy else None
    return job.to(State.EXPIRED, fence=job.fence + 1, stored=None, untidy=untidy, due_at=due_at, updated_at=now)


def tidied(job: Job) -> Job:
    """Nothing is left behind any more. A finished job is next looked at when its file has to go."""
    return dataclasses.replace(job, untidy=False, fence=job.fence + 1, due_at=job.removal_at)


def _stopped(job: Job, state: State, *, now: float, cut_off: bool, error_code: str, error: str) -> Job:
    untidy = job.untidy or (cut_off and job.state is State.RUNNING)
    return job.to(
        state, fence=job.fence + 1, untidy=untidy, due_at=now + LEASE_S if untidy else None, error_code=error_code,
        error=error, completed_at=now, updated_at=now,
    )  # fmt: skip


def _patience_s(sends: int) -> float:
    """How long a queued job waits for its message to be taken. Doubles, or a long queue would drown in repeats."""
    return float(min(60 * 2 ** (sends - 1), 3600))


# --- names -----------------------------------------------------------------------------------------------------------


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
