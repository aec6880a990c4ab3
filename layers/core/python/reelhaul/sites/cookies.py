"""Cookies in Netscape's format, as browsers' exporters write it and curl, wget and yt-dlp read it. Pure.

A line has seven fields with tabs between them: domain, whether hosts below it are meant, path, whether it is for https
only, when it expires (seconds since the epoch, 0 for "with the browser"), name, value. `#HttpOnly_` before the domain
is no comment; it means nothing to us, who run no scripts of the site.
"""

import dataclasses
import re
from collections import Counter
from collections.abc import Iterable, Iterator
from typing import Any, Self

from reelhaul.errors import InvalidRequest
from reelhaul.sites.names import is_within

_HTTP_ONLY = "#HttpOnly_"
_FLAGS = {"TRUE": True, "FALSE": False}
_TIME = re.compile(r"(-?[0-9]{1,15})(\.[0-9]+)?")  # some exporters write fractions of seconds, or -1 for no time
_NAME = re.compile(r"[!-~]+")
_VALUE = re.compile(r"[ -~]*")  # laxer than RFC 6265, 4.1.1, since browsers are: but nothing that could end a header


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cookie:
    """`domain` has no leading dot; `expires_at` is in seconds since the epoch, None for no time."""

    domain: str
    with_subdomains: bool
    path: str
    is_secure: bool
    expires_at: int | None
    name: str
    value: str = dataclasses.field(repr=False)

    @classmethod
    def from_fields(cls, fields: dict[str, Any]) -> Self:
        """The cookie that `dataclasses.asdict` made `fields` of."""
        return cls(**fields)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """The cookies of one site, and how many were left out. `above` counts those of domains that the site is part of."""

    cookies: tuple[Cookie, ...]
    expired: int
    foreign: int
    above: Counter[str]

    @property
    def first_expiry(self) -> int | None:
        """When the first of them expires, in seconds since the epoch; None if none ever does."""
        return min((cookie.expires_at for cookie in self.cookies if cookie.expires_at is not None), default=None)


def select(text: str, site: str, *, now: float) -> Selection:
    """Those of the cookies in `text` that belong to `site` and have not expired.

    Raises `InvalidRequest` for what is not in Netscape's format. It names the line, and never what stands there.
    """
    kept: list[Cookie] = []
    expired, elsewhere = 0, Counter[str]()
    for number, line in _lines(text):
        fields = _fields(line, number)
        domain = fields[0].lower().removeprefix(".")
        if not is_within(domain, site):
            elsewhere[domain] += 1
            continue
        cookie = _cookie(domain, fields, number)
        if cookie.expires_at is not None and cookie.expires_at <= now:
            expired += 1
        else:
            kept.append(cookie)
    above = Counter({domain: count for domain, count in elsewhere.items() if is_within(site, domain)})
    return Selection(cookies=tuple(kept), expired=expired, foreign=elsewhere.total(), above=above)


def written(cookies: Iterable[Cookie]) -> str:
    """The same in Netscape's format, a line each."""
    return "".join("\t".join(_written(cookie)) + "\n" for cookie in cookies)


def _written(cookie: Cookie) -> Iterator[str]:
    yield f".{cookie.domain}" if cookie.with_subdomains else cookie.domain
    yield str(cookie.with_subdomains).upper()
    yield cookie.path
    yield str(cookie.is_secure).upper()
    yield str(cookie.expires_at or 0)
    yield cookie.name
    yield cookie.value


def _lines(text: str) -> Iterator[tuple[int, str]]:
    """The lines that are cookies, with their numbers from 1."""
    for number, line in enumerate(text.removeprefix("\ufeff").split("\n"), start=1):
        content = line.removesuffix("\r").removeprefix(_HTTP_ONLY)
        if content.strip() and not content.startswith("#"):
            yield number, content


def _fields(line: str, number: int) -> list[str]:
    fields = line.split("\t")
    if len(fields) == 6:
        fields.append("")  # an editor has taken away the tab before an empty value; curl takes that, too
    if len(fields) != 7:
        form = "Netscape's format has seven fields on each line, with tabs between them"
        raise _invalid(number, f"this is no cookie. {form} (exporters also call it cookies.txt)")
    return fields


def _cookie(domain: str, fields: list[str], number: int) -> Cookie:
    _, below, path, secure, expires, name, value = fields
    time = _TIME.fullmatch(expires or "0")
    if below not in _FLAGS or secure not in _FLAGS:
        raise _invalid(number, "its second and fourth fields must be TRUE or FALSE")
    if time is None:
        raise _invalid(number, "its fifth field must be a time in seconds since 1970, or 0")
    if not path.startswith("/") or not _NAME.fullmatch(path) or ";" in path:
        raise _invalid(number, "its third field must be a path, which begins with /")
    if not _NAME.fullmatch(name) or set(name) & set("=;,"):
        raise _invalid(number, "its sixth field must be a name, without spaces, =, ; and commas")
    if not _VALUE.fullmatch(value) or ";" in value:
        raise _invalid(number, "its value has characters that no cookie can have")
    return Cookie(
        domain=domain,
        with_subdomains=_FLAGS[below] or fields[0].startswith("."),
        path=path,
        is_secure=_FLAGS[secure],
        expires_at=int(time[1]) if int(time[1]) > 0 else None,
        name=name,
        value=value,
    )


def _invalid(number: int, what: str) -> InvalidRequest:
    return InvalidRequest(f"Line {number} of the cookies: {what}.", field="cookies")
