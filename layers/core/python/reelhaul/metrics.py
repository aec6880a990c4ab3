"""What is measured, and what it is called. Pure: the functions write these, `infra` watches and draws them.

Each that differs in name or dimensions costs 0.30 USD a month beyond the ten that are free, by the hour in which it
is written. So there are few of them: 15, and one for every extractor that is broken, while it is.
"""

from enum import StrEnum

from reelhaul.errors import (
    DeadLetter,
    ExtractorBroken,
    LimitReached,
    RecordDamaged,
    SourceBlocked,
    StorageUnavailable,
    Transient,
    WorkerCrashed,
    source_error,
)
from reelhaul.jobs import State

NAMESPACE = "Reelhaul"

# --- dimensions ------------------------------------------------------------------------------------------------------

SERVICE = "service"  # the stack's name: several may share an account
OUTCOME = "outcome"
KIND = "kind"
EXTRACTOR = "extractor"

# --- metrics ---------------------------------------------------------------------------------------------------------

JOBS = "Jobs"  # that came to their end: by service, and by service, outcome and kind
BYTES = "Bytes"  # that a job has stored
QUEUED_SECONDS = "QueuedSeconds"
FETCHING_SECONDS = "FetchingSeconds"
FINISHING_SECONDS = "FinishingSeconds"
UPLOADING_SECONDS = "UploadingSeconds"
TRANSFER_RATIO = "TransferRatio"
EXTRACTOR_BROKEN = "ExtractorBroken"  # by service and extractor
SECCOMP = "Seccomp"  # of a worker that starts: 1 if the kernel lets it filter system calls, else 0

PHASES = (QUEUED_SECONDS, FETCHING_SECONDS, FINISHING_SECONDS, UPLOADING_SECONDS)


class Outcome(StrEnum):
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"


class Kind(StrEnum):
    """Whose fault a failure is, and so who has to do something about it."""

    NONE = "none"  # it did not fail
    PERMANENT = "permanent"  # there is no such media, or we may not have it, or its tenant not today
    TRANSIENT = "transient"  # the source did not work, three times in a row
    BLOCKED = "blocked"  # the site does not talk to this service
    BROKEN = "broken"  # the site has changed, the extractor has not
    OURS = "ours"


FAILURES = tuple(kind for kind in Kind if kind is not Kind.NONE)
SERIES = (
    (Outcome.DONE, Kind.NONE), (Outcome.CANCELLED, Kind.NONE), *((Outcome.FAILED, kind) for kind in FAILURES),
)  # fmt: skip

_OUTCOMES = {State.DONE: Outcome.DONE, State.FAILED: Outcome.FAILED, State.CANCELLED: Outcome.CANCELLED}
_OURS = (StorageUnavailable, WorkerCrashed, DeadLetter, RecordDamaged)
_LIMITS = frozenset(cls.code for cls in LimitReached.__subclasses__())


def outcome_of(state: State) -> Outcome:
    """Raises `KeyError` for a state that is no end."""
    return _OUTCOMES[state]


def kind_of(outcome: Outcome, error_code: str | None) -> Kind:
    """The kind of a job's end. A failure with a code that no error has is ours."""
    if outcome is not Outcome.FAILED:
        return Kind.NONE
    if error_code in _LIMITS:
        return Kind.PERMANENT
    error = source_error(error_code or "")
    if error.code != error_code or isinstance(error, _OURS):
        return Kind.OURS
    if isinstance(error, SourceBlocked):
        return Kind.BLOCKED
    if isinstance(error, ExtractorBroken):
        return Kind.BROKEN
    return Kind.TRANSIENT if isinstance(error, Transient) else Kind.PERMANENT
