"""One job from claim to end. Every way out of `Worker.run` leaves the job ended, queued again, or somebody else's."""

import functools
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Protocol

from downloader import verdicts
from downloader.child import end_strays
from downloader.fetch import Fetched, Found, FoundPlaylist, Paused
from downloader.lease import Lease
from downloader.outlet import Outlet
from downloader.relay import Relay
from downloader.stopwatch import Stopwatch
from downloader.transfer import Uploader
from reelhaul import playlists, steps
from reelhaul.errors import (
    Conflict,
    ExtractorBroken,
    JobNotFound,
    JobsPerDayReached,
    LeaseLost,
    LimitReached,
    ReelhaulError,
    ServiceUnavailable,
    SourceChanged,
    SourceIsPlaylist,
    WorkerCrashed,
)
from reelhaul.jobs import (
    PLAYLIST_LIMIT,
    Job,
    Media,
    Phase,
    Playlist,
    Progress,
    State,
    StoredExtra,
    StoredObject,
)
from reelhaul.limits import check_bytes
from reelhaul.measures import Measures, Transfer
from reelhaul.objects import MediaBucket
from reelhaul.queue import JobMessage, JobQueue
from reelhaul.store import JobStore
from reelhaul.submit import send

_SENDING_S, _SENDING_SHARE = 15.0, 0.15  # of the time there is: for what the fetch leaves to be sent
_DIRECTORY = "job-"
_MAX_TOTAL_S = 21_600
_LAST_WORDS_S = 1.0  # what it takes to clean up and to write the verdict before Lambda ends the process


class Fetch(Protocol):
    """How the worker has a job's media fetched; `downloader.fetch` does it, in a process of its own."""

    def __call__(
        self,
        job: Job,
        *,
        directory: Path,
        deadline: float,
        on_progress: Callable[[Progress], None],
        stop: threading.Event,
        outlet: Outlet,
    ) -> Found:
        """Fetch into `directory` before `deadline` (monotonic). Raises `SourceError`, and `LeaseLost` when stopped.

        What grows from its beginning to its end may go to the `outlet` meanwhile, whose errors are passed on.
        """


class Worker:
    """Runs jobs, one at a time, each in a fresh directory below `work_directory`, which no other worker uses.

    One that takes longer than a worker lives is handed over to the next, until all of it took `max_total_s`, attempts
    that have failed included.
    """

    def __init__(
        self,
        *,
        store: JobStore,
        queue: JobQueue,
        s3: Any,
        bucket_name: str,
        fetch: Fetch,
        work_directory: Path,
        logger: Any,
        measures: Measures,
        max_total_s: float = _MAX_TOTAL_S,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._queue = queue
        self._s3 = s3
        self._bucket_name = bucket_name
        self._bucket = MediaBucket(s3, bucket_name)
        self._fetch = fetch
        self._work_directory = work_directory
        self._logger = logger
        self._measures = measures
        self._clock = clock
        self._relay = Relay(
            store=store, queue=queue, clean=self._clean, max_total_s=max_total_s, logger=logger, clock=clock
        )
        self._stop = threading.Event()
        self._interrupted = False
        self._has_items = False  # whether the current job has begun to become a playlist
        # Lambda keeps /tmp when it starts a process anew after a crash; whatever lies there is of a job that is over.
        for left in work_directory.glob(f"{_DIRECTORY}*"):
            end_strays(left)
            shutil.rmtree(left, ignore_errors=True)

    def interrupt(self) -> None:
        """The process has to end: give the current job back. Safe to call from a signal handler."""
        self._interrupted = True
        self._stop.set()

    def run(self, message: JobMessage, *, ends_at: float) -> None:
        """Carry out the job that `message` names, if it is still to be done, before `ends_at` (monotonic).

        Raises `ServiceUnavailable` only before the claim: then nothing has happened and the message should come again.
        """
        claimed = self._claim(message)
        if claimed is None:
            return
        job, queued_s = claimed
        self._logger.info("job_claimed", job_id=job.id, tenant=job.tenant, attempt=job.attempts, fence=job.fence)
        self._stop.clear()
        if self._interrupted:  # asked only now, or an interruption just before the line above would be forgotten
            self._stop.set()
        self._attempt(job, queued_s=queued_s, ends_at=ends_at)

    def _claim(self, message: JobMessage) -> tuple[Job, float] | None:
        """The job, and for how many seconds it was waiting."""
        try:
            job = self._store.get(message.tenant, message.job_id)
            if job.state is not State.QUEUED or job.generation != message.generation:
                return None
            if message.untried_only and job.attempts:
                return None
            if playlists.is_called_off(job, store=self._store):
                self._store.swap(job, steps.cancel(job, now=self._clock()))
                return None
            if self._is_over_limit(job):
                return None
            now = self._clock()
            return self._store.swap(job, steps.claim(job, now=now)), max(0.0, now - _queued_at(job))
        except (JobNotFound, Conflict):
            return None  # deleted, or another worker was faster: the message is done with either way

    def _is_over_limit(self, job: Job) -> bool:
        """Whether the day's bytes were used up while the job waited: then it ends. Whatever runs by then may finish."""
        if job.limits is None or job.limits.max_bytes_per_day is None:
            return False
        now = self._clock()
        try:
            check_bytes(job.limits, self._store.usage(job.tenant, now=now), now=now)
        except LimitReached as error:
            self._store.swap(job, steps.fail(job, error, now=now))
            self._logger.info("job_over_limit", job_id=job.id, tenant=job.tenant, error_code=error.code)
            return True
        return False

    def _attempt(self, job: Job, *, queued_s: float, ends_at: float) -> None:
        watch = Stopwatch()
        lease = Lease(job, store=self._store, stop=self._stop, clock=self._clock)
        self._has_items = False
        began_at = time.monotonic()

        def on_progress(progress: Progress) -> None:
            watch.heard(progress)
            lease.report(progress)

        try:
            uploader = Uploader(self._s3, self._bucket_name, stop=self._stop, deadline=ends_at - _LAST_WORDS_S)
            with lease, self._fresh_directory() as directory, Outlet(job, uploader) as outlet:
                outlet.take_over(Path(directory))
                found = self._fetch(
                    job,
                    directory=Path(directory),
                    deadline=_fetched_by(ends_at),
                    on_progress=on_progress,
                    stop=self._stop,
                    outlet=outlet,
                )
                watch.finished()
                if isinstance(found, Paused):
                    checkpoint = self._relay.checkpoint(job, found, outlet, began_at=began_at)
                    settle: Callable[[Job], None] = functools.partial(self._relay.hand_over, checkpoint=checkpoint)
                else:
                    settle = self._prepared(job, found, lease, watch, outlet, queued_s=queued_s)
            held = lease.end()
        except Exception as error:  # noqa: BLE001 - whatever went wrong, the job must end or go back
            self._give_up(job, lease, error)
            return
        settle(held)

    def _fresh_directory(self) -> tempfile.TemporaryDirectory[str]:
        """One that nobody has used before. Raises `OSError`, as on a disk that is full."""
        return tempfile.TemporaryDirectory(prefix=_DIRECTORY, dir=self._work_directory, ignore_cleanup_errors=True)

    def _prepared(
        self, job: Job, found: Found, lease: Lease, watch: Stopwatch, outlet: Outlet, *, queued_s: float
    ) -> Callable[[Job], None]:
        """Do what takes time with what was found, under the lease; what is returned writes the outcome."""
        if isinstance(found, FoundPlaylist):
            if job.checkpoint is not None:
                raise SourceChanged
            made = self._add_items(job, found)
            return lambda held: self._expand(held, found, made)
        if not isinstance(found, Fetched):
            raise WorkerCrashed
        lease.report(_all_of(found.path.stat().st_size))
        stored, extras = outlet.store(found)
        size = stored.size + sum(extra.size for extra in extras)
        transfer = watch.stop(size=size, queued_s=queued_s)
        return lambda held: self._complete(held, found.media, stored, extras, transfer)

    def _add_items(self, job: Job, found: FoundPlaylist) -> int:
        if job.item is not None:
            raise SourceIsPlaylist  # a list within a list would have no end
        self._has_items = True
        made = playlists.add_items(
            job,
            found.entries,
            store=self._store,
            queue=self._queue,
            log=self._logger.warning,
            goes_on=lambda: not self._stop.is_set(),
            clock=self._clock,
        )
        if self._stop.is_set():
            raise LeaseLost
        return made

    def _expand(self, job: Job, found: FoundPlaylist, made: int) -> None:
        details = {"job_id": job.id, "tenant": job.tenant, "items": made}
        by = JobsPerDayReached.code if made < len(found.entries) else PLAYLIST_LIMIT if found.truncated else None
        playlist = Playlist(title=found.title, total=made, truncated=by is not None, truncated_by=by)
        try:
            self._store.swap(job, steps.expand(job, playlist, now=self._clock()))
            self._logger.info("job_expanded", **details)
            # Those that ended before this line was reached found no playlist to be counted in.
            playlists.recount(job.tenant, job.id, store=self._store, clock=self._clock)
        except Conflict:
            self._logger.info("job_lost", **details)
        except ServiceUnavailable:
            self._logger.exception("job_left_to_the_sweeper", **details)

    def _complete(
        self, job: Job, media: Media, stored: StoredObject, extras: tuple[StoredExtra, ...], transfer: Transfer
    ) -> None:
        details = {"job_id": job.id, "tenant": job.tenant, "bytes": stored.size}
        try:
            done = self._store.swap(job, steps.complete(job, media, stored, extras=extras, now=self._clock()))
        except Conflict:
            if not self._is_done_with(job, stored):
                self._clean(job)
            self._logger.info("job_lost", **details)
        except ServiceUnavailable:
            # It may or may not be written. The object stays, as a job that is done must have it; if it is not, the
            # sweeper finds the lease over, and removes the object once another worker has finished.
            self._logger.exception("job_left_to_the_sweeper", **details)
        else:
            seconds = round((done.completed_at or 0) - job.created_at, 3)
            self._logger.info("job_finished", **details, seconds=seconds, attempt=job.attempts)
            self._measures.stored(job, transfer)

    def _is_done_with(self, job: Job, stored: StoredObject) -> bool:
        """Whether our completion is in the table after all: its reply may have hung until the sweeper came by."""
        try:
            seen = self._store.get(job.tenant, job.id)
        except JobNotFound:
            return False
        except ServiceUnavailable:
            return True  # not known: better an object too many, which the sweeper collects, than one too few
        return seen.state is State.DONE and seen.stored == stored

    def _give_up(self, job: Job, lease: Lease, error: Exception) -> None:
        """The attempt did not succeed: remove what it wrote, and say so in the job unless that has moved on."""
        details = {"job_id": job.id, "tenant": job.tenant, "attempt": job.attempts}
        tidy = self._clean(job) and not self._has_items  # some may run that no playlist will show
        if not isinstance(error, ReelhaulError):
            self._logger.error("job_attempt_broken", exc_info=error, **details)
        try:
            held = lease.end()
            after, delay_s = self._after(held, error, tidy=tidy)
            self._store.swap(held, after)
        except (LeaseLost, Conflict):
            self._logger.info("job_lost", **details)
        except ServiceUnavailable:
            self._logger.exception("job_left_to_the_sweeper", **details)
        else:
            code = after.error_code or getattr(error, "code", None)  # a job that is tried again keeps none
            cause = repr(error.__cause__) if error.__cause__ else None
            self._logger.info("job_attempt_failed", **details, state=after.state, error_code=code, cause=cause)
            if isinstance(error, ExtractorBroken):
                self._measures.extractor_broken(job, error.extractor)
            if after.state is State.QUEUED:
                send(after, queue=self._queue, log=self._logger.warning, delay_s=delay_s)

    def _after(self, job: Job, error: Exception, *, tidy: bool) -> tuple[Job, float]:
        """What becomes of a job whose attempt ended with `error`, and after how many seconds it is tried again."""
        now = self._clock()
        if self._interrupted:
            return steps.requeue(job, now=now, count=False, cut_off=not tidy), 0.0
        return verdicts.after(job, error, now=now, tidy=tidy)

    def _clean(self, job: Job) -> bool:
        """Remove what this attempt wrote. False when that cannot be said to have worked."""
        try:
            self._bucket.clean(job.tenant, job.id, fence=job.fence)
        except ServiceUnavailable:
            return False
        return True


def _fetched_by(ends_at: float) -> float:
    """When the fetch has to have ended. Until then most has been sent, or the fetch has left more time than this."""
    left_s = ends_at - _LAST_WORDS_S - time.monotonic()
    return ends_at - _LAST_WORDS_S - min(_SENDING_S, left_s * _SENDING_SHARE)


def _queued_at(job: Job) -> float:
    """Since when a queued job waits: since it was asked for, or since it was last put back or sent anew."""
    is_first = job.generation == 1 and job.attempts == 0 and job.checkpoint is None
    return job.created_at if is_first else job.updated_at


def _all_of(size: int) -> Progress:
    return Progress(phase=Phase.FINISHING, downloaded_bytes=size, total_bytes=size)
