"""What a page shows of a tenant's jobs: the newest, and all that are under way. And waiting until that is another."""

import dataclasses
import hashlib
import time
from collections.abc import Callable

from reelhaul.contracts import downloads, replies
from reelhaul.jobs import Job
from reelhaul.store import JobStore, Page, Unreadable

_NEWEST, _UNDER_WAY = 50, 200  # the longest rows that there can be fit into one reply of Lambda's, so many of them
# Somebody is looking at it, so a step of a job is to be seen soon; but each look costs reads, some thirty in 20 s.
_FIRST_PAUSE_S, _LATER_PAUSE_S, _FIRST_S = 0.5, 0.75, 4.0
# Nearly all that changes is a count or a job under way. What is neither, as how a webhook is doing, is seen this soon.
_KEPT_S = 5.0


@dataclasses.dataclass(frozen=True, slots=True)
class News:
    """A reply's JSON text and its entity tag, and whether they are others than those that were known."""

    text: str
    etag: str
    is_new: bool


@dataclasses.dataclass(frozen=True, slots=True)
class _Look:
    """`newest` was read at `newest_at`, by the clock that waiting goes by; the others just now."""

    counts: dict[str, int]
    under_way: Page
    newest: Page
    newest_at: float
    is_whole: bool

    @property
    def unreadable(self) -> set[Unreadable]:
        return {*self.under_way.unreadable, *self.newest.unreadable}

    def jobs(self) -> list[Job]:
        """Newest first; of one that was read twice, as it was read last. An index lags behind its table."""
        older, newer = (self.under_way, self.newest) if self.is_whole else (self.newest, self.under_way)
        found = {job.id: job for page in (older, newer) for job in page.jobs}
        return [found[job_id] for job_id in sorted(found, reverse=True)]


def await_news(
    tenant: str,
    *,
    store: JobStore,
    is_known: Callable[[str], bool],
    patience_s: float,
    report: Callable[[Unreadable], object],
    clock: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], None] = time.sleep,
    now: Callable[[], float] = time.time,
) -> News:
    """The tenant's jobs as soon as their tag `is_known` no more, else as they are after `patience_s`.

    Each job that could not be read goes to `report`, once.
    """
    began = clock()
    reported: set[Unreadable] = set()
    look: _Look | None = None
    while True:
        look = _look(tenant, store, look, at=clock())
        for found in look.unreadable - reported:
            report(found)
        reported |= look.unreadable
        text = _shown(look, now=now())
        etag = f'"{hashlib.sha256(text.encode()).hexdigest()[:20]}"'
        is_new, waited_s = not is_known(etag), clock() - began
        if is_new or waited_s >= patience_s:
            return News(text, etag, is_new)
        pause_s = _FIRST_PAUSE_S if waited_s < _FIRST_S else _LATER_PAUSE_S
        sleep(min(pause_s, patience_s - waited_s))


def _look(tenant: str, store: JobStore, before: _Look | None, *, at: float) -> _Look:
    """The newest are read anew where a job has begun, ended or gone, and every few seconds."""
    counts = store.counts(tenant)
    under_way = store.page(tenant, limit=_UNDER_WAY, status="processing")
    if before is not None and at - before.newest_at < _KEPT_S and _is_same(before, counts, under_way):
        return _Look(counts, under_way, before.newest, before.newest_at, is_whole=False)
    return _Look(counts, under_way, store.page(tenant, limit=_NEWEST), at, is_whole=True)


def _is_same(before: _Look, counts: dict[str, int], under_way: Page) -> bool:
    return before.counts == counts and _ids(before.under_way) == _ids(under_way)


def _ids(page: Page) -> list[str]:
    return [job.id for job in page.jobs]


def _shown(look: _Look, *, now: float) -> str:
    rows = [downloads.view(job.seen_at(now), None) for job in look.jobs()]
    return replies.dumps(downloads.updates(rows, total=sum(look.counts.values())))
