"""One hostile case through the real worker, and everything that can be seen of it afterwards."""

import contextlib
import dataclasses
import json
import os
import threading
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from downloader import child, handler
from get_status.handler import lambda_handler as get_status
from reelhaul import aws
from reelhaul.jobs import MAX_ATTEMPTS, Job, State
from reelhaul.options import Options
from tests.conftest import Cloud
from tests.events import Context, HttpRequest
from tests.faults.deliveries import Deliveries
from tests.hostile.names import NameServer
from tests.hostile.servers import Hit, Page, Servers
from tests.jobs_in import queued
from tests.logs import Lines, logged

DONE, EXPANDED = "done", "expanded"  # instead of an error's code
SECONDS = 120.0  # of which a fetch gets four fifths
_TICK_S = 0.05


@dataclasses.dataclass(frozen=True, kw_only=True)
class Case:
    """`url` is fetched while sources have `pages`, by path. It has to end with the code `expected`, or harmlessly.

    `seconds` are what is left of the invocation. `check` is shown what came of it, beyond what goes for all.
    """

    family: str
    name: str
    url: str
    expected: str
    pages: Mapping[str, Page] = dataclasses.field(default_factory=dict)
    options: Options = dataclasses.field(default_factory=Options)
    title: str | None = None
    seconds: float = SECONDS
    check: "Callable[[Outcome], None] | None" = None

    @property
    def id(self) -> str:
        return f"{self.family}: {self.name}"


@dataclasses.dataclass(frozen=True)
class Usage:
    """The most that was taken at a time: memory of the worker's children, all of them, and its disk."""

    memory_bytes: int = 0
    disk_bytes: int = 0


@dataclasses.dataclass(frozen=True, kw_only=True)
class Outcome:
    """`texts` are all that anybody may read: record, log, metrics, replies, headers of objects. `objects` by key."""

    job: Job
    ended: str
    reply: dict[str, Any]
    lines: Lines
    texts: dict[str, str]
    objects: dict[str, bytes]
    hits: list[Hit]
    visited: list[str]
    asked: Mapping[str, int]
    usage: Usage
    processes_left: list[str]
    files_left: list[str]

    @property
    def media(self) -> bytes:
        assert self.job.stored is not None
        return self.objects[self.job.stored.key]


@dataclasses.dataclass(frozen=True)
class Service:
    """A worker that stays warm from case to case, its tenant's AWS in moto, and the world around."""

    cloud: Cloud
    work: Path
    servers: Servers
    names: NameServer
    metrics: Callable[[], str]

    def run(self, case: Case) -> Outcome:
        """Have the job of a case handled until it has ended. It is at its last attempt: what is transient shows."""
        self.servers.pages = case.pages
        self.servers.hits, self.servers.visited = [], []
        self.names.forget()
        before = set(self.cloud.object_keys())
        child.prepare()  # what fetchers are forked from belongs to the worker, and stays
        processes = set(_children())
        self.metrics()
        job = queued(url=case.url, now=time.time(), options=case.options, name=case.title)
        job = dataclasses.replace(job, attempts=MAX_ATTEMPTS - 1)
        self.cloud.store.create(job)
        self.cloud.queue.send(job)
        with logged(handler.logger) as lines, _watched(self.work) as usage:
            deliveries = Deliveries(self.cloud, self.work)
            record = deliveries.received()
            while job.id not in record["body"]:  # of an item that a playlist had
                record = deliveries.received()
            assert deliveries.handled(record, seconds=case.seconds) == []
        outcome = self._outcome(job, lines, usage(), set(self.cloud.object_keys()) - before)
        return dataclasses.replace(outcome, processes_left=[pid for pid in _children() if pid not in processes])

    def _outcome(self, job: Job, lines: Lines, usage: Usage, keys: set[str]) -> Outcome:
        ended = self.cloud.store.get(job.tenant, job.id)
        s3 = aws.client("s3")
        objects = {key: s3.get_object(Bucket=self.cloud.bucket, Key=key) for key in sorted(keys)}
        reply = get_status(HttpRequest(method="GET", path=f"/download/{job.id}", tenant=job.tenant).event(), Context())  # type: ignore[arg-type]
        items = aws.client("dynamodb").query(
            TableName=self.cloud.table, KeyConditionExpression="pk = :tenant AND begins_with(sk, :job)",
            ExpressionAttributeValues={":tenant": {"S": f"TENANT#{job.tenant}"}, ":job": {"S": job.id}},
        )["Items"]  # fmt: skip
        return Outcome(
            job=ended,
            ended=str(ended.error_code) if ended.state is State.FAILED else ended.state.value.lower(),
            reply=json.loads(reply["body"]),
            lines=lines,
            texts={
                "record": json.dumps(items, ensure_ascii=False),
                "log": json.dumps(lines, ensure_ascii=False),
                "metrics": self.metrics(),
                "reply": json.dumps(reply, ensure_ascii=False),
                "headers": json.dumps(
                    {key: found["ResponseMetadata"]["HTTPHeaders"] for key, found in objects.items()}
                ),
            },
            objects={key: found["Body"].read() for key, found in objects.items()},
            hits=list(self.servers.hits),
            visited=list(self.servers.visited),
            asked=dict(self.names.asked),
            usage=usage,
            processes_left=[],
            files_left=[str(path) for path in self.work.iterdir()],
        )


@contextlib.contextmanager
def _watched(directory: Path) -> Iterator[Callable[[], Usage]]:
    """What the children take together, and the file system of `directory`, seen every `_TICK_S`."""
    most, over = [0, 0], threading.Event()

    def watch() -> None:
        while not over.wait(_TICK_S):
            disk = os.statvfs(directory)
            now = (
                sum(_resident(Path("/proc", pid)) for pid in _children()),
                (disk.f_blocks - disk.f_bfree) * disk.f_frsize,
            )
            most[:] = [max(pair) for pair in zip(most, now, strict=True)]

    watching = threading.Thread(target=watch, name="usage", daemon=True)
    watching.start()
    try:
        yield lambda: Usage(*most)
    finally:
        over.set()
        watching.join()


def _children() -> list[str]:
    """The ids of all processes below this one, and of those whose parent has gone."""
    parents = {}
    for entry in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            parents[entry.name] = (entry / "stat").read_text().rpartition(")")[2].split()[1]
    found = [str(os.getpid())]
    for pid in found:
        found += [child for child, parent in parents.items() if parent == pid]
    return found[1:]


def _resident(process: Path) -> int:
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int((process / "statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    return 0
