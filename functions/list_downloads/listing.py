"""One reply's worth of a tenant's jobs."""

import json

from reelhaul.contracts import downloads, replies
from reelhaul.contracts.downloads import Listing
from reelhaul.jobs import Job, State
from reelhaul.links import LinkSigner
from reelhaul.store import JobStore, Page

# Lambda's limit is 6 MB for the whole reply, in which this body is a JSON string: its quotes cost twice, and some
# runtimes write everything beyond ASCII as escapes. The rest is for status and headers.
MAX_WIRE_BYTES = 6 * 1024 * 1024 - 64 * 1024
_STRIDE = 1000  # jobs that are read at once to get past them
_NOTHING = Page([], None)


def listed(tenant: str, wanted: Listing, *, store: JobStore, links: LinkSigner, now: float) -> str:
    """The reply as JSON text, newest job first.

    A list too long for one reply loses the fields that the contract does not guarantee; if that is not enough it gets
    fewer rows, and `next_token` says where to read on.
    """
    total = store.count(tenant, status=wanted.status)
    token, is_beyond_end = _place(tenant, wanted, store=store, total=total)
    count = wanted.count
    while True:
        page = _NOTHING if is_beyond_end else store.page(tenant, limit=count, token=token, status=wanted.status)
        text = _fitting(page, total=total, links=links, now=now)
        if text is not None:
            return text
        count = (count + 1) // 2


def _place(tenant: str, wanted: Listing, *, store: JobStore, total: int) -> tuple[str | None, bool]:
    """After which token the wanted page begins, and whether that is beyond the end. A page number is walked to."""
    token, to_skip = wanted.next_token, wanted.page_index * wanted.count
    if to_skip >= total and to_skip > 0:
        return None, True
    while to_skip > 0:
        passed = store.page(tenant, limit=min(to_skip, _STRIDE), token=token, status=wanted.status)
        if passed.next_token is None:
            return None, True
        token, to_skip = passed.next_token, to_skip - len(passed.jobs)
    return token, False


def _fitting(page: Page, *, total: int, links: LinkSigner, now: float) -> str | None:
    rows = [_row(job.seen_at(now), links) for job in page.jobs]
    for shape in (rows, [downloads.lean(row) for row in rows]):
        text = replies.dumps(downloads.listing(shape, total=total, next_token=page.next_token))
        if len(json.dumps(text)) <= MAX_WIRE_BYTES:
            return text
    return None


def _row(job: Job, links: LinkSigner) -> replies.Body:
    has_file = job.state is State.DONE and job.stored
    return downloads.view(job, links.sign(has_file.key) if has_file else None)
