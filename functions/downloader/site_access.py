"""What a job may use of what its tenant has set for the site that it is on."""

import dataclasses
import time
from typing import Self

from reelhaul.egress import Upstream
from reelhaul.errors import (
    InvalidRequest,
    SiteUnreadable,
    SourceBlocked,
    SourceError,
    SourceForbidden,
    SourceLoginRequired,
)
from reelhaul.sites.cookies import Cookie, select
from reelhaul.sites.store import Site

_SET_THEM = "Cookies and a proxy for a site are set with `reelhaul sites set`."
_EXPIRED = "Cookies are set for this site, but they may have expired; they are renewed with `reelhaul sites set`."


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SiteAccess:
    """`has_cookies`: some are set, whether or not any of them is still good. For one job, and never kept beyond it."""

    cookies: tuple[Cookie, ...] = dataclasses.field(default=(), repr=False)
    has_cookies: bool = False
    upstream: Upstream | None = None

    @classmethod
    def to(cls, site: Site | None) -> Self:
        """Read from what is stored, cookies by their domains once more. Raises `SiteUnreadable`."""
        if site is None:
            return cls()
        try:
            return cls(
                cookies=select(site.cookies, site.name, now=time.time()).cookies,
                has_cookies=bool(site.cookies),
                upstream=Upstream.parse(site.proxy) if site.proxy else None,
            )
        except (InvalidRequest, ValueError) as error:
            raise SiteUnreadable from error

    def explained(self, error: SourceError) -> SourceError:
        """`error`, which may end for want of a login, with what can be done about it."""
        if self.has_cookies and isinstance(error, SourceLoginRequired | SourceBlocked | SourceForbidden):
            return _more(error, _EXPIRED)
        if isinstance(error, SourceLoginRequired | SourceBlocked):
            return _more(error, _SET_THEM)
        return error


def _more(error: SourceError, sentence: str) -> SourceError:
    return type(error)(f"{error} {sentence}", retry_after_s=error.retry_after_s)
