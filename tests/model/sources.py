"""What a fetcher brings home: the only part of the worker that is made up. The address says what happens there."""

import itertools
import threading
from collections.abc import Callable
from pathlib import Path

from downloader.fetch import Fetched, FetchedExtra, Found, FoundPlaylist, Outlet
from downloader.lease import Lease
from reelhaul.errors import LeaseLost, SourceInterrupted, SourceNotFound
from reelhaul.findings import Entry
from reelhaul.jobs import Job, Media, Progress
from tests.model.history import History

PART_BYTES = 64
# Small, in parts, with a thumbnail, not there, broken off at first, not understood at first, never understood.
KINDS = ("small", "large", "extra", "gone", "flaky", "odd", "poison")
LISTS = ("list", "mixed")
_ITEMS = {"list": ("small", "small"), "mixed": ("gone", "flaky", "small")}


def url(kind: str) -> str:
    return f"https://media.example/{kind}"


class Sources:
    """`lease` gives the one of whoever fetches: it comes round while a fetch is under way."""

    def __init__(self, history: History, lease: Callable[[], Lease | None]) -> None:
        self._history = history
        self._lease = lease
        self._numbers = itertools.count(1)

    def fetch(
        self,
        job: Job,
        *,
        directory: Path,
        deadline: float,
        on_progress: Callable[[Progress], None],
        stop: threading.Event,
        outlet: Outlet,
    ) -> Found:
        """As `downloader.fetch.fetch`. No two fetches bring the same bytes, as with sites that make files anew."""
        assert list(directory.iterdir()) == [], "another job's files"
        on_progress(Progress(downloaded_bytes=1))
        for _ in range(2):  # one that writes, one that reads
            lease = self._lease()
            if lease is not None:
                lease.look()
            if stop.is_set():
                raise LeaseLost
        return self._found(job, job.url.rpartition("/")[2].partition("?")[0], directory)

    def _found(self, job: Job, kind: str, directory: Path) -> Found:
        if kind in _ITEMS:
            entries = tuple(Entry(url=f"{url(item)}?{n}", title=item) for n, item in enumerate(_ITEMS[kind]))
            return FoundPlaylist(title="A list", entries=entries, truncated=False)
        for failing, error in (("gone", SourceNotFound()), ("flaky", SourceInterrupted())):
            if kind == failing and (kind == "gone" or job.attempts < 2):
                self._history.reasons[job.id, job.generation].add(error.code)
                raise error
        if kind == "poison" or (kind == "odd" and job.attempts < 2):
            raise RuntimeError("beyond understanding")
        path = directory / "media.mp4"
        path.write_bytes(f"{job.id} {next(self._numbers)} ".encode() * (3 if kind == "large" else 1))
        extras = (_thumbnail(directory),) if kind == "extra" else ()
        return Fetched(
            path=path, media=Media(title="A title", extension="mp4", content_type="video/mp4"), extras=extras
        )


def _thumbnail(directory: Path) -> FetchedExtra:
    path = directory / "thumbnail.jpg"
    path.write_bytes(b"\xff\xd8\xff")
    return FetchedExtra(kind="thumbnail", path=path, extension="jpg", content_type="image/jpeg")
