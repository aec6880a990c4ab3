"""How the rows of a list may look, from all that there is to say about a job to what the contract guarantees.

The shorter ones say the same as `downloads.view`, in fewer fields. They are written out, as 5,000 of them have to be
made quickly.
"""

from collections.abc import Callable

from reelhaul.contracts import downloads, offline
from reelhaul.contracts.replies import Body, timestamp
from reelhaul.items import STATUSES
from reelhaul.jobs import Job, State
from reelhaul.links import Link

Shape = Callable[[Job], Body]
Sign = Callable[[str], Link]


def whole(sign: Sign) -> Shape:
    return lambda job: downloads.view(job, _link(job, sign))


def lean(sign: Sign) -> Shape:
    """What a client that shows a list can hardly do without."""

    def row(job: Job) -> Body:
        progress, status = job.progress, STATUSES[job.state]
        return {
            **_guaranteed(job, status, _link(job, sign)),
            **({"error_code": downloads.why_ended(job)[0]} if status == "error" else {}),
            "progress": downloads.percentage(job),
            "downloaded_bytes": progress.downloaded_bytes,
            "filesize": job.stored.size if job.stored else progress.total_bytes,
            "duration": job.media.duration_s if job.media else None,
            "attempts": job.attempts,
        }

    return row


def guaranteed(sign: Sign) -> Shape:
    return lambda job: _guaranteed(job, STATUSES[job.state], _link(job, sign))


def _guaranteed(job: Job, status: str, link: Link | None) -> Body:
    row = {"id": job.id, "name": job.filename, "status": status, "created_at": timestamp(job.created_at)}
    if link is not None:
        row["download_url"] = link.url
    if status == "error":
        row["error"] = downloads.why_ended(job)[1]
    return row


def _link(job: Job, sign: Sign) -> Link | None:
    return sign(job.stored.key) if job.state is State.DONE and job.stored else None


def offline_without_external_thumbnail(job: Job) -> Body:
    """The second contract's row without another site's thumbnail: such addresses can be very long."""
    row = offline.row(job)
    return row if str(row["thumbnail"]).startswith("/") else row | {"thumbnail": ""}
