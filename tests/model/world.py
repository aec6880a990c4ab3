"""The whole service in one thread of control: real functions on moto, a clock that moves when told to, and faults.

What stands for something else is the source (`Sources`), the POST to a webhook's target, and who calls the functions
when: API Gateway, SQS's and the stream's event source mappings, and the clock that starts the sweeper.
"""

import dataclasses
import functools
import importlib
import json
import logging
import random
import secrets
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import pytest
import time_machine
from moto.dynamodb.models.dynamo_type import LimitedSizeDict
from moto.dynamodb.models.table import Table

from deliver_webhooks.post import Poster
from downloader import handler as downloader
from downloader import transfer
from downloader import worker as working
from downloader.lease import Lease
from downloader.worker import Worker
from reelhaul import aws
from reelhaul.errors import DeadLetter, ServiceUnavailable
from reelhaul.jobs import Job
from reelhaul.measures import Measures
from reelhaul.queue import JobMessage, JobQueue
from reelhaul.store import JobStore
from reelhaul.webhooks.schedule import Outcome
from tests import conftest, stream
from tests.conftest import Cloud
from tests.events import Context, HttpRequest
from tests.integration.conftest import function_for
from tests.model.fibers import Call, Fault, Fiber, Scheduler
from tests.model.history import History
from tests.model.queues import Letter, Queue
from tests.model.sources import PART_BYTES, Sources
from tests.model.wire import Wire, Wiring, quick_copy

START = 1_795_305_600.0  # 2026-11-22T00:00:00Z
TENANTS = ("acme", "beta")
WORKERS = 2
_TIME_OUTS = {  # as the template has them: what Lambda lets nobody outlive, however slow or stopped he is
    "downloader": 900.0, "sweeper": 55.0, "announcer": 60.0, "deliver_webhooks": 30.0, "get_status": 29.0,
    "list_downloads": 29.0,
}  # fmt: skip
_TIME_OUT_S = 10.0  # of the other functions
_WORK_VISIBLE_S, _DEAD_VISIBLE_S, _WEBHOOKS_VISIBLE_S = 960.0, 60.0, 180.0  # as the template has them

Faults = Mapping[Call, Fault]
NONE: Faults = {}
_NEVER = {"message_broken", "sweep_broken", "request_crashed", "change_unreadable", "sweep_unreadable"}


@dataclasses.dataclass
class Reply:
    """What a client got: without a status nothing, as the function died."""

    status: int | None = None
    body: Any = None


class Environment:
    """One that Lambda keeps for the downloader: a process, which may die, and a disk, which stays."""

    def __init__(self, name: str, directory: Path) -> None:
        self.name = name
        self.directory = directory
        self.fiber: Fiber | None = None
        self.worker: Worker | None = None
        self.lease: Lease | None = None  # while it is held, and so would be looked after by a thread
        directory.mkdir()

    def crashed(self) -> None:
        """Nobody cleaned up."""
        left = self.directory / "job-left"
        left.mkdir(exist_ok=True)
        (left / "media.mp4.part").write_bytes(b"half")
        self.worker = self.lease = None


class World:
    def __init__(self, cloud: Cloud, directory: Path) -> None:
        self.cloud = cloud
        self.now = START
        self.history = History()
        self.sources = Sources(self.history, self._held_lease)
        self.environments = [Environment(f"worker {number}", directory / str(number)) for number in range(WORKERS)]
        self.paused: list[Fiber] = []
        self.log: list[str] = []
        self.webhook_status = 200
        self.activity = 0  # grows with everything that happens
        self.unforeseen: list[str] = []  # errors that the functions have logged as such
        self.dead_letters = DeadLetters("dead letters", _DEAD_VISIBLE_S, self._clock, history=self.history)
        self.work = Queue(_name(cloud.queue_url), _WORK_VISIBLE_S, self._clock, self.dead_letters)
        self.express = Queue(_name(cloud.express_queue_url), _WORK_VISIBLE_S, self._clock, self.dead_letters)
        # Nobody empties this one but an operator: what was given up there is the sweeper's to send again.
        given_up = Queue("given up", 0.0, self._clock)
        self.webhooks = Queue(_name(cloud.webhook_queue_url), _WEBHOOKS_VISIBLE_S, self._clock, given_up)
        self._feeding = {cloud.queue_url: self.work, cloud.express_queue_url: self.express}
        self._queues = {**self._feeding, cloud.webhook_queue_url: self.webhooks}
        self.read_records = 0  # how far the announcer has come in the stream
        self._announcer: Fiber | None = None
        self._scheduler = Scheduler(self._set_clock)
        self._traveller: Any = None

    def _clock(self) -> float:
        return self.now

    def _set_clock(self, skew_s: float = 0.0) -> None:
        self._traveller.move_to(self.now + skew_s, tick=False)

    @property
    def unread(self) -> int:
        """How many changes of the table the announcer has not seen, while it has the time for them."""
        busy = self._announcer is not None and not self._announcer.is_over
        return 0 if busy else len(self.history.records) - self.read_records

    @property
    def emptied(self) -> list[Queue]:
        """The queues that somebody empties."""
        return [*self._queues.values(), self.dead_letters]

    # --- being there ------------------------------------------------------------------------------------------------

    @contextmanager
    def running(self) -> Iterator["World"]:
        wiring = Wiring(
            self._scheduler,
            on_change=self._changed,
            on_calls={
                "SendMessage": lambda asked, _: self._sent(asked["QueueUrl"], asked),
                "SendMessageBatch": self._sent_batch,
                "PutEvents": lambda asked, _: self.history.put_on_bus(asked["Entries"]),
            },
            on_visibility=self._hidden,
        )
        with ExitStack() as stack:
            stack.enter_context(_listening(self.unforeseen))
            patch = stack.enter_context(pytest.MonkeyPatch.context())
            self._traveller = stack.enter_context(time_machine.travel(START, tick=False))
            self._put_in_place(patch)
            stack.enter_context(wiring.connected())
            try:
                yield self
            finally:
                for fiber in [*self.paused]:  # a case that was not played to its end
                    fiber.is_dead = True
                    self.resume(fiber)

    def _put_in_place(self, patch: pytest.MonkeyPatch) -> None:
        for name, value in conftest.environment(self.cloud).items():
            patch.setenv(name, value)
        conftest.forget_dependencies(*conftest.FUNCTIONS)
        patch.setattr(secrets, "randbits", random.Random(0).getrandbits)  # noqa: S311 - the same case has the same ids each time
        patch.setattr(downloader, "dependencies", self._downloader)
        patch.setattr(working, "Lease", self._lease)
        patch.setattr("downloader.lease.BEAT_S", 1e6)  # whoever runs the model says when a lease is looked after
        patch.setattr(transfer, "PART_BYTES", PART_BYTES)
        patch.setattr(transfer, "_UPLOADS_AT_ONCE", 1)  # or the calls would have no order
        # What only takes time, half of all that there is: long expressions, copies, the name that the SDK goes by.
        patch.setattr("reelhaul.counters._DROPPED_DAYS", range(2, 3))
        patch.setattr("botocore.useragent.UserAgentString.to_string", lambda _: "model")
        patch.setattr(Table, "__deepcopy__", quick_copy, raising=False)
        patch.delattr(LimitedSizeDict, "__setitem__")  # it measures the whole item for each of its attributes
        patch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
        patch.setattr("reelhaul.measures.EphemeralMetrics.flush_metrics", lambda *_: None)  # nobody watches
        patch.setattr(Poster, "__init__", lambda *_, **__: None)  # it would read the system's certificates each time
        patch.setattr(Poster, "post", lambda _poster, _url, headers, body: self._posted(headers, body))

    def recycle(self) -> None:
        """Lambda starts the downloader's process anew where it has crashed, on the disk as it is."""
        for environment in self.environments:
            environment.worker = environment.worker or self._new_worker(environment)

    def _downloader(self) -> downloader.Dependencies:
        environment = self._environment()
        environment.worker = environment.worker or self._new_worker(environment)
        queues = {queue.name: JobQueue(aws.client("sqs"), url) for url, queue in self._feeding.items()}
        return downloader.Dependencies(queues, environment.worker)

    def _new_worker(self, environment: Environment) -> Worker:
        return Worker(
            store=JobStore(aws.client("dynamodb"), self.cloud.table),
            queue=JobQueue(aws.client("sqs"), self.cloud.queue_url),
            s3=aws.client("s3"),
            bucket_name=self.cloud.bucket,
            fetch=self.sources.fetch,
            work_directory=environment.directory,
            logger=downloader.logger,
            measures=Measures("model"),
        )

    def _lease(self, job: Job, **wiring: Any) -> Lease:
        return _OpenLease(self._environment(), job, **wiring)

    def _environment(self) -> Environment:
        return next(each for each in self.environments if each.fiber is self._scheduler.current)

    def _held_lease(self) -> Lease | None:
        return self._environment().lease

    # --- what is observed -------------------------------------------------------------------------------------------

    def _changed(self, old: Wire | None, new: Wire | None) -> None:
        self.activity += 1
        self.history.changed(old, new, at=self.now)

    def _sent(self, queue_url: str, message: dict[str, Any]) -> None:
        self._queues[queue_url].add(message["MessageBody"], delay_s=message.get("DelaySeconds", 0))
        self.activity += 1

    def _sent_batch(self, asked: dict[str, Any], _answer: dict[str, Any]) -> None:
        for entry in asked["Entries"]:
            self._sent(asked["QueueUrl"], entry)

    def _hidden(self, receipt: str, seconds: int) -> None:
        for queue in self._feeding.values():
            queue.hide(receipt, seconds)

    def _posted(self, headers: Mapping[str, str], body: bytes) -> Outcome:
        self.history.posted(dict(headers), body)
        return Outcome(status=self.webhook_status)

    def note(self, text: str) -> None:
        self.log.append(f"{self.now - START:9.1f}  {text}")

    # --- what happens -----------------------------------------------------------------------------------------------

    def resume(self, fiber: Fiber) -> None:
        """Let it go on, unless Lambda has ended it by now."""
        if fiber in self.paused:
            self.paused.remove(fiber)
        if self.now > fiber.ends_at:
            fiber.is_dead = True
        self._scheduler.resume(fiber)
        if not fiber.is_over:
            self.paused.append(fiber)
        died = " and died" if fiber.is_dead else f" and failed: {fiber.error!r}" if fiber.error else ""
        stopped = "" if fiber.is_over else ", stopped before the last"
        self.note(f"{fiber.name}: {' '.join(fiber.calls)}{stopped}{died}")

    def _begin(self, fiber: Fiber) -> None:
        self.activity += 1
        self.resume(fiber)

    def _fiber(
        self,
        function: str,
        what: str,
        run: Callable[[], Any],
        *,
        faults: Faults,
        then: Callable[[Fiber], None],
        skew_s: float = 0.0,
    ) -> Fiber:
        """One invocation of `function`. `then` is for one that was not cut off."""

        def over(fiber: Fiber) -> None:
            if not fiber.is_dead:
                then(fiber)
            elif function in conftest.FUNCTIONS:
                conftest.forget_dependencies(function)

        ends_at = self.now + _TIME_OUTS.get(function, _TIME_OUT_S)
        return Fiber(what, run, faults=faults, then=over, ends_at=ends_at, skew_s=skew_s)

    def call(self, request: HttpRequest, *, faults: Faults = NONE, skew_s: float = 0.0) -> Reply:
        """A client calls the API. Where the function is stopped, its reply comes later, and into the same object."""
        function, reply = function_for(request), Reply()

        def then(fiber: Fiber) -> None:
            if fiber.error is not None:
                raise fiber.error
            reply.status = fiber.result["statusCode"]
            text = fiber.result["body"]
            reply.body = json.loads(text) if text else None

        run = functools.partial(_handler(function), request.event(), Context())
        what = f"{request.method} {request.path}"
        self._begin(self._fiber(function, what, run, faults=faults, then=then, skew_s=skew_s))
        return reply

    def letters(self) -> list[tuple[Queue, Letter]]:
        """What a worker may be given, and from which queue."""
        return [(queue, letter) for queue in self._feeding.values() for letter in queue.visible()]

    def work_on(
        self, queue: Queue, letter: Letter, environment: Environment, *, faults: Faults = NONE, skew_s: float = 0.0
    ) -> None:
        """The event source mapping hands a message to the downloader."""
        if not queue.take(letter):
            return

        def then(fiber: Fiber) -> None:
            environment.fiber = None
            if fiber.is_dead:
                environment.crashed()
            else:
                _acknowledge(queue, letter, fiber)

        run = functools.partial(downloader.lambda_handler, queue.event(letter), Context(remaining_ms=900_000))
        ends_at = self.now + _TIME_OUTS["downloader"]
        what = f"{environment.name} on {_short(letter.body)}"
        environment.fiber = Fiber(what, run, faults=faults, then=then, ends_at=ends_at, skew_s=skew_s)
        self._begin(environment.fiber)

    def look_after(self, environment: Environment, *, faults: Faults = NONE) -> None:
        """The thread of a stopped worker's lease comes round."""
        lease = environment.lease
        if lease is not None and not lease.lost:
            self._begin(self._fiber("lease", f"{environment.name}'s lease", lease.look, faults=faults, then=_nothing))

    def handle(self, queue: Queue, letter: Letter, function: str, *, faults: Faults = NONE) -> None:
        """The event source mapping of one of the other queues."""
        if not queue.take(letter):
            return
        run = functools.partial(_handler(function), queue.event(letter), Context())
        then = functools.partial(_acknowledge, queue, letter)
        self._begin(self._fiber(function, f"{function} on {_short(letter.body)}", run, faults=faults, then=then))

    def sweep(self, *, faults: Faults = NONE, skew_s: float = 0.0) -> None:
        run = functools.partial(_handler("sweeper"), {}, Context(remaining_ms=55_000))
        self._begin(self._fiber("sweeper", "sweeper", run, faults=faults, then=_nothing, skew_s=skew_s))

    def announce(self, most: int, *, faults: Faults = NONE, again: bool = False) -> None:
        """The stream's event source mapping hands out the next records, and with `again` does so once more later."""
        if not self.unread:
            return  # or it is busy: one batch of a shard at a time
        batch = self.history.records[self.read_records : self.read_records + most]

        def then(fiber: Fiber) -> None:
            if fiber.error is None and not again:
                failed = [failure["itemIdentifier"] for failure in fiber.result["batchItemFailures"]]
                numbers = [stream.sequence(record) for record in batch]
                self.read_records += numbers.index(failed[0]) if failed else len(batch)

        run = functools.partial(_handler("announcer"), {"Records": batch}, Context())
        self._announcer = self._fiber("announcer", f"announcer on {len(batch)}", run, faults=faults, then=then)
        self._begin(self._announcer)

    def advance(self, seconds: float) -> None:
        """Time goes by, and ends whoever has had all of his."""
        self.now += seconds
        self._set_clock()
        self.note(f"{seconds:.0f} s later")
        for fiber in [fiber for fiber in self.paused if fiber.ends_at < self.now]:
            self.resume(fiber)


class DeadLetters(Queue):
    """Whoever is in here may end its job with that for a reason."""

    def __init__(self, *arguments: Any, history: History) -> None:
        super().__init__(*arguments)
        self._history = history

    def add(self, body: str, *, delay_s: float = 0.0) -> None:
        super().add(body, delay_s=delay_s)
        message = JobMessage.parse(body)
        self._history.reasons[message.job_id, message.generation].add(DeadLetter.code)


class _OpenLease(Lease):
    """Tells its environment whether it is held: then, and only then, its thread would look after it."""

    def __init__(self, environment: Environment, job: Job, **wiring: Any) -> None:
        super().__init__(job, **wiring)
        self._environment = environment

    def __enter__(self) -> "_OpenLease":
        self._environment.lease = self
        return super().__enter__()

    def __exit__(self, *error: Any) -> None:
        self._environment.lease = None
        super().__exit__(*error)


@contextmanager
def _listening(unforeseen: list[str]) -> Iterator[None]:
    """What the functions log goes nowhere, but for what they say should never happen."""

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            error = record.exc_info[1] if record.exc_info else None
            if record.msg in _NEVER and not isinstance(error, ServiceUnavailable):
                unforeseen.append(f"{record.name}: {record.msg}: {error!r}")

    loggers = [logging.getLogger(function) for function in conftest.FUNCTIONS]
    before = [(logger.handlers, logger.level, logger.propagate) for logger in loggers]
    for logger in loggers:
        logger.handlers, logger.propagate = [Listener()], False
        logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        for logger, (handlers, level, propagate) in zip(loggers, before, strict=True):
            logger.handlers, logger.propagate = handlers, propagate
            logger.setLevel(level)


def _name(queue_url: str) -> str:
    return queue_url.rpartition("/")[2]


def _handler(function: str) -> Callable[..., Any]:
    handler: Callable[..., Any] = importlib.import_module(f"{function}.handler").lambda_handler
    return handler


def _acknowledge(queue: Queue, letter: Letter, fiber: Fiber) -> None:
    """A message that was handled is deleted; else it comes again."""
    if fiber.error is None and not fiber.result["batchItemFailures"]:
        queue.remove(letter)


def _nothing(_fiber: Fiber) -> None:
    """Nobody waits for what comes of it."""


def _short(body: str) -> str:
    fields = json.loads(body)
    return f"{fields['job_id'][-6:]}/{fields['generation']}"
