"""What a site is: a host, and all hosts below it. Pure."""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from reelhaul.errors import InvalidRequest

_MAX_CHARS = 253  # of a name, RFC 1035, 2.3.4
_LABEL = re.compile(r"[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")


def check_site(text: str) -> str:
    """The site as it is stored: in lower case and in ASCII. Raises `InvalidRequest`.

    A single label is none: everything below `com` or `internal` would be one site. An IPv4 address may be one.
    """
    name = _ascii(text)
    labels = name.split(".") if name else []
    plausible = len(labels) > 1 and len(name or "") <= _MAX_CHARS and all(map(_LABEL.fullmatch, labels))
    if name is None or not plausible or (labels[-1].isdecimal() and not _is_address(name)):
        raise InvalidRequest("A site is the name of a host with a dot in it, such as example.com.", field="site")
    return name


def host_of(url: str) -> str | None:
    """The host that `url` names, as `check_site` would write it; None where there is none."""
    try:
        host = urlsplit(url).hostname
    except ValueError:
        return None
    return _ascii(host.removesuffix(".")) if host else None


def is_within(host: str, site: str) -> bool:
    """Whether `host` is `site` or below it."""
    return host == site or (host.endswith(f".{site}") and not _is_address(site))


def site_of(host: str, sites: Iterable[str]) -> str | None:
    """The site that `host` belongs to: of several the longest, since it says more."""
    return max((site for site in sites if is_within(host, site)), key=len, default=None)


def _ascii(text: str) -> str | None:
    """An international name as it goes over the wire (RFC 3490); None for what cannot be a name."""
    try:
        return text.lower().encode("idna").decode("ascii")
    except UnicodeError:
        return None


def _is_address(name: str) -> bool:
    try:
        ipaddress.IPv4Address(name)
    except ValueError:
        return False
    return True
