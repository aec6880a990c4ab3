"""The second contract, `/api`: how it shows a job. Pure."""

from collections.abc import Mapping

from reelhaul.contracts.downloads import number, percentage, stored_thumbnail, why_ended
from reelhaul.contracts.replies import Body, timestamp
from reelhaul.jobs import Job, Phase, State
from reelhaul.names import safe_name

MAX_ROWS = 1000
_STATUSES = {
    State.QUEUED: "pending",
    State.EXPANDED: "downloading",
    State.DONE: "completed",
    State.FAILED: "error",
    State.CANCELLED: "cancelled",
    State.EXPIRED: "error",
}


def accepted(job: Job) -> Body:
    return {"download_id": job.id, "id": job.id, "status": status(job)}


def cancelled(job: Job) -> Body:
    """`job` as it is after the request: one that had ended before stays as it was."""
    said = "Download cancelled" if job.state is State.CANCELLED else "Download had already ended"
    return {"message": said}


def removed() -> Body:
    return {"message": "Download removed"}


def parse_limit(query: Mapping[str, str]) -> int:
    """`GET /api/downloads?limit=`. Raises `InvalidRequest`."""
    return number(query, "limit", MAX_ROWS, low=1, high=MAX_ROWS)


def status(job: Job) -> str:
    if job.state is State.RUNNING:
        return "downloading" if job.progress.phase is Phase.FETCHING else "processing"
    return _STATUSES[job.state]


def row(job: Job) -> Body:
    """One object of the list, `job` as seen now."""
    progress, media = job.progress, job.media
    running, done = job.state is State.RUNNING, job.state is State.DONE
    return {
        "id": job.id,
        "url": job.url,
        "title": job.title,
        "thumbnail": _thumbnail(job),
        "status": status(job),
        "progress": percentage(job),
        "speed": _speed(progress.speed) if running and progress.speed else "",
        "eta": f"{round(progress.eta_s)}s" if running and progress.eta_s is not None else "",
        "filesize": job.stored.size if job.stored else progress.total_bytes or 0,
        "downloaded_bytes": progress.downloaded_bytes,
        "format_note": media.format_note if media else "",
        **_place_in_playlist(job),
        "filename": safe_name(job.title, tail=f"__{job.id}.{media.extension}") if done and media else "",
        "quality": job.options.quality,
        "download_type": job.options.download_type,
        "error_message": why_ended(job)[1] if status(job) == "error" else "",
        "created_at": timestamp(job.created_at),
        "completed_at": timestamp(job.completed_at) if done else None,
    }


def _thumbnail(job: Job) -> str:
    """Where this service shows it, once it has an image of its own; else where the source does."""
    if stored_thumbnail(job) is not None:
        return f"/api/thumbnails/{job.id}"
    return (job.media.thumbnail if job.media else None) or ""


def _place_in_playlist(job: Job) -> Body:
    """The playlist itself comes before its items, which count from 1."""
    if job.item is not None:
        return {"is_playlist": True, "playlist_index": job.item.index, "playlist_total": job.item.total}
    total = job.playlist.total if job.playlist else 0
    return {"is_playlist": job.playlist is not None, "playlist_index": 0, "playlist_total": total}


def _speed(bytes_per_s: float) -> str:
    """In units of 1,000, as in "3.2 MB/s"."""
    for unit in ("B/s", "KB/s", "MB/s"):
        if bytes_per_s < 999.95:
            return f"{bytes_per_s:.1f} {unit}"
        bytes_per_s /= 1000
    return f"{bytes_per_s:.1f} GB/s"
