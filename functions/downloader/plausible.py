"""The fields of what a fetcher says, each read with suspicion. Pure. All raise `Implausible`.

Texts that people get to see are cleaned, see `reelhaul.options.clean_text`, and cut.
"""

import urllib.parse
from typing import Any

from reelhaul.options import clean_text

MAX_TITLE_CHARS = 300
MAX_ADDRESS_CHARS = 2048
MAX_NOTE_CHARS = 100


class Implausible(Exception):
    """Not something that our fetcher would say."""


def title(fields: dict[str, Any]) -> str:
    return clean_text(text(fields, "title", most=10_000))[:MAX_TITLE_CHARS].strip()


def note(fields: dict[str, Any], name: str) -> str:
    return clean_text(text(fields, name, most=1000))[:MAX_NOTE_CHARS].strip()


def codec(fields: dict[str, Any], name: str) -> str | None:
    return None if fields.get(name) is None else note(fields, name)


def flag(fields: dict[str, Any], name: str) -> bool:
    value = fields.get(name)
    if not isinstance(value, bool):
        raise Implausible(f"{name} is neither true nor false")
    return value


def whole(fields: dict[str, Any], name: str) -> int | None:
    found = number(fields, name)
    return None if found is None else int(found)


def text(fields: dict[str, Any], name: str, *, most: int) -> str:
    value = fields.get(name)
    if not isinstance(value, str) or len(value) > most:
        raise Implausible(f"no plausible {name}")
    return value


def number(fields: dict[str, Any], name: str) -> float | None:
    """A finite number of at least 0, or None. Bounded, so that it fits whatever it is stored in."""
    value = fields.get(name)
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise Implausible(f"{name} is not a number")
    if not 0 <= value < 2**53:  # which neither infinity nor NaN is
        raise Implausible(f"{name} is out of bounds")
    return float(value)


def web_address(value: object) -> str | None:
    """An address, as of a thumbnail, if it is one that a browser may be given, else None: it is an ornament."""
    if not isinstance(value, str) or len(value) > MAX_ADDRESS_CHARS or not value.isprintable() or " " in value:
        return None
    try:
        parts = urllib.parse.urlsplit(value)
    except ValueError:
        return None
    return value if parts.scheme in {"http", "https"} and parts.hostname else None
