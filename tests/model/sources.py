"""What a fetcher brings home: the only part of the worker that is made up. The address says what happens there."""

import itertools
import threading
from collections.abc import Callable
from pathlib import Path

from downloader.events import Source
from downloader.fetch import Fetched, FetchedExtra, Found, FoundPlaylist, Paused
from downloader.lease import Lease
from downloader.outlet import Outlet
from reelhaul.errors import LeaseLost, SourceInterrupted, SourceNotFound
from reelhaul.findings import Entry
from reelhaul.jobs import Job, Media, Progress
from tests.model.history import History

PART_BYTES = 64
# Small, in parts, with a thumbnail, not there, broken off at first, not understood at first, never understood.
# Of the last two each invocation fetches a piece: one grows in S3 meanwhile, the other lies in a file that goes along.
KINDS = ("small", "large", "extra", "gone", "flaky", "odd", "poison", "long", "bulky")
LISTS = ("list", "mixed")
PIECES = 3  # that a long or bulky one comes in
_MEDIA = Media(title="A title", extension="mp4", content_type="video/mp4")
_ITEMS = {"list": ("small", "small"), "mixed": ("gone", "flaky", "small")}


def url(kind: str) -> str:
    return f"https://media.example/{kind}"


class Sources:
    """`lease` gives the one of whoever fetches: it comes round while a fetch is under way."""

    def __init__(self, history: History, lease: Callable[[], Lease | None]) -> None:
        self._history = history
        self._lease = lease
        self._numbers = itertools.count(1)
        self._begun: dict[str, bytes] = {}  # by their ETags: what has come of files that were fetched in pieces

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
        known = {outlet.resume.name, *outlet.resume.files} if outlet.resume else set()
        assert {path.name for path in directory.iterdir()} <= known, "another job's files"
        on_progress(Progress(downloaded_bytes=1))
        for _ in range(2):  # one that writes, one that reads
            lease = self._lease()
            if lease is not None:
                lease.look()
            if stop.is_set():
                raise LeaseLost
        kind = job.url.rpartition("/")[2].partition("?")[0]
        if kind in {"long", "bulky"}:
            return self._next_piece(job, directory, outlet, grows=kind == "long")
        return self._found(job, kind, directory)

    def _next_piece(self, job: Job, directory: Path, outlet: Outlet, *, grows: bool) -> Found:
        resume = outlet.resume
        place, tag = (resume.tracks[0].place, resume.tracks[0].etag) if resume else (0, None)
        name = (resume.name or resume.files[0]) if resume else "media.mp4.part"
        before, tag = self._begun[tag] if tag else b"", f"{next(self._numbers)}"
        with (directory / name).open("ab") as file:
            if (file.tell() if grows else (directory / name).read_bytes()) != (len(before) if grows else before):
                self._history.mixed_up.append(f"{job.id} goes on with what was not there before")
            piece = f"{job.id} {tag} {place} ".encode() * 3
            file.write(piece)
        self._begun[tag] = before + piece
        if grows:
            outlet.begin(directory / name, _MEDIA)
            outlet.extend(len(self._begun[tag]))
        if place + 1 == PIECES:
            self._history.whole.add(self._begun[tag])
            return Fetched(path=directory / name, media=_MEDIA)
        source = Source(format_id="0", total_bytes=None, etag=tag, last_modified=None, place=place + 1)
        return Paused(len(self._begun[tag]) if grows else 0, (source,), () if grows else (name,))

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
        return Fetched(path=path, media=_MEDIA, extras=extras)


def _thumbnail(directory: Path) -> FetchedExtra:
    path = directory / "thumbnail.jpg"
    path.write_bytes(b"\xff\xd8\xff")
    return FetchedExtra(kind="thumbnail", path=path, extension="jpg", content_type="image/jpeg")
