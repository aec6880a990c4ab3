"""Every call of the service as data: what is sent, and how the reply is read. Nothing here talks to anybody. Pure."""

import dataclasses
import email.utils
import ipaddress
import json
import re
import uuid
from collections.abc import Callable, Mapping
from typing import Any, Generic, TypedDict, TypeVar
from urllib.parse import quote, urlencode, urlsplit

from reelhaul.client.errors import BadAddress, BadKey, LimitReached, NotReelhaul, Unavailable, refused_as
from reelhaul.client.jobs import Job, Page, ServiceInfo, Status

T = TypeVar("T")

TITLE = "Reelhaul"
KEY_HEADER = "x-access-token"
TIMEOUT_S = 35.0  # a reply may be held back for 20 s, and API Gateway gives up at 30
_HELD_S = TIMEOUT_S
POLL_S = 1.0  # between two held replies, should the service not hold them
MAX_REPLY_BYTES = 16 * 1024**2  # Lambda's are 6 MB at most; whatever is longer is not from this service
_WAITS_S = (0.5, 2.0)  # before a call that changes nothing twice is made again
PATIENT_WAITS_S = (0.5, 1.0, 2.0, 4.0, 8.0, 15.0, 15.0)  # while a job is waited for: a laptop may change its network
_MAX_RETRY_AFTER_S = 15.0
_OTHER = "The server answers with JSON, but not as Reelhaul does. Is it another one?"
_KEY = re.compile(r"[!-~]{1,255}", re.ASCII)


class Clip(TypedDict, total=False):
    """A part of the medium, in seconds."""

    start: float
    end: float


class Options(TypedDict, total=False):
    """How a download is wanted; the README tells what each may be. What is left out is up to the service."""

    name: str
    quality: str
    download_type: str
    audio_format: str
    container: str
    subtitles: list[str]
    clip: Clip
    playlist: str
    playlist_limit: int
    callback_url: str
    retention_days: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An HTTP reply; the names of `headers` are in lower case, `received_at` and `took_s` by this machine's clock."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    received_at: float = 0.0
    took_s: float = 0.0

    def json(self) -> Any:
        """What the body says. Raises `Refused` for an error, and `NotReelhaul` for what this service does not say."""
        said = self._said()
        if self.status >= 400:
            self._refuse(said)
        if not 200 <= self.status < 300 or not isinstance(said, dict | list):
            raise NotReelhaul(f"The server answers {self.status}, which is not how Reelhaul does. Is it another one?")
        return said

    def _said(self) -> Any:
        try:
            return json.loads(self.body)
        except (ValueError, RecursionError):  # the latter for a million brackets
            return None

    def _refuse(self, said: Any) -> None:
        given = said if isinstance(said, dict) else {}
        code, message = given.get("code"), given.get("message")
        cls = refused_as(self.status)
        if not isinstance(code, str) or not isinstance(message, str):
            # What stands before the service, as API Gateway, says such things in words of its own. Its 429 is about
            # requests a second, of everybody's, and passes; a limit of the key has a code.
            cls = Unavailable if issubclass(cls, LimitReached) else cls
            if not issubclass(cls, Unavailable):
                raise NotReelhaul(
                    f"The server answers {self.status}, which is not how Reelhaul does. Is it another one?"
                )
            code, message = "service.unavailable", f"The service cannot answer at the moment ({self.status})."
        field = given.get("field")
        raise cls(message, code=code, status=self.status, field=field, retry_after_s=self._retry_after())

    def _retry_after(self) -> float | None:
        text = self.headers.get("retry-after", "")
        return float(text) if re.fullmatch(r"[0-9]{1,6}", text, re.ASCII) else None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Call(Generic[T]):
    """One request, and how its reply becomes a value. `waits_s`: it may be made again so often, after such pauses."""

    method: str
    path: str
    read: Callable[[Reply], T]
    body: Any = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)
    waits_s: tuple[float, ...] = _WAITS_S
    held_s: float = 0.0  # for so long the service may have nothing to say


def pause_s(error: Exception, planned_s: float) -> float:
    """How long to wait after `error`: what the service asks for, within reason, or else what was planned."""
    asked_s = getattr(error, "retry_after_s", None)
    return planned_s if asked_s is None else min(float(asked_s), _MAX_RETRY_AFTER_S)


def add_bounded(body: bytearray, part: bytes) -> None:
    """Raises `NotReelhaul` once `body` is longer than any reply of the service."""
    body += part
    if len(body) > MAX_REPLY_BYTES:
        raise NotReelhaul("The server's answer is longer than any of Reelhaul. Is it another one?")


# --- whom to call -----------------------------------------------------------------------------------------------------


def checked_address(url: str) -> str:
    """`url` without a slash at its end. Raises `BadAddress` unless it is one that a key may be sent to."""
    try:
        parts = urlsplit(url.strip())
        host, _ = parts.hostname, parts.port
        url.encode()  # what a shell took from other than UTF-8 has no encoding
    except ValueError as error:
        raise BadAddress(f"{url!r} is no address of a service: {error}.") from error
    if parts.scheme not in {"http", "https"} or not host:
        raise BadAddress(f"{url!r} is no address of a service. It looks like https://abc.execute-api.eu-central-1...")
    if parts.query or parts.fragment or parts.username is not None:
        raise BadAddress(
            f"The address of a service has no ?, # or @; leave out what is not {parts.scheme}://{host}/..."
        )
    if parts.scheme == "http" and not is_this_machine(host):
        raise BadAddress(f"Over http:// everybody on the way could read your key. Use https://{host}.")
    return url.strip().rstrip("/")


def is_this_machine(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


def checked_key(key: str) -> str:
    """`key` without what was copied along around it. Raises `BadKey`."""
    key = key.strip()
    if not _KEY.fullmatch(key):
        raise BadKey("This is no access key: it is empty, or has characters in it that no key has. It begins with sk-.")
    return key


# --- the calls --------------------------------------------------------------------------------------------------------


def submit(url: str, options: Options, *, idempotency_key: str | None) -> Call[Job]:
    """Safe to repeat: without a key of the caller's it has one of its own."""
    headers = {"Idempotency-Key": idempotency_key or str(uuid.uuid4())}
    return Call(
        method="POST",
        path="/download",
        body={"stream_link": url, **options},
        headers=headers,
        read=lambda reply: Job.of({"url": url} | _field(reply.json(), "data")),
    )


def job(job_id: str, *, patient: bool = False) -> Call[Job]:
    path = f"/download/{quote(job_id, safe='')}"
    waits_s = PATIENT_WAITS_S if patient else _WAITS_S
    return Call(method="GET", path=path, read=lambda reply: Job.of(_field(reply.json(), "data")), waits_s=waits_s)


def held(job_id: str) -> Call[bool]:
    """Whether the job has ended. The reply is held back until it has, or for about 20 s."""
    path = f"/async-response/{quote(job_id, safe='')}"
    return Call(method="GET", path=path, read=_has_ended, waits_s=PATIENT_WAITS_S, held_s=_HELD_S)


def page(*, count: int, status: Status | str | None, next_token: str | None) -> Call[Page]:
    asked = {"count": count, "status": status and str(status), "next_token": next_token}
    query = urlencode({name: value for name, value in asked.items() if value is not None})
    return Call(method="GET", path=f"/download?{query}", read=_page)


def retry(job_id: str) -> Call[Job]:
    """Not repeated by itself: the second time it would be a conflict."""
    path = f"/download/{quote(job_id, safe='')}"
    return Call(method="POST", path=path, read=lambda reply: Job.of(_field(reply.json(), "data")), waits_s=())


def cancel(job_id: str) -> Call[None]:
    return Call(method="DELETE", path=f"/api/downloads/{quote(job_id, safe='')}", read=_nothing)


def remove(job_id: str) -> Call[None]:
    return Call(method="DELETE", path=f"/download/{quote(job_id, safe='')}", read=_nothing, waits_s=())


def inspect(url: str) -> Call[Mapping[str, Any]]:
    return Call(method="POST", path="/api/info", body={"url": url}, read=_object)


def service_info() -> Call[ServiceInfo]:
    """For everybody, with a key or without."""
    return Call(method="GET", path="/openapi.json", read=_service_info)


# --- how replies are read ---------------------------------------------------------------------------------------------


def _object(reply: Reply) -> Mapping[str, Any]:
    said = reply.json()
    if not isinstance(said, dict):
        raise NotReelhaul(_OTHER)
    return said


def _field(said: Any, name: str) -> Any:
    if not isinstance(said, dict) or not isinstance(said.get(name), dict):
        raise NotReelhaul(_OTHER)
    return said[name]


def _nothing(reply: Reply) -> None:
    _object(reply)


def _has_ended(reply: Reply) -> bool:
    status = _object(reply).get("status")
    if status not in {"processing", "done", "failed"}:
        raise NotReelhaul(_OTHER)
    return bool(status != "processing")


def _page(reply: Reply) -> Page:
    data = _field(reply.json(), "data")
    rows, total, token = data.get("downloads"), data.get("total"), data.get("next_token")
    if not isinstance(rows, list) or not isinstance(total, int) or not isinstance(token, str | None):
        raise NotReelhaul(_OTHER)
    return Page(jobs=tuple(Job.of(row) for row in rows), total=total, next_token=token)


def _service_info(reply: Reply) -> ServiceInfo:
    info = _field(reply.json(), "info")
    if info.get("title") != TITLE:
        raise NotReelhaul(f"The server is {str(info.get('title'))[:60]!r} and not Reelhaul.")
    return ServiceInfo(version=str(info.get("version", "?")), clock_off_s=_clock_off_s(reply))


def _clock_off_s(reply: Reply) -> float | None:
    """A `Date` has whole seconds, and was written somewhere between the request and the reply."""
    try:
        theirs = email.utils.parsedate_to_datetime(reply.headers["date"]).timestamp()
    except (KeyError, ValueError, OverflowError):
        return None
    return reply.received_at - reply.took_s / 2 - (theirs + 0.5)
