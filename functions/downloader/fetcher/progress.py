"""Progress over all tracks of a download, out of what yt-dlp reports for each."""

import threading
from typing import Any

from downloader.fetcher.numbers import whole
from downloader.fetcher.reporting import Reporter
from reelhaul.errors import SourceTooLarge


class Tracks:
    """A progress hook. Video and audio come one after the other: their bytes are added up."""

    def __init__(self, reporter: Reporter, *, max_bytes: int) -> None:
        self._reporter = reporter
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._expected: list[int | None] = [None]
        self._done: dict[str, int] = {}
        self._totals: dict[str, int | None] = {}
        self._finishing = False

    def expect(self, info: dict[str, Any]) -> None:
        """The tracks that will be fetched, as far as their sizes are known before."""
        tracks = info.get("requested_formats") or [info]
        self._expected = [whole(track.get("filesize") or track.get("filesize_approx")) for track in tracks]

    def __call__(self, status: dict[str, Any]) -> None:
        if status.get("status") not in {"downloading", "finished"}:
            return
        name = str(status.get("filename"))
        with self._lock:
            come = status.get("downloaded_bytes" if status["status"] == "downloading" else "total_bytes")
            self._done[name] = whole(come) or self._done.get(name, 0)  # what had been there before has only a total
            self._totals[name] = whole(status.get("total_bytes") or status.get("total_bytes_estimate"))
            done, total = sum(self._done.values()), self._total()
        if (whole(status.get("total_bytes")) or 0) > self._max_bytes:  # no need to fetch it until the budget is spent
            raise SourceTooLarge
        fields = {
            "downloaded_bytes": done,
            "total_bytes": total,
            "speed": status.get("speed"),
            "eta_s": status.get("eta"),
        }
        self._reporter.progress(phase="fetching", fields=fields)

    @property
    def done_bytes(self) -> int:
        return sum(self._done.values())

    def finishing(self) -> None:
        """All bytes are there; what follows is merging and probing. Said once."""
        if self._finishing:
            return
        self._finishing = True
        done = self.done_bytes
        fields = {"downloaded_bytes": done, "total_bytes": done, "speed": None, "eta_s": None}
        self._reporter.progress(phase="finishing", fields=fields, force=True)

    def _total(self) -> int | None:
        """What all tracks take, None while that of any is unknown. Never less than what has come."""
        started = list(self._totals.items())
        totals = [total for _, total in started] + self._expected[len(started) :]
        if any(total is None for total in totals):
            return None
        return max(sum(total or 0 for total in totals), sum(self._done.values()))
