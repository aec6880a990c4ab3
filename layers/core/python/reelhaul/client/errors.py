"""What can go wrong between a client and its service. Each has a stable `code`, as the service's own errors have."""

from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from reelhaul.client.jobs import Job


class ClientError(Exception):
    """Base of all. `str(error)` is a sentence for people, `code` is for programs."""

    code: str = "client.failed"


class Unreachable(ClientError):
    """Nobody answers at the address, or the connection broke several times."""

    code = "client.unreachable"


class NotReelhaul(ClientError):
    """Somebody answers, but not as this service does."""

    code = "client.not_reelhaul"


class BadAddress(ClientError):
    """What is to be the service's address is none, or a key must not be sent there."""

    code = "client.bad_address"


class BadKey(ClientError):
    """No header can carry such a key, so no service has ever given it out."""

    code = "client.bad_key"


class BadProxy(ClientError):
    """The environment names a proxy that cannot be used."""

    code = "client.bad_proxy"


class StillRunning(ClientError):
    """The job has not ended in the time that there was. It goes on."""

    code = "client.still_running"


class FileDamaged(ClientError):
    """What came is not what the job says, twice."""

    code = "client.file_damaged"


class Broken(ClientError):
    """A file did not come to its end, or its link is refused, several times. What has come is kept for the next try."""

    code = "client.broken"


class DownloadFailed(ClientError):
    """The job has ended without a file. `code` is the job's `error_code`."""

    def __init__(self, job: "Job") -> None:
        super().__init__(job.error or "The download has no file to hand out.")
        self.job = job
        self.code = job.error_code or "file.not_found"


# --- what the service has refused -------------------------------------------------------------------------------------


class Refused(ClientError):
    """The service's own error. `field` is the one of the request that is at fault, where it is one."""

    statuses: ClassVar[tuple[int, ...]] = ()

    def __init__(
        self, message: str, *, code: str, status: int, field: str | None = None, retry_after_s: float | None = None
    ) -> None:
        super().__init__(message)
        self.code = code
        self.status = status
        self.field = field
        self.retry_after_s = retry_after_s


class KeyRefused(Refused):
    """The key is none of this service, or it was revoked or has expired."""

    statuses = (401,)


class NotFound(Refused):
    """There is no such job, for this key at least, or it has no file."""

    statuses = (404,)


class Conflict(Refused):
    """The job is in no state for that."""

    statuses = (409,)


class LimitReached(Refused):
    """The key allows no more now. `retry_after_s` says when to ask again, if known."""

    statuses = (429,)


class Unavailable(Refused):
    """The service has a trouble of its own, which may pass, or too many requests from everybody (429)."""

    statuses = (500, 502, 503, 504)


_BY_STATUS = {status: cls for cls in Refused.__subclasses__() for status in cls.statuses}


def refused_as(status: int) -> type[Refused]:
    """The class for an HTTP status."""
    return _BY_STATUS.get(status, Refused)
