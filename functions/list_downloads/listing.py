"""One reply's worth of a tenant's jobs."""

from list_downloads.fitting import fitted
from list_downloads.shapes import guaranteed, lean, offline_without_external_thumbnail, whole
from reelhaul.contracts import downloads, offline, replies
from reelhaul.contracts.downloads import Listing
from reelhaul.jobs import Job
from reelhaul.links import LinkSigner
from reelhaul.store import JobStore, Page
from reelhaul.tokens import make_token, read_token, token_key

_STRIDE = 1000  # jobs that are read at once to get past them
_NOTHING = Page([], None)


def listed(tenant: str, wanted: Listing, *, store: JobStore, links: LinkSigner, now: float) -> tuple[str, Page]:
    """The reply as JSON text, newest job first, and the page of the list that it was made of.

    A list too long for one reply loses the fields that the contract does not guarantee; if that is not enough it gets
    fewer rows, and `next_token` says where to read on. Raises `InvalidRequest` for a token that is not for this list.
    """
    after = _after(tenant, wanted, links)
    total = store.total(tenant, status=wanted.status)
    page = _page(tenant, wanted, store=store, after=after, total=total)
    jobs = [job.seen_at(now) for job in page.jobs]
    text, shown = fitted(jobs, whole(links.sign), lean(links.sign), guaranteed(links.sign))
    last_id = page.last_id if shown == len(jobs) else jobs[shown - 1].id
    frame = downloads.listing([], total=total, next_token=_token(tenant, wanted, links, last_id))
    return replies.dumps(frame).replace("[]", text, 1), page


def listed_offline(jobs: list[Job], *, now: float) -> tuple[str, int]:
    """The second contract's bare array as JSON text, newest job first, and how many rows it has.

    Of an array too long for one reply the rows lose the addresses of external thumbnails, and have none instead; if
    that is not enough the oldest jobs are left out, as those beyond `limit` are. Nothing else is shortened.
    """
    return fitted([job.seen_at(now) for job in jobs], offline.row, offline_without_external_thumbnail)


def _page(tenant: str, wanted: Listing, *, store: JobStore, after: str | None, total: int) -> Page:
    """A page number is walked to: what it costs grows with it, unlike a token's."""
    to_skip = wanted.page_index * wanted.count
    if to_skip >= total and to_skip > 0:
        return _NOTHING
    while to_skip > 0:
        stride = min(to_skip, _STRIDE)
        after = store.page(tenant, limit=stride, after=after, status=wanted.status).last_id
        if after is None:
            return _NOTHING
        to_skip -= stride
    return store.page(tenant, limit=wanted.count, after=after, status=wanted.status)


def _after(tenant: str, wanted: Listing, links: LinkSigner) -> str | None:
    """The id of the job that the wanted page follows."""
    if wanted.next_token is None:
        return None
    keys = (token_key(key.secret) for key in links.keys.candidates())
    return read_token(wanted.next_token, keys, tenant=tenant, status=wanted.status)


def _token(tenant: str, wanted: Listing, links: LinkSigner, last_id: str | None) -> str | None:
    if last_id is None:
        return None
    return make_token(token_key(links.keys.current().secret), tenant=tenant, status=wanted.status, after=last_id)
