"""The first contract, `/download`: how it shows a job, and what its listing accepts. Pure."""

import dataclasses
import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from reelhaul.contracts.replies import Body, error_body, timestamp
from reelhaul.errors import FileExpired, InvalidRequest, ReelhaulError
from reelhaul.items import STATUSES
from reelhaul.jobs import Job, State

if TYPE_CHECKING:  # it knows boto3, which views have no use for
    from reelhaul.links import Link

MAX_COUNT, DEFAULT_COUNT = 5000, 50
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_ENDED_BADLY = {State.FAILED, State.CANCELLED, State.EXPIRED}
_BULKY = ("url", "title", "thumbnail", "speed", "eta", "expires_at", "completed_at")  # what a very long listing omits


# --- one job ---------------------------------------------------------------------------------------------------------


def accepted(job: Job, output_url: str) -> Body:
    """The reply to a job's creation and to its retry."""
    data = {
        "id": job.id, "download_id": job.id, "name": job.title, "status": "processing", "output_url": output_url,
    }  # fmt: skip
    return {"success": True, "status": "processing", "download_id": job.id, "data": data}


def shown(job: Job, link: "Link | None") -> Body:
    """No `status` at the top: the SDKs would take that for the reply to an asynchronous request."""
    return {"success": True, "data": view(job, link)}


def deleted() -> Body:
    return {"success": True, "message": "Operation successful"}


def view(job: Job, link: "Link | None") -> Body:
    """JOB of the contract. `job` as seen now; `link` for one that is done, else `None`."""
    progress, media, running = job.progress, job.media, job.state is State.RUNNING
    return {
        "id": job.id,
        "name": job.filename,
        "status": STATUSES[job.state],
        "created_at": timestamp(job.created_at),
        **({} if link is None else {"download_url": link.url, "expires_at": timestamp(link.expires_at)}),
        **_error(job),
        "url": job.url,
        "progress": 100 if job.state is State.DONE else progress.percentage,
        "downloaded_bytes": progress.downloaded_bytes,
        "filesize": job.stored.size if job.stored else progress.total_bytes,
        "speed": progress.speed if running else None,
        "eta": progress.eta_s if running else None,
        "title": media.title if media else None,
        "thumbnail": media.thumbnail if media else None,
        "duration": media.duration_s if media else None,
        "completed_at": timestamp(job.completed_at),
        "attempts": job.attempts,
    }


def _error(job: Job) -> Body:
    code, sentence = why_ended(job)
    return {"error": sentence, "error_code": code} if job.state in _ENDED_BADLY else {}


def why_ended(job: Job) -> tuple[str, str]:
    """Code and sentence for a job that ended without a file to hand out."""
    if job.state is State.EXPIRED:
        return FileExpired.code, FileExpired.sentence
    return job.error_code or ReelhaulError.code, job.error or ReelhaulError.sentence


# --- /async-response: top-level `status` is processing, done or failed, whatever happens ------------------------------


def async_response(job: Job, link: "Link | None", output_url: str) -> Body:
    if job.state is State.DONE:
        return {"success": True, "status": "done", "data": view(job, link)}
    if job.state in _ENDED_BADLY:
        code, sentence = why_ended(job)
        return {"success": False, "status": "failed", "message": sentence, "detail": sentence, "code": code}
    data = {"id": job.id, "output_url": output_url, "percentage": int(job.progress.percentage)}
    return {"success": True, "status": "processing", "data": data}


def async_error(error: ReelhaulError, http_status: int) -> Body:
    """The client looks at `status` alone. A trouble of ours (5xx) may pass, so there it is told to ask again."""
    return error_body(error) | {"status": "processing" if http_status >= 500 else "failed"}


# --- many ------------------------------------------------------------------------------------------------------------


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """Which part of the list is asked for: the page `page_index`, or what follows `next_token`."""

    count: int = DEFAULT_COUNT
    page_index: int = 0
    status: str | None = None
    next_token: str | None = None


def parse_listing(query: Mapping[str, str]) -> Listing:
    """`GET /download?...`. Raises `InvalidRequest` naming the parameter."""
    status, token = query.get("status"), query.get("next_token")
    if status is not None and status not in STATUSES.values():
        raise InvalidRequest("status must be one of processing, done, error.", field="status")
    if token is not None and "page_index" in query:
        raise InvalidRequest("next_token and page_index exclude each other.", field="next_token")
    return Listing(
        count=number(query, "count", DEFAULT_COUNT, low=1, high=MAX_COUNT),
        page_index=number(query, "page_index", 0, low=0, high=10**9 - 1),
        status=status,
        next_token=token,
    )


def number(query: Mapping[str, str], field: str, default: int, *, low: int, high: int) -> int:
    """A whole number from the query string. Raises `InvalidRequest` naming `field`."""
    text = query.get(field)
    if text is None:
        return default
    if not _NUMBER.fullmatch(text) or not low <= int(text) <= high:
        raise InvalidRequest(f"{field} must be a whole number from {low} to {high}.", field=field)
    return int(text)


def listing(rows: list[Body], *, total: int, next_token: str | None) -> Body:
    return {"success": True, "data": {"downloads": rows, "total": total, "next_token": next_token}}


def lean(row: Body) -> Body:
    """A row with what the contract guarantees and little more, for a list that would be too long for one reply."""
    return {name: value for name, value in row.items() if name not in _BULKY and value is not None}


# --- delete ----------------------------------------------------------------------------------------------------------


def parse_deletion(path_id: str | None, query: Mapping[str, str], body: Mapping[str, Any]) -> str:
    """The id in the path, in `?download_id=` or in the JSON body. Raises `InvalidRequest` unless it is exactly one."""
    unknown = sorted(body.keys() - {"download_id"})
    if unknown:
        raise InvalidRequest("The body may hold download_id only.", field="download_id")
    ids = [given for given in (path_id, query.get("download_id"), body.get("download_id")) if given is not None]
    if not ids or not isinstance(ids[-1], str):
        raise InvalidRequest("download_id is required, as a string.", field="download_id")
    if len(set(ids)) > 1:
        raise InvalidRequest("The request names different downloads.", field="download_id")
    return ids[0]
