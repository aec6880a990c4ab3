"""What has happened, as somebody sees it who watches the table, the bus and the webhooks' targets."""

import collections
import dataclasses
import json
from typing import Any

from reelhaul import items
from reelhaul.ids import is_id
from reelhaul.jobs import ACTIVE, Job, State
from tests import stream
from tests.model.use import Use
from tests.model.wire import Wire

_ENDS = frozenset({State.DONE, State.FAILED, State.CANCELLED})
KINDS = {
    State.DONE: "download.completed", State.FAILED: "download.failed", State.CANCELLED: "download.cancelled",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class End:
    """One write that ended a generation of a job; its removal while it was active is one, too."""

    state: State
    by_removal: bool = False


def _end(job: Job) -> tuple[State, int, float | None]:
    """What tells one end from another: who writes a job that has ended, as the sweeper does, leaves this alone."""
    return job.state, job.generation, job.completed_at


class History:
    def __init__(self) -> None:
        self.records: list[dict[str, Any]] = []  # the table's stream
        self.ends: dict[tuple[str, int], list[End]] = collections.defaultdict(list)  # by job id and generation
        self.announced: dict[str, set[str]] = collections.defaultdict(set)  # event id -> what was said to have happened
        self.called: dict[str, set[str]] = collections.defaultdict(set)  # the same, by webhooks
        self.reasons: dict[tuple[str, int], set[str]] = collections.defaultdict(set)  # why it may have failed
        self.tenants: dict[str, str] = {}  # of all jobs that there ever were
        self.whole: set[bytes] = set()  # files that came in pieces, as they should be
        self.mixed_up: list[str] = []  # what went wrong with such
        self.use = Use()
        self.created: collections.Counter[str] = collections.Counter()

    def changed(self, old: Wire | None, new: Wire | None, *, at: float) -> None:
        seen = items.from_wire(new or old or {})
        if str(seen.get("pk")).endswith("#grants") and old is None:
            self.use.granted(items.tenant_of(str(seen["pk"])).partition("#")[0], seen)
        if not (is_id(str(seen.get("sk"))) and str(seen.get("pk")).startswith(items.partition(""))):
            return
        self.records.append(stream.of_items(old, new, at=at))
        job_id = str(seen["sk"])
        self.tenants[job_id] = str(seen["pk"]).removeprefix(items.partition(""))
        before, after = (None if wire is None else items.from_item(items.from_wire(wire)) for wire in (old, new))
        self.use.changed(before, after)
        if before is None:
            self.created[job_id] += 1
        if after is not None and after.state in _ENDS and (before is None or _end(before) != _end(after)):
            self.ends[job_id, after.generation].append(End(after.state))
        if after is None and before is not None and before.state in ACTIVE:
            self.ends[job_id, before.generation].append(End(State.CANCELLED, by_removal=True))

    def put_on_bus(self, entries: list[dict[str, Any]]) -> None:
        for entry in entries:
            detail = json.loads(entry["Detail"])
            self.announced[detail["id"]].add(entry["DetailType"])

    def posted(self, headers: dict[str, str], body: bytes) -> None:
        self.called[headers["webhook-id"]].add(json.loads(body)["type"])

    def expected_events(self) -> dict[str, set[str]]:
        """What should have been announced."""
        return {
            f"msg_{job_id.removeprefix('download-')}_{generation}": {KINDS[end.state] for end in ends}
            for (job_id, generation), ends in self.ends.items()
        }
