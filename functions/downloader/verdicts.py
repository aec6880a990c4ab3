"""What becomes of a job whose attempt has failed. Pure, but for the lots that are drawn."""

import random

from botocore.exceptions import ClientError

from reelhaul import steps
from reelhaul.aws import error_code
from reelhaul.errors import (
    LimitReached,
    ServiceUnavailable,
    SourceChanged,
    SourceError,
    StorageUnavailable,
    StoredAmiss,
    Transient,
    WorkerCrashed,
)
from reelhaul.jobs import MAX_ATTEMPTS, Job

_BACKOFF_S = 2.0  # the first wait is up to this, each further one up to twice the one before
_MAX_RETRY_AFTER_S = 600.0  # a source that wants a longer pause is not waited for
# Put in doubt what an earlier worker has handed over. The source's moods do not, nor does a storage that is down.
_BEGUN_ANEW = (SourceChanged, StoredAmiss, WorkerCrashed)
# Of S3: that what was handed over is not there, or not as it was.
_AMISS = frozenset(
    {"EntityTooSmall", "InvalidPart", "InvalidPartOrder", "InvalidRange", "NoSuchKey", "NoSuchUpload",
     "PreconditionFailed"}
)  # fmt: skip


def after(job: Job, error: Exception, *, now: float, tidy: bool) -> tuple[Job, float]:
    """The job queued again, and after how many seconds it should be taken, or failed.

    `tidy`: nothing is left of what the attempt has written.
    """
    if isinstance(error, LimitReached):
        return steps.fail(job, error, now=now, cut_off=not tidy), 0.0
    told = _told(error)
    delay_s = _delay_s(told, job.attempts)
    if isinstance(told, Transient) and job.attempts < MAX_ATTEMPTS and delay_s <= _MAX_RETRY_AFTER_S:
        afresh = isinstance(told, _BEGUN_ANEW)
        return steps.requeue(job, now=now, delay_s=delay_s, cut_off=not tidy, afresh=afresh), delay_s
    return steps.fail(job, told, now=now, cut_off=not tidy), 0.0


def _told(error: Exception) -> SourceError:
    """What the job is told about `error`."""
    if isinstance(error, SourceError):
        return error
    if isinstance(error, ServiceUnavailable):
        return StoredAmiss() if _is_amiss(error.__cause__) else StorageUnavailable()
    return WorkerCrashed()


def _is_amiss(cause: BaseException | None) -> bool:
    return isinstance(cause, ClientError) and error_code(cause) in _AMISS


def _delay_s(error: SourceError, attempts: int) -> float:
    """Exponential backoff with full jitter (AWS Architecture Blog, 2015), or what the source asked for if longer."""
    backoff = random.uniform(0, _BACKOFF_S * 2 ** (attempts - 1))  # noqa: S311 - spreads load, protects nothing
    return max(backoff, error.retry_after_s or 0)
