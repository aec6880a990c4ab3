"""The first contract, `/download`: how it shows a job, and what its listing accepts. Pure."""

import dataclasses
import re
from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from reelhaul.contracts.replies import Body, echo, error_body, timestamp
from reelhaul.errors import FileExpired, InvalidRequest, ReelhaulError
from reelhaul.items import STATUSES
from reelhaul.jobs import Job, State, StoredExtra
from reelhaul.options import Options

if TYPE_CHECKING:  # it knows boto3, which views have no use for
    from reelhaul.links import Link

    Sign = Callable[[str], Link]  # an object's key -> a fresh link to it

MAX_COUNT, DEFAULT_COUNT = 5000, 50
MAX_WAIT_S = 20  # as long as a status request is held back
_NUMBER = re.compile(r"[0-9]{1,9}", re.ASCII)
_ENDED_BADLY = {State.FAILED, State.CANCELLED, State.EXPIRED}
_USUAL = Options()


# --- one job ---------------------------------------------------------------------------------------------------------


def accepted(job: Job, output_url: str) -> Body:
    """The reply to a job's creation and to its retry."""
    data = {
        "id": job.id, "download_id": job.id, "name": job.title, "status": "processing", "output_url": output_url,
    }  # fmt: skip
    return {"success": True, "status": "processing", "download_id": job.id, "data": data}


def shown(row: Body) -> Body:
    """No `status` at the top: the SDKs would take that for the reply to an asynchronous request."""
    return {"success": True, "data": row}


def deleted() -> Body:
    return {"success": True, "message": "Operation successful"}


def detailed(job: Job, sign: "Sign", items: Iterable[Job]) -> Body:
    """JOB of the contract with all that there is to it. `job` as seen now, `items` are those of a playlist.

    `sign` makes the links, and is called for a job that is done only.
    """
    row = view(job, sign(job.stored.key) if job.state is State.DONE and job.stored else None)
    image = stored_thumbnail(job)
    if image is not None:
        row |= {"thumbnail_url": sign(image.key).url}
    if job.options.subtitles:
        row |= _subtitles(job, sign)
    if job.playlist is not None:
        row |= _items(job, sorted((item for item in items if _is_current(item, job)), key=_index))
    return row


def view(job: Job, link: "Link | None") -> Body:
    """JOB of the contract, as lists have it. `job` as seen now; `link` for one that is done, else `None`.

    What a client may count on is always there. What is only for some jobs is left out for all others.
    """
    progress, media, running = job.progress, job.media, job.state is State.RUNNING
    return {
        "id": job.id,
        "name": job.filename,
        "status": STATUSES[job.state],
        "created_at": timestamp(job.created_at),
        **({} if link is None else {"download_url": link.url, "expires_at": timestamp(link.expires_at)}),
        **_error(job),
        "url": job.url,
        "progress": percentage(job),
        "downloaded_bytes": progress.downloaded_bytes,
        "filesize": job.stored.size if job.stored else progress.total_bytes,
        "speed": progress.speed if running else None,
        "eta": progress.eta_s if running else None,
        "title": _own_title(job),
        "thumbnail": media.thumbnail if media else None,
        "duration": media.duration_s if media else None,
        "completed_at": timestamp(job.completed_at),
        "attempts": job.attempts,
        "retention_days": job.retention_days,
        **_asked(job.options),
        **_file(job),
        **_place_in_playlist(job),
        **_webhook(job),
    }


def _own_title(job: Job) -> str | None:
    return job.media.title if job.media else job.playlist.title if job.playlist else None


def percentage(job: Job) -> float:
    """0-100, and 100 only for what is done. Of a playlist: how many of its items have ended."""
    if job.state is State.DONE:
        return 100
    if job.playlist is not None and job.playlist.total:
        return round(min(99.0, 100 * job.playlist.ended / job.playlist.total), 1)
    return job.progress.percentage


def stored_thumbnail(job: Job) -> StoredExtra | None:
    """The image of a job that is done, if there is one. `job` as seen now."""
    return next((extra for extra in job.extras if extra.kind == "thumbnail" and job.state is State.DONE), None)


def _error(job: Job) -> Body:
    code, sentence = why_ended(job)
    return {"error": sentence, "error_code": code} if job.state in _ENDED_BADLY else {}


def why_ended(job: Job) -> tuple[str, str]:
    """Code and sentence for a job that ended without a file to hand out."""
    if job.state is State.EXPIRED:
        return FileExpired.code, FileExpired.sentence
    return job.error_code or ReelhaulError.code, job.error or ReelhaulError.sentence


def _asked(options: Options) -> Body:
    """What was asked for, in the words of the request; what does not differ from its default goes without saying."""
    clip = options.clip
    said = {
        "audio_format": options.audio_format,
        "container": options.container,
        "clip": clip and {"start": clip.start_s, **({} if clip.end_s is None else {"end": clip.end_s})},
        "playlist": options.playlist,
        "playlist_limit": options.playlist_limit,
    }
    special = {name: value for name, value in said.items() if value != getattr(_USUAL, name)}
    return {"quality": options.quality, "download_type": options.download_type, **special}


def _file(job: Job) -> Body:
    if job.state is not State.DONE or job.stored is None:
        return {}
    return {
        "file_expires_at": timestamp(job.file_expires_at),
        "checksum_sha256": job.stored.checksum_sha256,
        **({"content_type": job.media.content_type} if job.media else {}),
    }


def _place_in_playlist(job: Job) -> Body:
    if job.item is not None:
        return {
            "is_playlist": True, "playlist_id": job.item.parent_id,
            "playlist_index": job.item.index, "playlist_total": job.item.total,
        }  # fmt: skip
    playlist = job.playlist
    if playlist is None:
        return {}
    return {
        "is_playlist": True, "playlist_index": 0, "playlist_total": playlist.total, "truncated": playlist.truncated,
        **({"truncated_by": playlist.truncated_by} if playlist.truncated_by else {}),
        "items_total": playlist.total, "items_done": playlist.done, "items_failed": playlist.failed,
        "items_cancelled": playlist.cancelled,
    }  # fmt: skip


def _webhook(job: Job) -> Body:
    """Whom the end is announced to, and once there is one, how far that has come."""
    if job.callback_url is None:
        return {}
    delivery = job.webhook
    if delivery is None:
        return {"callback_url": job.callback_url}
    told = {
        "event_id": delivery.event_id,
        "state": delivery.state.value,
        "attempts": delivery.attempts,
        "response_status": delivery.response_status,
        "error": delivery.error,
        "last_attempt_at": timestamp(delivery.last_attempt_at),
        "next_attempt_at": timestamp(delivery.next_attempt_at),
    }
    return {"callback_url": job.callback_url, "webhook": told}


def _subtitles(job: Job, sign: "Sign") -> Body:
    """The files that came, each with its link, and once the job is done the languages that did not come."""
    if job.state is not State.DONE:
        return {"subtitles": []}
    found = [extra for extra in job.extras if extra.kind == "subtitles"]
    missing = set(job.options.subtitles) - {extra.language for extra in found}
    files: list[Body] = []
    for extra in found:
        link = sign(extra.key)
        files.append({
            "language": extra.language, "format": extra.key.rpartition(".")[2], "content_type": extra.content_type,
            "filesize": extra.size, "url": link.url, "expires_at": timestamp(link.expires_at),
        })  # fmt: skip
    told = [language for language in job.options.subtitles if language in missing]
    return {"subtitles": files, **({"subtitles_missing": told} if told else {})}


def _items(job: Job, items: list[Job]) -> Body:
    rows = [_item(item) for item in items]
    if job.state is not State.DONE:
        return {"items": rows}
    failed = {item.id for item in items if item.state is State.FAILED}
    return {"items": rows, "failed_items": [row for row in rows if row["id"] in failed]}


def _is_current(item: Job, playlist: Job) -> bool:
    """Not one of an expansion before the playlist was retried."""
    return item.item is not None and item.item.generation == playlist.generation


def _index(job: Job) -> int:
    return job.item.index if job.item else 0


def _item(job: Job) -> Body:
    return {
        "id": job.id,
        "playlist_index": _index(job),
        "name": job.filename,
        "status": STATUSES[job.state],
        "progress": percentage(job),
        **_error(job),
    }


# --- /async-response: top-level `status` is processing, done or failed, whatever happens ------------------------------


def async_response(job: Job, row: Body, output_url: str) -> Body:
    """`row` is what the job looks like in full, for one that is done."""
    if job.state is State.DONE:
        return {"success": True, "status": "done", "data": row}
    if job.state in _ENDED_BADLY:
        code, sentence = why_ended(job)
        return {"success": False, "status": "failed", "message": sentence, "detail": sentence, "code": code}
    data = {"id": job.id, "output_url": output_url, "percentage": int(percentage(job))}
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


def parse_wait(query: Mapping[str, str]) -> int:
    """`GET /updates?wait=20`: how many seconds it may take. Raises `InvalidRequest`."""
    return number(query, "wait", MAX_WAIT_S, low=0, high=MAX_WAIT_S)


def updates(rows: list[Body], *, total: int) -> Body:
    return {"success": True, "data": {"downloads": rows, "total": total}}


# --- delete ----------------------------------------------------------------------------------------------------------


def parse_deletion(path_id: str | None, query: Mapping[str, str], body: Mapping[str, Any]) -> str:
    """The id in the path, in `?download_id=` or in the JSON body. Raises `InvalidRequest` unless it is exactly one."""
    unknown = [echo(field) for field in body if field != "download_id"]
    if unknown:
        raise InvalidRequest(f"Unknown field: {', '.join(unknown)}.", field=unknown[0])
    ids = [given for given in (path_id, query.get("download_id"), body.get("download_id")) if given is not None]
    if not ids or not isinstance(ids[-1], str):
        raise InvalidRequest("download_id is required, as a string.", field="download_id")
    if len(set(ids)) > 1:
        raise InvalidRequest("download_id is given more than once, with different values.", field="download_id")
    return ids[0]
