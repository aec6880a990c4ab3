"""How much a job may ask of its source at once. Pure."""

from reelhaul.connections import Connections
from reelhaul.jobs import Job


def connections(job: Job, most: Connections) -> int:
    """Items of a playlist run side by side, and share what one download may have.

    Whoever has failed before comes alone: it may have been too many for the source.
    """
    if job.attempts > 1:
        return 1
    return max(1, most.to(job.url) // max(1, job.item.total if job.item else 1))
