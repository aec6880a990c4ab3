"""Whether what comes can lie on this disk at all, if all of it has to."""

from pathlib import Path
from typing import Any, Protocol

from downloader import room
from downloader.fetcher.numbers import whole
from reelhaul.errors import SourceTooLarge


class Stream(Protocol):
    @property
    def is_declined(self) -> bool:
        """Whether it will not be handed over as it comes."""


class Space:
    """A progress hook: what is known to need more than there is need not be fetched until the disk is full.

    `copies`: how often it will lie there at once, as tracks do beside what is made of them.
    """

    def __init__(self, directory: Path, stream: Stream | None, *, copies: int) -> None:
        self._directory, self._stream, self._copies = directory, stream, copies
        self._totals: dict[str, int] = {}

    def __call__(self, status: dict[str, Any]) -> None:
        """Raises `SourceTooLarge`."""
        total = whole(status.get("total_bytes"))
        if total is None or (self._stream is not None and not self._stream.is_declined):
            return
        self._totals[str(status.get("filename"))] = total
        if sum(self._totals.values()) * self._copies > room.most_bytes(self._directory):
            raise SourceTooLarge
