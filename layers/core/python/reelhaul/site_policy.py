"""Which sites an operator allows. Pure. It judges names; the egress guard judges the addresses behind them."""

import contextlib
import dataclasses
from urllib.parse import urlsplit

from reelhaul.errors import SiteNotAllowed


def plain_host(host: str) -> str:
    """`host` as it is compared: lower case, ASCII (IDNA 2003, as yt-dlp writes it), without the root's dot.

    What cannot be written so stays as it is, and then is nobody's subdomain.
    """
    with contextlib.suppress(UnicodeError):
        host = host.encode("idna").decode("ascii")
    return host.lower().removesuffix(".")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class SitePolicy:
    """Domains in the form of `plain_host`; each stands for its subdomains, too. What is denied is so even if allowed.

    `allowed` is about what is asked for: an address that a user submits, or that a playlist names. Empty allows all.
    `denied` is about every connection that is made for it as well, wherever a page or a redirect leads.
    """

    allowed: frozenset[str] = frozenset()
    denied: frozenset[str] = frozenset()

    def check(self, url: str, *, field: str | None = None) -> None:
        """Raises `SiteNotAllowed`, naming `field`, unless `url` may be asked for."""
        host = plain_host(urlsplit(url).hostname or "")
        if is_within(host, self.denied) or (self.allowed and not is_within(host, self.allowed)):
            raise SiteNotAllowed(field=field)


def is_within(host: str, domains: frozenset[str]) -> bool:
    """Whether `host`, in the form of `plain_host`, is one of `domains` or below one."""
    labels = host.split(".")
    return any(".".join(labels[start:]) in domains for start in range(len(labels)))
