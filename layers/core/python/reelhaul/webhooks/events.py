"""What is said of a job's end, on the bus and to webhooks. Pure."""

from typing import Any

from reelhaul.contracts import downloads
from reelhaul.contracts.replies import Body, timestamp
from reelhaul.ids import event_id
from reelhaul.jobs import Job, State

SOURCE = "reelhaul"  # of the events on the bus

_TYPES = {
    State.DONE: "download.completed",
    State.EXPIRED: "download.completed",  # an announcement so late that the file's retention is over
    State.FAILED: "download.failed",
    State.CANCELLED: "download.cancelled",
}


def event_type(job: Job) -> str:
    """Raises `ValueError` for a job that has not ended."""
    if job.state not in _TYPES:
        raise ValueError(f"a job that is {job.state} has not ended")
    return _TYPES[job.state]


def occurred_at(job: Job) -> float:
    """When the job ended, in seconds since the epoch."""
    return job.updated_at if job.completed_at is None else job.completed_at


def snapshot(job: Job) -> Body:
    """The job without links: they are secrets, and this goes through queues."""
    return downloads.view(job, None)


def payload(kind: str, at: float, data: Body) -> Body:
    """The body of a webhook; Standard Webhooks, "Payload structure"."""
    return {"type": kind, "timestamp": timestamp(at), "data": data}


def bus_detail(job: Job) -> dict[str, Any]:
    """The same for those who listen to the bus: they also learn whose job it is, and can tell repetitions by the id.

    Where the job's owner is told is none of their business: that URL may hold a secret.
    """
    data = {name: value for name, value in snapshot(job).items() if name not in {"callback_url", "webhook"}}
    said = payload(event_type(job), occurred_at(job), data)
    return {"id": event_id(job), "tenant": job.tenant, **said}
