"""Telling the parent of a file that grows."""

from pathlib import Path

from downloader.content_types import CONTENT_TYPES
from downloader.fetcher.reporting import Reporter

EVERY_BYTES = 1024**2  # what is told late is sent late, and what waits for that holds the source back


class Growth:
    """First what it is, then, now and again, how far it is."""

    def __init__(self, reporter: Reporter, title: str) -> None:
        self._reporter = reporter
        self._title = title
        self._told_bytes = 0

    @property
    def title(self) -> str:
        return self._title

    def go_on(self, path: Path, extension: str, final_bytes: int) -> None:
        """As `begin`, with so many bytes told before."""
        self.begin(path, extension)
        self._told_bytes = final_bytes

    @property
    def told_bytes(self) -> int:
        return self._told_bytes

    def begin(self, path: Path, extension: str) -> None:
        fields = {"path": str(path), "title": self._title, "extension": extension, "format_note": ""}
        self._reporter.told("growing", {**fields, "content_type": CONTENT_TYPES[extension]})

    def extend(self, final_bytes: int) -> None:
        if final_bytes < self._told_bytes + EVERY_BYTES:
            return
        self._told_bytes = final_bytes
        self._reporter.told("grown", {"bytes": final_bytes})
