"""Fetch one job's media in a process of its own, and believe neither the source nor that process."""

import dataclasses
import json
import stat
import threading
from collections.abc import Callable
from pathlib import Path

from downloader import events
from downloader.child import Child, harden_parent
from downloader.egress import EgressProxy
from downloader.events import Event, Failed, Finished, Implausible
from reelhaul.errors import (
    ExtractorBroken,
    LeaseLost,
    SourceError,
    SourceRefused,
    SourceUnreachable,
    SourceUnsupported,
    WorkerCrashed,
    source_error,
)
from reelhaul.jobs import Media, Progress

__all__ = ["FetchRequest", "Fetched", "fetch", "harden_parent"]

POLL_S = 0.1
# Endings that a connection which policy denied explains better than they do themselves.
_VAGUE = (SourceUnsupported, SourceUnreachable, ExtractorBroken)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class FetchRequest:
    """What to fetch. `quality` is "best" or the most lines of picture, as "720p"; `download_type` video or audio.

    `max_memory_bytes` bounds the fetcher's address space.
    """

    url: str
    quality: str = "best"
    download_type: str = "video"
    max_bytes: int
    max_memory_bytes: int = 1024**3  # leaves the parent room in 2 GB; 300 MB are enough for everyday media


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    path: Path
    media: Media


def fetch(
    request: FetchRequest,
    *,
    proxy: EgressProxy,
    directory: Path,
    on_progress: Callable[[Progress], None],
    stop: threading.Event,
    log: Callable[..., None],
) -> Fetched:
    """Fetch into `directory`, which is the job's own, fresh and empty, through `proxy` and before its deadline.

    `on_progress` is called from this thread and may raise, which ends the fetch. `log(event, **fields)` is told what is
    not fit for the user. Raises `SourceError`, or `LeaseLost` once `stop` is set. Nothing runs any more afterwards.
    """
    directory = directory.resolve()
    with Child(directory=directory, request=_as_json(request, proxy, directory)) as child:
        try:
            last = _last_word(child, proxy=proxy, directory=directory, on_progress=on_progress, stop=stop)
        except Implausible as error:
            log("fetcher_implausible", reason=str(error))
            raise WorkerCrashed from error
    if isinstance(last, Finished):
        return Fetched(path=_checked(directory / last.name), media=last.media)
    if isinstance(last, Failed):
        log("fetch_failed", error_code=last.error.code, detail=last.detail, egress_refused=proxy.refused)
        raise _explained(last.error, proxy)
    log("fetcher_died", exit_status=child.exit_status, stderr=child.stderr_tail)
    raise WorkerCrashed


def _as_json(request: FetchRequest, proxy: EgressProxy, directory: Path) -> bytes:
    return json.dumps({**dataclasses.asdict(request), "proxy": proxy.url, "directory": str(directory)}).encode()


def _last_word(
    child: Child,
    *,
    proxy: EgressProxy,
    directory: Path,
    on_progress: Callable[[Progress], None],
    stop: threading.Event,
) -> Event | None:
    last: Event | None = None
    while (lines := child.lines(wait_s=POLL_S, most=events.MAX_EVENT_BYTES)) is not None:
        if stop.is_set():
            raise LeaseLost
        if proxy.verdict:
            raise source_error(proxy.verdict)
        for line in lines:
            last = events.parse(line, directory=directory)
            if isinstance(last, Progress):
                on_progress(last)
    if proxy.verdict and not isinstance(last, Finished):
        raise source_error(proxy.verdict)
    return None if isinstance(last, Progress) else last


def _explained(error: SourceError, proxy: EgressProxy) -> SourceError:
    if proxy.refused and isinstance(error, _VAGUE):
        return SourceRefused()
    return error


def _checked(path: Path) -> Path:
    """A regular file, and not a link to somebody else's."""
    try:
        mode = path.lstat().st_mode
    except OSError as error:
        raise WorkerCrashed from error
    if not stat.S_ISREG(mode):
        raise WorkerCrashed
    return path
