"""How much of a list fits into one reply."""

from collections.abc import Sequence

from list_downloads.shapes import Shape
from reelhaul.contracts.replies import dumps
from reelhaul.jobs import Job

# Lambda's limit is 6 MB for the whole reply, in which this body is a JSON string. The rest is for what is around the
# rows, status and headers.
MAX_WIRE_BYTES = 6 * 1024 * 1024 - 64 * 1024

_SAMPLE_ROWS = 100
_CLEARLY = 1.1  # times the limit: a list whose sample says so is not written out to see that it is too long


def fitted(jobs: Sequence[Job], *shapes: Shape) -> tuple[str, int]:
    """The jobs as the text of a JSON array, in the first of the `shapes` in which it fits into one reply.

    Where it fits in none, as many from the beginning as the last one has room for, but one at least. Returns the text
    and how many rows are in it.
    """
    for shape in shapes:
        if _estimate(jobs, shape) > _CLEARLY * MAX_WIRE_BYTES:
            continue
        text = dumps([shape(job) for job in jobs])
        if wire_bytes(text) <= MAX_WIRE_BYTES:
            return text, len(jobs)
    return _as_many_as_fit(jobs, shapes[-1])


def _estimate(jobs: Sequence[Job], shape: Shape) -> float:
    """About how long the list would be, judged by jobs from all over it."""
    if len(jobs) <= _SAMPLE_ROWS:
        return 0.0
    sample = jobs[:: len(jobs) // _SAMPLE_ROWS]
    return wire_bytes(dumps([shape(job) for job in sample])) * len(jobs) / len(sample)


def _as_many_as_fit(jobs: Sequence[Job], shape: Shape) -> tuple[str, int]:
    texts: list[str] = []
    room = MAX_WIRE_BYTES
    for job in jobs:
        text = dumps(shape(job))
        room -= wire_bytes(text) + 1  # and a comma or a bracket
        if room < 1 and texts:
            break
        texts.append(text)
    return f"[{','.join(texts)}]", len(texts)


def wire_bytes(json_text: str) -> int:
    """What `json_text` takes within a JSON string, that one's own quotes aside.

    Counted for a runtime that writes whatever is not printable ASCII as escapes: newer ones do not, and take less.
    """
    # A JSON text has no other raw control character than DEL.
    escaped = json_text.count('"') + json_text.count("\\") + 5 * json_text.count("\x7f")
    if json_text.isascii():
        return len(json_text) + escaped
    ascii_chars = len(json_text.encode("ascii", "ignore"))
    utf16_units = len(json_text.encode("utf-16-le", "surrogatepass")) // 2  # one `\uXXXX` each
    return 6 * utf16_units - 5 * ascii_chars + escaped
