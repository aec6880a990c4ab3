"""What the sweeper does: it mends whatever a crash, a lost message or a deleted job has left behind.

Where two could act at once, the state is changed first, and only who succeeded in that goes on (a resent message).
Where something is removed, that comes first, and the job stays due until it is known to have worked.
"""

import collections
import time
from collections.abc import Callable
from typing import Any

from reelhaul import playlists, remove, steps
from reelhaul.errors import Conflict, DeadLetter, JobNotFound, RecordUnreadable, WorkerCrashed
from reelhaul.items import is_partition, partition
from reelhaul.jobs import MAX_ATTEMPTS, MAX_SENDS, DeliveryState, Job, State
from reelhaul.objects import MediaBucket
from reelhaul.queue import JobQueue
from reelhaul.store import JobStore, Tombstone, Unreadable
from reelhaul.submit import send


class Sweeper:
    """One pass is `run`.

    `announce` sends the message about a job's webhook, and raises `ServiceUnavailable`. `logger` is a Powertools
    logger, `clock` gives seconds since the epoch.
    """

    def __init__(
        self,
        *,
        store: JobStore,
        queue: JobQueue,
        bucket: MediaBucket,
        announce: Callable[[Job], None],
        logger: Any,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._queue = queue
        self._bucket = bucket
        self._announce = announce
        self._has_time: Callable[[], bool] = lambda: True
        self._logger = logger
        self._clock = clock

    def run(self, *, has_time: Callable[[], bool]) -> dict[str, int]:
        """Look at everything that is due, as long as it `has_time`. Returns how often what was done.

        What goes wrong with one of them is logged and counted as `broken`; the next pass tries again.
        """
        self._has_time = has_time
        done: collections.Counter[str] = collections.Counter()
        for found in self._store.due(self._clock()):
            if not has_time():
                done["postponed"] += 1
                break
            try:
                done[self._look_at(found)] += 1
            except RecordUnreadable as error:  # its own record, or that of one of its items
                done[self._condemn(error)] += 1
            except (Conflict, JobNotFound):
                done["moved_on"] += 1  # somebody was faster, which is all that matters
            except (
                Exception
            ):  # one broken record must not keep the others waiting; it is logged, counted, and still due
                self._logger.exception("sweep_broken", **_named(found))
                done["broken"] += 1
        return dict(done)

    def _look_at(self, found: Job | Tombstone | Unreadable) -> str:
        if isinstance(found, Unreadable):
            return self._see_to(found)
        if isinstance(found, Tombstone):
            return self._settle(found)
        job, now = self._store.get(found.tenant, found.id, even_over=True), self._clock()
        if job.due_at is None or job.due_at > now:
            return "moved_on"  # the index lags behind: a heartbeat may have come in since
        looks = {State.QUEUED: self._remind, State.RUNNING: self._take_back, State.EXPANDED: self._recount}
        return looks.get(job.state, self._look_after)(job, now)

    def _see_to(self, found: Unreadable) -> str:
        if found.is_newer or is_partition(found.partition):
            raise found.error
        self._logger.error("sweep_unreadable", **_named(found))
        self._store.shelve(found)  # nobody can say what it was to be done about
        return "broken"

    def _condemn(self, error: RecordUnreadable) -> str:
        """A damaged record ends its job, or it would be stumbled over for ever. A later version's is left for that."""
        if error.is_newer:
            self._logger.error("sweep_newer", job_id=error.job_id, tenant=error.tenant)
            return "newer"
        self._store.condemn(error.tenant, error.job_id)
        self._logger.error("job_condemned", job_id=error.job_id, tenant=error.tenant)
        return "condemned"

    def _remind(self, job: Job, now: float) -> str:
        if job.attempts >= MAX_ATTEMPTS or job.sends >= MAX_SENDS:
            error = WorkerCrashed() if job.attempts >= MAX_ATTEMPTS else DeadLetter()
            self._store.swap(job, steps.fail(job, error, now=now))
            return "failed"
        self._send(self._store.swap(job, steps.resend(job, now=now)))
        return "resent"

    def _take_back(self, job: Job, now: float) -> str:
        """The lease is over: the worker is dead, or so slow that it will find its job gone."""
        if job.attempts >= MAX_ATTEMPTS:
            self._store.swap(job, steps.fail(job, WorkerCrashed(), now=now, cut_off=True))
            return "failed"
        self._send(self._store.swap(job, steps.requeue(job, now=now, cut_off=True)))
        return "requeued"

    def _recount(self, playlist: Job, _now: float) -> str:
        playlists.recount(playlist.tenant, playlist.id, store=self._store, always=True, clock=self._clock)
        return "recounted"

    def _look_after(self, job: Job, now: float) -> str:
        """A job that has ended: what it left behind, who has to hear of it, and when its file and its record go.

        Only what this job's fences wrote is removed: it may be retried, and claimed, at this very moment.
        """
        if job.is_untidy_at(now):
            return self._tidy(job, now)
        if job.state is State.DONE and job.file_expires_at is not None and now >= job.file_expires_at:
            self._store.swap(job, steps.expire(job, now=now))
            return "expired"
        if job.state is State.EXPIRED and job.removal_at is not None and now >= job.removal_at:
            self._bucket.clean(job.tenant, job.id, up_to=job.fence)
            self._store.swap(job, steps.remove_file(job, now=now))
            return "removed"
        if job.forgotten_at is not None and now >= job.forgotten_at:
            self._bucket.clean(job.tenant, job.id)
            self._store.forget(job)
            return "forgotten"
        if job.webhook and job.webhook.state is DeliveryState.PENDING:
            return self._announce_again(job, now)
        self._store.swap(job, steps.tidied(job, now=now))  # nothing to do: an index entry that was too early
        return "tidied"

    def _tidy(self, job: Job, now: float) -> str:
        self._bucket.clean(job.tenant, job.id, keep=job.keys, up_to=job.fence)
        if job.state in {State.CANCELLED, State.FAILED} and not remove.cancel_items(
            job, store=self._store, has_time=self._has_time, clock=self._clock
        ):
            return "postponed"
        self._store.swap(job, steps.tidied(job, now=now))
        return "tidied"

    def _announce_again(self, job: Job, now: float) -> str:
        """Its message is long overdue. The job is written first: of two sweepers one sends."""
        again = self._store.swap(job, steps.announce_again(job, now=now))
        if again.webhook is None or again.webhook.state is not DeliveryState.PENDING:
            return "given_up"
        self._announce(again)
        return "announced"

    def _settle(self, tombstone: Tombstone) -> str:
        self._bucket.clean(tombstone.tenant, tombstone.job_id)
        if tombstone.has_items and not remove.delete_items(
            tombstone.tenant,
            tombstone.job_id,
            store=self._store,
            bucket=self._bucket,
            log=self._logger.error,
            has_time=self._has_time,
            clock=self._clock,
        ):
            return "postponed"
        if self._clock() < tombstone.final_at:
            self._store.put_off(tombstone)
            return "cleaned"
        self._store.bury(tombstone)
        return "buried"

    def _send(self, job: Job) -> None:
        send(job, queue=self._queue, log=self._logger.error)


def _named(found: Job | Tombstone | Unreadable) -> dict[str, str]:
    job_id = found.id if isinstance(found, Job) else found.job_id
    tenant = found.partition.removeprefix(partition("")) if isinstance(found, Unreadable) else found.tenant
    return {"job_id": job_id, "tenant": tenant}
