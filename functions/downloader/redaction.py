"""Texts for the log, without what must not be in there."""

from collections.abc import Iterable

_MIN_CHARS = 6  # what is shorter, as "1" or "en-GB", is no secret, and its like is everywhere


def without(secrets: Iterable[str], text: str) -> str:
    """`text` with three asterisks for each of `secrets`; the longest first, since one may be a part of another."""
    for secret in sorted({one for one in secrets if len(one) >= _MIN_CHARS}, key=len, reverse=True):
        text = text.replace(secret, "***")
    return text
