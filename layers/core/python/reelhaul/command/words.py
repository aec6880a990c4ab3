"""How things are said on a terminal, which what comes from elsewhere, as titles do, cannot control. Pure."""

from datetime import datetime

from reelhaul.client import Job
from reelhaul.names import clean_title

_UNITS = ("B", "kB", "MB", "GB", "TB")


def plain(text: object) -> str:
    """`text` on one line, without characters that a terminal would take for orders or that turn its direction."""
    return clean_title(str(text))


def size(count: float | None) -> str:
    """Bytes, in powers of 1000, as "3.2 MB"."""
    if count is None:
        return "?"
    unit = 0
    while count >= 1000 and unit < len(_UNITS) - 1:
        count, unit = count / 1000, unit + 1
    return f"{count:.0f} {_UNITS[unit]}" if unit == 0 or count >= 100 else f"{count:.1f} {_UNITS[unit]}"


def duration(seconds: float | None) -> str:
    """As "1:02:03" or "0:42"."""
    if seconds is None:
        return ""
    minutes, rest = divmod(round(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def when(moment: datetime | None) -> str:
    """In this machine's time zone."""
    return "" if moment is None else f"{moment.astimezone():%Y-%m-%d %H:%M}"


def state(job: Job) -> str:
    """What a row says of a job: its status, of one that runs how far it has come."""
    if job.status.value == "processing":
        return f"{job.progress:.0f} %"
    return "cancelled" if job.error_code == "job.cancelled" else job.status.value
