"""What goes with a medium: subtitles and a picture. Nice to have: it never fails a download, nor delays it for long."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import yt_dlp
from yt_dlp.downloader import get_suitable_downloader
from yt_dlp.networking import Request as WebRequest

from downloader.content_types import EXTRA_CONTENT_TYPES
from downloader.fetcher.reporting import for_the_log
from downloader.fetcher.timing import Deadline, TimeUp, at_most

SECONDS = 60.0  # for all of them together
EACH_S = 10.0
RESERVE_S = 10.0  # of the job's time that they leave alone
SOCKET_TIMEOUT_S = 10
# What sockets on the way take in before anybody has asked for it; it counts against what the job may receive.
READ_AHEAD_BYTES = 8 * 1024**2
# One after the other: `at_most` ends what the main thread does.
_LOADING = {
    "retries": 1,
    "fragment_retries": 1,
    "continuedl": False,
    "nopart": True,
    "concurrent_fragment_downloads": 1,
}

_log = logging.getLogger("extras")


class Enough(Exception):
    """It is larger than an extra may be, or elsewhere."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Extra:
    """A file in the job's directory. `language`: the code that was asked for, of subtitles."""

    kind: str
    path: Path
    extension: str
    language: str | None = None

    def to_event(self) -> dict[str, Any]:
        return {
            "kind": self.kind,
            "path": str(self.path),
            "extension": self.extension,
            "content_type": EXTRA_CONTENT_TYPES[self.kind][self.extension],
            "language": self.language,
        }


class Session:
    """Fetches small things the way the medium was fetched, all within bounds in bytes and time."""

    def __init__(self, ydl: yt_dlp.YoutubeDL, directory: Path, *, max_bytes: int, deadline: Deadline) -> None:
        self.directory = directory
        self._ydl = ydl
        self._bytes_left = max_bytes
        self._time = Deadline(min(SECONDS, deadline.seconds - RESERVE_S))

    @property
    def seconds(self) -> float:
        """For the next one."""
        return min(EACH_S, self._time.seconds)

    def page(self, url: str, headers: dict[str, str], *, most: int) -> bytes:
        """What is at an address, of at most so many bytes. Raises `Enough`, and whatever yt-dlp does."""
        if not url.startswith(("http://", "https://")):
            raise Enough("not on the web")
        request = WebRequest(url, headers=headers, extensions={"timeout": SOCKET_TIMEOUT_S})
        with self._spending(most) as spend, self._ydl.urlopen(request) as reply:
            data = bytes(reply.read(most + 1))
            spend(len(data))
        return data

    def track(self, track: dict[str, Any], *, most: int) -> bytes:
        """What yt-dlp makes of a format that may come in segments. Raises as `page` does."""
        path = self.directory / "track.part"
        parameters = {**self._ydl.params, **_LOADING}
        loader = get_suitable_downloader(track, parameters)(self._ydl, parameters)
        try:
            with self._spending(most) as spend:
                loader.add_progress_hook(lambda status: spend(int(status.get("downloaded_bytes") or 0)))
                loader.download(str(path), dict(track), subtitle=True)
                spend(path.stat().st_size)
                return path.read_bytes()
        finally:
            for left in self.directory.glob("track.part*"):
                left.unlink(missing_ok=True)

    @contextlib.contextmanager
    def _spending(self, most: int) -> Iterator[Callable[[int], None]]:
        """Gives something to be told how many bytes have come by now. What is given up counts as the most it can be."""
        spent = most + READ_AHEAD_BYTES
        if spent > self._bytes_left:
            raise Enough("not enough is left of what the job may receive")

        def spend(count: int) -> None:
            nonlocal spent
            if count > most:
                spent = most + READ_AHEAD_BYTES
                raise Enough("too large")
            spent = count

        try:
            yield spend
        finally:
            self._bytes_left -= spent


def if_possible(make: Callable[[], Extra | None], what: str, *, seconds: float) -> list[Extra]:
    """The extra, or none: whatever goes wrong with it is said to the log only."""
    started = time.monotonic()
    try:
        with at_most(seconds):
            made = make()
    except (Exception, TimeUp) as error:  # noqa: BLE001 - the medium is there, and is what was asked for
        reason = for_the_log(f"{type(error).__name__}: {error}")
        _log.warning("%s left out after %.1f s: %s", what, time.monotonic() - started, reason)
        return []
    return [] if made is None else [made]
