"""Fetch one job's media in a process of its own, and believe neither the source nor that process."""

import contextlib
import dataclasses
import json
import os
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Protocol

from downloader import events, kernel, room
from downloader.answers import Answer, Fetched, FetchedExtra, FetchRequest, Found, FoundPlaylist, Resume, checked
from downloader.child import Child, harden_parent, prepare
from downloader.events import Event, Failed, Growing, Grown, Paused
from downloader.fetcher.reporting import without_addresses
from downloader.plausible import Implausible
from downloader.redaction import without
from downloader.template import NoTemplate
from reelhaul.egress import EgressProxy, Upstream
from reelhaul.errors import (
    ExtractorBroken,
    LeaseLost,
    SiteNotAllowed,
    SourceError,
    SourceRefused,
    SourceTooLarge,
    SourceUnreachable,
    SourceUnsupported,
    StorageUnavailable,
    WorkerCrashed,
    source_error,
)
from reelhaul.findings import Entry, Inspection
from reelhaul.jobs import Media, Progress

__all__ = [
    "Entry", "FetchRequest", "Fetched", "FetchedExtra", "Found", "FoundPlaylist", "Inspection", "Outlet", "Paused",
    "Resume", "fetch", "guarded_fetch", "harden_parent", "prepare_in_init",
]  # fmt: skip

POLL_S = 0.1
_UNFINISHED = ".part"
# Endings that a connection which policy denied, or an upstream did not make, explains better than they do themselves.
_VAGUE = (SourceUnsupported, SourceUnreachable, ExtractorBroken)


def prepare_in_init() -> None:
    """Have the first fetcher's code imported beside this process's own, if Lambda's runtime is what imports that."""
    if "awslambdaric" in sys.modules:
        with contextlib.suppress(OSError):  # the first job sees for itself
            prepare()


class Outlet(Protocol):
    """Where a medium goes while it is fetched. What it raises ends the fetch."""

    def has_room(self) -> bool:
        """Whether more should come at all; for any thread."""

    def begin(self, path: Path, media: Media) -> None:
        """The file at `path`, which may be renamed later, becomes the medium."""

    def extend(self, final_bytes: int) -> None:
        """So many bytes of it stay as they are."""

    def tend(self) -> None:
        """Some time has passed."""


def guarded_fetch(
    request: FetchRequest,
    *,
    directory: Path,
    deadline: float,
    allowed_origins: frozenset[str],
    denied_sites: frozenset[str] = frozenset(),
    on_progress: Callable[[Progress], None],
    stop: threading.Event,
    log: Callable[..., None],
    upstream: Upstream | None = None,
    outlet: Outlet | None = None,
) -> Found:
    """As `fetch`, with a filtering proxy of this request's own as the only way out. `deadline` is monotonic.

    With an `upstream` the connections that the proxy lets through go by that.
    """
    with EgressProxy(
        allowed_origins=allowed_origins,
        denied_sites=denied_sites,
        max_bytes=request.max_bytes,
        deadline=deadline,
        upstream=upstream,
        has_room=outlet.has_room if outlet else lambda: True,
    ) as proxy:
        return fetch(
            request, proxy=proxy, directory=directory, on_progress=on_progress, stop=stop, log=log, outlet=outlet
        )


def fetch(
    request: FetchRequest,
    *,
    proxy: EgressProxy,
    directory: Path,
    on_progress: Callable[[Progress], None],
    stop: threading.Event,
    log: Callable[..., None],
    outlet: Outlet | None = None,
) -> Found:
    """Fetch into `directory`, which is the job's own, fresh and empty, through `proxy` and before its deadline.

    `on_progress` is called from this thread and may raise, which ends the fetch. `log(event, **fields)` is told what is
    not fit for the user. Raises `SourceError`, or `LeaseLost` once `stop` is set. Nothing runs any more afterwards.
    """
    directory = directory.resolve()
    answer = Answer(request, directory)
    try:
        with Child(directory=directory, request=_as_json(request, proxy, directory)) as child:
            for event in _heard(child, answer, directory, proxy=proxy, outlet=outlet, stop=stop):
                _pass_on(event, directory, on_progress=on_progress, outlet=outlet)
    except Implausible as error:
        log("fetcher_implausible", reason=str(error))
        raise WorkerCrashed from error
    except NoTemplate as error:
        log("fetcher_not_started", reason=str(error))
        raise WorkerCrashed from error
    found = answer.outcome()
    if isinstance(found, Failed):
        detail = _without_cookies(found.detail, request)
        log("fetch_failed", error_code=found.error.code, detail=detail, egress_refused=proxy.refused)
        if isinstance(found.error, StorageUnavailable) and not room.fits(directory):
            raise SourceTooLarge
        raise _explained(found.error, proxy)
    if found is None:
        stderr = without_addresses(_without_cookies(child.stderr_tail, request))
        log("fetcher_died", exit_status=child.exit_status, stderr=stderr)
        raise WorkerCrashed
    return found


def _without_cookies(text: str, request: FetchRequest) -> str:
    return without((cookie.value for cookie in request.cookies), text)


def _as_json(request: FetchRequest, proxy: EgressProxy, directory: Path) -> bytes:
    # The clock is the machine's, and the fetcher may have to wait for its template first.
    around = {"proxy": proxy.url, "directory": str(directory), "ends_at": proxy.deadline}
    walls = {"kernel": dataclasses.asdict(kernel.support())}
    return json.dumps({**dataclasses.asdict(request), **around, **walls}).encode()


def _heard(
    child: Child,
    answer: Answer,
    directory: Path,
    *,
    proxy: EgressProxy,
    outlet: Outlet | None,
    stop: threading.Event,
) -> Iterator[Event]:
    while (lines := child.lines(wait_s=POLL_S, most=events.MAX_EVENT_BYTES)) is not None:
        if stop.is_set():
            raise LeaseLost
        for line in lines:
            yield answer.take(line)
        if proxy.verdict and not answer.ends_well:  # a last word that came in time counts, however late it is heard
            raise source_error(proxy.verdict)
        if not room.fits(directory):
            raise SourceTooLarge
        if outlet:
            outlet.tend()
    if proxy.verdict and not answer.ends_well:
        raise source_error(proxy.verdict)


def _pass_on(event: Event, directory: Path, *, on_progress: Callable[[Progress], None], outlet: Outlet | None) -> None:
    match event:
        case Progress():
            on_progress(event)
        case Growing(name, media) if outlet:
            _begin(outlet, directory / name, media)
        case Grown(final_bytes) if outlet:
            outlet.extend(final_bytes)


def _begin(outlet: Outlet, path: Path, media: Media) -> None:
    """yt-dlp takes its suffix away once all of it has come, which may be before anybody has heard of the file."""
    try:
        outlet.begin(checked(path), media)
    except (WorkerCrashed, FileNotFoundError):
        if path.suffix != _UNFINISHED or os.path.lexists(path):
            raise
        outlet.begin(checked(path.with_suffix("")), media)


def _explained(error: SourceError, proxy: EgressProxy) -> SourceError:
    if proxy.refused_site and isinstance(error, (SourceRefused, *_VAGUE)):
        return SiteNotAllowed()
    if proxy.refused and isinstance(error, _VAGUE):
        return SourceRefused()
    if proxy.upstream_error and isinstance(error, _VAGUE):
        return source_error(proxy.upstream_error)
    return error
