"""The ids of jobs, of their events and of their objects. Pure."""

import hashlib
import secrets

from reelhaul.jobs import Job

_ALPHABET = (
    "0123456789abcdefghjkmnpqrstvwxyz"  # Crockford's base 32, in lower case: sorts like the numbers it stands for
)
_TIME_CHARS, _RANDOM_CHARS = 10, 16  # a ULID's split: 48 bits of milliseconds, 80 bits of chance


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


def baggage_key(job: Job) -> str:
    """Where a worker leaves for the next one what the table cannot hold."""
    return object_key(job, "relay")


def carried_key(job: Job, number: int) -> str:
    """Where it leaves one of the files that go along."""
    return object_key(job, f"carried-{number}")


def object_key(job: Job, extension: str) -> str:
    """`extension` may have several parts, as in "thumbnail.jpg"."""
    return f"{object_prefix(job.tenant, job.id)}{job.fence}.{extension}"
