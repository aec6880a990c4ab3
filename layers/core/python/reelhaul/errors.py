"""The exception tree. Every class has a stable, dotted `code` for programs and a sentence for people.

Whether something is worth another try is in the type: `Transient` is, `Permanent` is not. HTTP statuses are not decided
here, see `reelhaul.contracts.replies`.
"""

from collections.abc import Iterable
from typing import ClassVar


class ReelhaulError(Exception):
    """Base of every error that a client may see. `str(error)` is a sentence fit for the client."""

    code: ClassVar[str] = "internal"
    sentence: ClassVar[str] = "Something went wrong on our side. Please try again."

    def __init__(self, message: str | None = None) -> None:
        super().__init__(message or self.sentence)


# --- what a caller can get wrong -------------------------------------------------------------------------------------


class InvalidRequest(ReelhaulError):
    """The request cannot be understood. `field` names the culprit, None where it is the request as a whole."""

    code = "request.invalid"
    sentence = "The request is not valid."

    def __init__(self, message: str, *, field: str | None = None) -> None:
        super().__init__(message)
        self.field = field


class RequestTooLarge(InvalidRequest):
    code = "request.too_large"


class UnsupportedMediaType(InvalidRequest):
    """The body says of itself that it is something else than JSON."""

    code = "request.media_type"


class KeyReused(ReelhaulError):
    code = "request.key_reused"
    sentence = "This Idempotency-Key was used with another request before."


class RouteNotFound(ReelhaulError):
    code = "route.not_found"
    sentence = "There is nothing at this address."


class MethodNotAllowed(ReelhaulError):
    """The address is known, but not with this method. `allowed` are those that it has."""

    code = "request.method_not_allowed"
    sentence = "This address does not take this method."

    def __init__(self, allowed: Iterable[str]) -> None:
        super().__init__()
        self.allowed = tuple(sorted(allowed))


class Unauthorized(ReelhaulError):
    code = "auth.unauthorized"
    sentence = "A valid access key is required, as x-access-token or as Authorization: Bearer."


class JobNotFound(ReelhaulError):
    """Unknown, deleted, or another tenant's: one error, so that nobody can tell which."""

    code = "job.not_found"
    sentence = "There is no download with this id."


class FileNotFound(ReelhaulError):
    code = "file.not_found"
    sentence = "This download has no file to hand out."


class FileExpired(ReelhaulError):
    """Never raised: how a job is described whose file is past its retention."""

    code = "file.expired"
    sentence = "The file has been removed at the end of its retention. A retry fetches it again."


class Conflict(ReelhaulError):
    """The job is not in a state from which this is allowed."""

    code = "job.conflict"
    sentence = "The download is not in a state that allows this."


class KeyNotFound(ReelhaulError):
    code = "key.not_found"
    sentence = "There is no access key with this id."


class SiteNotFound(ReelhaulError):
    code = "site.not_found"
    sentence = "Nothing is set for this site."


class LimitReached(ReelhaulError):
    """The tenant has used up what the key allows: `limit`. What it is may have changed after `retry_after_s`."""

    code = "limit.reached"
    sentence = "The limit of {} is reached."

    def __init__(self, limit: int, *, retry_after_s: int) -> None:
        super().__init__(self.sentence.format(limit))
        self.retry_after_s = retry_after_s


class ConcurrentJobsReached(LimitReached):
    code = "limit.concurrent_jobs"
    sentence = "The limit of {} downloads at a time is reached."


class JobsPerDayReached(LimitReached):
    code = "limit.jobs_per_day"
    sentence = "The limit of {} downloads a day is reached; the next day begins at midnight UTC."


class BytesPerDayReached(LimitReached):
    code = "limit.bytes_per_day"
    sentence = "The limit of {} bytes a day is reached; the next day begins at midnight UTC."


# --- what can happen on our side -------------------------------------------------------------------------------------


class ServiceUnavailable(ReelhaulError):
    """AWS did not do what it was asked, after the SDK's own retries."""

    code = "service.unavailable"
    sentence = "The service cannot do this at the moment. Please try again."


class RecordUnreadable(ServiceUnavailable):
    """The record of a job is damaged, which the sweeper mends, or with `is_newer` a later version's, which is not ours.

    The later version is about to be deployed everywhere: either is over soon.
    """

    def __init__(self, tenant: str, job_id: str, *, is_newer: bool) -> None:
        super().__init__()
        self.tenant = tenant
        self.job_id = job_id
        self.is_newer = is_newer


class LeaseLost(ReelhaulError):
    """The job has moved on without this worker (cancelled, deleted, taken over): stop, and remove what was written."""

    code = "job.lease_lost"
    sentence = "The download has been taken over or stopped."


class MalformedMessage(ReelhaulError):
    code = "queue.malformed_message"
    sentence = "The message is not one of ours."


class NewerMessage(MalformedMessage):
    """A message of a version that is being deployed."""


# --- what can become of a source: these end up in the job ------------------------------------------------------------


class SourceError(ReelhaulError):
    """A download did not succeed. `retry_after_s` is what the source asked for, where it did."""

    code = "source.failed"
    sentence = "The media could not be downloaded."

    def __init__(self, message: str | None = None, *, retry_after_s: float | None = None) -> None:
        super().__init__(message)
        self.retry_after_s = retry_after_s


class Permanent(SourceError):
    """Another try would end the same way."""


class Transient(SourceError):
    """Worth another try, later."""


class SourceUnsupported(Permanent):
    code = "source.unsupported"
    sentence = "No media was found at this address, or the site is not supported."


class SourceIsPlaylist(Permanent):
    """One medium was asked for, by its user or as the item of a playlist."""

    code = "source.is_playlist"
    sentence = "This address leads to a playlist, and a single download was asked for."


class SourceNotFound(Permanent):
    code = "source.not_found"
    sentence = "The source says that this media does not exist (any more)."


class SourceForbidden(Permanent):
    code = "source.forbidden"
    sentence = "The source does not allow access to this media."


class SourceLoginRequired(Permanent):
    code = "source.login_required"
    sentence = "The source shows this media only to users who are logged in."


class SourceGeoBlocked(Permanent):
    code = "source.geo_blocked"
    sentence = "The source does not offer this media in the country this service runs in."


class SourceDrm(Permanent):
    code = "source.drm"
    sentence = "This media is protected by DRM, which this service does not touch."


class SourceLive(Permanent):
    code = "source.live"
    sentence = "This is a live stream. With a clip that has an end, so many seconds of it can be recorded."


class SourceRefused(Permanent):
    code = "source.refused_address"
    sentence = "This service does not connect to the address that the source is at or leads to."


class SiteNotAllowed(Permanent):
    """The operator allows other sites only, or not this one. `field` names it where a request is at fault."""

    code = "source.site_not_allowed"
    sentence = "The operator of this service does not allow downloads from this site."

    def __init__(
        self, message: str | None = None, *, retry_after_s: float | None = None, field: str | None = None
    ) -> None:
        super().__init__(message, retry_after_s=retry_after_s)
        self.field = field


class SourceTooLong(Permanent):
    code = "source.too_long"
    sentence = "The media plays longer than this service allows."


class SourceNotMedia(Permanent):
    code = "source.not_media"
    sentence = "What the source sent is neither video nor audio."


class SourceMalformed(Permanent):
    code = "source.malformed"
    sentence = "What the source answered is not valid HTTP."


class SourceNoAudio(Permanent):
    code = "source.no_audio"
    sentence = "This media has no sound, and only its sound was asked for."


class SourceClipOutOfRange(Permanent):
    code = "source.clip_out_of_range"
    sentence = "The clip starts after the end of the media."


class SourceTooLarge(Permanent):
    code = "source.too_large"
    sentence = "The media is larger than this service allows."


class SourceTooSlow(Permanent):
    code = "source.too_slow"
    sentence = "The media could not be fetched in the time that this service allows for one download."


class SourceBlocked(Permanent):
    code = "source.blocked"
    sentence = "The site takes this service for a robot. It needs cookies or a proxy for this site."


class ExtractorBroken(Permanent):
    """`extractor` is what yt-dlp calls the one that could not cope, where that is known."""

    code = "source.extractor_broken"
    sentence = "The site has changed and cannot be read at the moment. An update of the extractor is needed."
    extractor: str | None = None


class SourceUnreachable(Transient):
    code = "source.unreachable"
    sentence = "The source could not be reached: its name is unknown, or it does not accept the connection."


class SourceInterrupted(Transient):
    code = "source.interrupted"
    sentence = "The source broke off before the media was complete."


class SourceChanged(Transient):
    """What a worker would go on with is not what the one before it has begun. The next attempt begins anew."""

    code = "source.changed"
    sentence = "The source changed the media while it was being downloaded."


class SourceUnavailable(Transient):
    code = "source.unavailable"
    sentence = "The source has a problem of its own at the moment."


class SourceRateLimited(Transient):
    code = "source.rate_limited"
    sentence = "The source asks this service to slow down."


class SourceTimedOut(Transient):
    code = "source.timed_out"
    sentence = "The source did not answer in time."


class StorageUnavailable(Transient):
    """Not the source's fault, but the job's fate all the same."""

    code = "storage.unavailable"
    sentence = "The media could not be stored. Please try again."


class StoredAmiss(StorageUnavailable):
    """What the storage has is not what it was given: nothing can be gone on with that rests on it."""


class SiteUnreadable(Transient):
    """Neither the source's fault. Without what is set for it a site is not asked: the proxy may be relied on."""

    code = "site.unreadable"
    sentence = "What is set for this site, cookies or a proxy, could not be read."


class SiteProxyFailed(Transient):
    code = "site.proxy_failed"
    sentence = "The proxy that is set for this site could not be reached, or could not reach the source."


class SiteProxyRefused(Permanent):
    code = "site.proxy_refused"
    sentence = "The proxy that is set for this site refused its credentials, or to lead to the source."


class WorkerCrashed(Transient):
    """The fetcher or its worker died without a word, as it does when memory runs out."""

    code = "job.crashed"
    sentence = "The download ended unexpectedly, several times."


class RecordDamaged(Permanent):
    code = "job.damaged"
    sentence = "The record of this download was damaged. A retry fetches it again."


class DeadLetter(Permanent):
    code = "job.dead_letter"
    sentence = "The download could not be handled and was given up."


def _descendants(cls: type[SourceError]) -> list[type[SourceError]]:
    return [cls, *(deeper for child in cls.__subclasses__() for deeper in _descendants(child))]


_BY_CODE = {cls.code: cls for cls in reversed(_descendants(SourceError))}


def source_error(code: str, *, retry_after_s: float | None = None) -> SourceError:
    """The error with this code, as it comes from the fetcher or the table; an unknown code is a plain `SourceError`."""
    return _BY_CODE.get(code, SourceError)(retry_after_s=retry_after_s)
