"""What the announcer does: it tells of every job that came to its end, as the table's stream shows it.

A job's last write is the only thing that can be lost, and then nothing has ended. Whatever fails after it, the stream
repeats, so that everything here happens at least once. Repetitions do no harm: an event has the same id each time, a
second message about a webhook is stale once the first was delivered, and a playlist is counted anew.
"""

import dataclasses
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from reelhaul import items, playlists, steps
from reelhaul.aws import translated
from reelhaul.contracts.replies import dumps
from reelhaul.errors import RecordUnreadable, ServiceUnavailable
from reelhaul.ids import is_id
from reelhaul.jobs import ACTIVE, Job, State
from reelhaul.measures import Measures
from reelhaul.store import JobStore
from reelhaul.webhooks import WebhookQueue, events

Record = Mapping[str, Any]

_DEPLOY_S = 900  # how long two versions may be at work at once; what the newer one wrote waits for it
_ENDS = frozenset({State.DONE.value, State.FAILED.value, State.CANCELLED.value})


class Bus:
    """Others may listen to it. `client` is a boto3 EventBridge client."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def put(self, job: Job) -> None:
        """Tell of the end of `job`. Raises `ServiceUnavailable`."""
        detail = events.bus_detail(job)
        entry = {
            "EventBusName": self._name, "Source": events.SOURCE, "DetailType": detail["type"], "Detail": dumps(detail),
        }  # fmt: skip
        with translated():
            reply = self._client.put_events(Entries=[entry])
        if reply.get("FailedEntryCount"):  # no error of the call: it says so beside its success
            raise ServiceUnavailable


@dataclasses.dataclass(frozen=True, slots=True)
class Change:
    """What one record of the stream means: a job that `ended` by it, a playlist (tenant, id) whose items changed."""

    sequence: str
    ended: Job | None = None
    playlist: tuple[str, str] | None = None
    is_newer: bool = False  # what it means is for a later version to say


def read(record: Record, *, now: float) -> Change:
    """Raises `KeyError`, `TypeError` or `ValueError` for a record of a job that cannot be read."""
    sequence, change = record["dynamodb"]["SequenceNumber"], record["dynamodb"]
    if not _is_job(items.from_wire(change["Keys"])):
        return Change(sequence)
    old, new = (_image(change, name) for name in ("OldImage", "NewImage"))
    if new is not None:
        return _ended(sequence, items.from_item(new)) if _has_ended(old, new) else Change(sequence)
    if old is None:
        return Change(sequence)
    removed = items.from_item(old)
    if removed.state in ACTIVE:  # nobody wrote an end of it: its removal is that
        return _ended(sequence, steps.cancel(removed, now=float(change.get("ApproximateCreationDateTime", now))))
    return Change(sequence, playlist=_playlist(removed))


def _named(record: Record) -> dict[str, str]:
    """Which job a record is about, if that much can be read."""
    try:
        keys = items.from_wire(record["dynamodb"]["Keys"])
        return {"job_id": str(keys["sk"]), "tenant": str(keys["pk"]).removeprefix(items.partition(""))}
    except (KeyError, TypeError, ValueError, AttributeError):
        return {}


def _is_job(keys: items.Item) -> bool:
    return str(keys["pk"]).startswith(items.partition("")) and is_id(str(keys["sk"]))


def _image(change: Record, name: str) -> items.Item | None:
    return items.from_wire(change[name]) if name in change else None


def _has_ended(old: items.Item | None, new: items.Item) -> bool:
    """Whether this very change ended the job. Its record is written again later: for webhooks, and by the sweeper."""
    if new["state"] not in _ENDS:
        return False
    return old is None or old.get("generation") != new["generation"] or old.get("state") in ACTIVE


def _ended(sequence: str, job: Job) -> Change:
    return Change(sequence, ended=job, playlist=_playlist(job))


def _playlist(job: Job) -> tuple[str, str] | None:
    return None if job.item is None else (job.tenant, job.item.parent_id)


class Announcer:
    """`logger` is a Powertools logger, `clock` gives seconds since the epoch."""

    def __init__(
        self,
        *,
        store: JobStore,
        bus: Bus,
        queue: WebhookQueue,
        measures: Measures,
        logger: Any,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._store = store
        self._bus = bus
        self._queue = queue
        self._measures = measures
        self._logger = logger
        self._clock = clock

    def run(self, records: Sequence[Record]) -> str | None:
        """Announce what `records` tell, in order. Returns the sequence number of the first that has to come again.

        Lambda repeats everything from there on, so what would follow it is not begun.
        """
        changes = [change for change in map(self._read, records) if change is not None]
        announced: list[Change] = []
        for change in changes:
            if not self._announce(change):
                break
            announced.append(change)
        failed = [*self._uncounted(announced), *(change.sequence for change in changes[len(announced) :])]
        return min(failed, key=int, default=None)

    def _read(self, record: Record) -> Change | None:
        """A record that cannot be read now never can: it must not hold up those behind it.

        One of a later version can, as soon as that is everywhere. It is waited for, but not for ever.
        """
        now = self._clock()
        try:
            return read(record, now=now)
        except items.NewerSchema:
            written_at = float(record["dynamodb"].get("ApproximateCreationDateTime", now))
            self._logger.exception("change_newer", event_id=record.get("eventID"), **_named(record))
            is_late = now - written_at > _DEPLOY_S
            return None if is_late else Change(record["dynamodb"]["SequenceNumber"], is_newer=True)
        except (KeyError, TypeError, ValueError, AttributeError):
            self._logger.exception("change_unreadable", event_id=record.get("eventID"), **_named(record))
            return None

    def _announce(self, change: Change) -> bool:
        job = change.ended
        if job is None:
            return not change.is_newer
        try:
            self._bus.put(job)
            if job.callback_url is not None:
                self._queue.send(job)
        except ServiceUnavailable:
            self._logger.exception("announcement_postponed", job_id=job.id, tenant=job.tenant)
            return False
        self._measures.job_ended(job)
        self._logger.info("announced", job_id=job.id, tenant=job.tenant, event=events.event_type(job))
        return True

    def _uncounted(self, changes: Iterable[Change]) -> Iterable[str]:
        """Count each playlist's items once. Gives the sequence numbers of those where that was not possible."""
        first = {change.playlist: change.sequence for change in reversed(list(changes)) if change.playlist}
        for (tenant, parent_id), sequence in first.items():
            try:
                playlists.recount(tenant, parent_id, store=self._store, clock=self._clock)
            except RecordUnreadable:  # of an item, which ends with a change of its own when it is mended
                self._logger.exception("recount_impossible", job_id=parent_id, tenant=tenant)
            except ServiceUnavailable:
                self._logger.exception("recount_postponed", job_id=parent_id, tenant=tenant)
                yield sequence
