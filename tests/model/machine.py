"""Whatever can happen to jobs, in any order. Hypothesis chooses; at the end the world has to come to rest in order.

Rules name jobs, messages and processes by number, counted round those that there are: so a case that is shortened stays
a case.
"""

import json
import tempfile
from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, ClassVar, TypeVar

from hypothesis import note
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule

from tests.conftest import Cloud
from tests.events import HttpRequest
from tests.model import rest
from tests.model.fibers import Call, Fault
from tests.model.installation import fresh
from tests.model.queues import Letter, Queue
from tests.model.sources import KINDS, LISTS, url
from tests.model.use import LIMITS
from tests.model.world import TENANTS, WORKERS, Environment, Faults, Reply, World

T = TypeVar("T")

SELDOM = st.sampled_from((False, False, False, True))
NUMBERS = st.integers(0, 5)
_KINDS = st.sampled_from((Fault.PAUSE, *Fault))  # what is stopped leads to more than what is dead


def _faults(calls: st.SearchStrategy[int]) -> st.SearchStrategy[Faults]:
    """Up to two faults. The second soon follows the first: a misfortune seldom comes alone."""
    none: st.SearchStrategy[Faults] = st.just({})
    one = st.builds(lambda call, kind: {call: kind}, calls, _KINDS)
    two = st.builds(
        lambda call, first, after, then: {call: first, call + after: then}, calls, _KINDS, st.integers(1, 3), _KINDS
    )
    return st.one_of(none, one, two)


OF_A_REQUEST = st.one_of(
    _faults(st.integers(1, 3)), st.builds(lambda kind: {("TransactWriteItems", 1): kind}, st.sampled_from(Fault))
)
OF_A_SWEEP = _faults(st.integers(3, 9))  # the first four look for what is due
OF_AN_ANNOUNCEMENT = st.one_of(st.sampled_from(({}, {1: Fault.REFUSED})), _faults(st.integers(1, 4)))
OF_OTHERS = _faults(st.integers(1, 5))
SKEWS = st.sampled_from((0.0, 0.0, 0.0, 300.0, -300.0))  # clocks that are minutes apart
# Where a worker is stopped at the worst moment: before it claims, tells that it is alive, writes what came of it, or
# makes an object appear.
WORST = st.sampled_from(
    (
        *((("PutItem", 1), ("PutItem", 2)) * 2), ("PutItem", 3), *((("TransactWriteItems", 1),) * 4),
        ("CreateMultipartUpload", 1), ("CompleteMultipartUpload", 1), ("PutObject", 1), ("HeadObject", 1),
    )
)  # fmt: skip
# Most of it depends on a worker's last calls.
OF_A_WORKER = st.one_of(
    st.just({}),
    _faults(st.sampled_from((1, 2, 3, 4, 5, 5, 6, 6, 7, 7, 8, 9, 10))),
    st.builds(lambda call, kind: {call: kind}, WORST, _KINDS),
    st.builds(lambda call: {(call, 1): Fault.REFUSED}, st.sampled_from(("PutObject", "CompleteMultipartUpload"))),
)
STOPPED = ("small", "large", "large", "extra", "gone", "gone", "list", "long", "bulky")  # and what it was at then
STOPS = st.sampled_from((Fault.PAUSE, Fault.PAUSE, Fault.PAUSE_AND_CRASH))
WAITS = st.sampled_from((1.0, 20.0, 61.0, 61.0, 700.0, 7200.0))
_LEASE_OVER_S = 61.0
_DAYS_S = 8 * 86_400.0  # beyond a file's retention
CALLBACK = "https://hooks.example/x"


class Machine(RuleBasedStateMachine):
    cloud: ClassVar[Cloud]

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        own = self._stack.enter_context(fresh(self.cloud))
        self.world = self._stack.enter_context(World(own, directory).running())
        self._failed = False

    def teardown(self) -> None:
        with self._stack:
            try:
                rest.come_to_rest(self.world)
                rest.check(self.world)
            except BaseException:
                note("\n".join(self.world.log))
                raise

    # --- clients ----------------------------------------------------------------------------------------------------

    @rule(
        kind=st.sampled_from(KINDS + LISTS),
        tenant=st.sampled_from(TENANTS),
        told=st.booleans(),
        faults=OF_A_REQUEST,
        skew=SKEWS,
    )
    def submit(self, *, kind: str, tenant: str, told: bool, faults: Faults, skew: float) -> None:
        body = {"stream_link": url(kind)} | ({"callback_url": CALLBACK} if told else {})
        self._call("POST", "/download", tenant, {200, 429}, faults, skew=skew, body=json.dumps(body))

    @rule(kind=st.sampled_from(KINDS + LISTS), tenant=st.sampled_from(TENANTS))
    def submit_at_once(self, kind: str, tenant: str) -> None:
        """Two clients of a tenant: who has seen the counters first is the last to write."""
        already = [*self.world.paused]
        for faults in ({("TransactWriteItems", 1): Fault.PAUSE}, {}):
            self.submit(kind=kind, tenant=tenant, told=False, faults=faults, skew=0.0)
        for fiber in [fiber for fiber in self.world.paused if fiber not in already]:
            self.world.resume(fiber)

    @precondition(lambda self: self.jobs)
    @rule(number=NUMBERS, faults=OF_A_REQUEST, skew=SKEWS)
    def cancel(self, number: int, faults: Faults, skew: float) -> None:
        self._call("DELETE", f"/api/downloads/{self._job(number)}", self._owner(number), {200, 404}, faults, skew=skew)

    @precondition(lambda self: self.jobs)
    @rule(number=NUMBERS, faults=OF_A_REQUEST, skew=SKEWS)
    def retry(self, number: int, faults: Faults, skew: float) -> None:
        self._call(
            "POST", f"/download/{self._job(number)}", self._owner(number), {200, 404, 409, 429}, faults, skew=skew
        )

    @precondition(lambda self: self.jobs)
    @rule(number=NUMBERS)
    def start_over(self, number: int) -> None:
        """Who is impatient does both at once."""
        self.cancel(number=number, faults={}, skew=0.0)
        self.retry(number=number, faults={}, skew=0.0)

    @precondition(lambda self: self.jobs)
    @rule(number=NUMBERS, faults=OF_A_REQUEST, skew=SKEWS)
    def delete(self, number: int, faults: Faults, skew: float) -> None:
        self._call("DELETE", f"/download/{self._job(number)}", self._owner(number), {200, 404}, faults, skew=skew)

    @precondition(lambda self: self.jobs)
    @rule(number=NUMBERS)
    def look(self, number: int) -> None:
        self._call("GET", f"/download/{self._job(number)}", self._owner(number), {200, 404}, {})
        self._call("GET", "/download", self._owner(number), {200}, {})

    @precondition(lambda self: self._idle_workers())
    @rule(
        kind=st.sampled_from(KINDS + LISTS), worker=st.integers(0, WORKERS - 1), told=st.booleans(), faults=OF_A_WORKER
    )
    def submit_and_work(self, *, kind: str, worker: int, told: bool, faults: Faults) -> None:
        """What mostly happens: a worker takes the job at once."""
        self.submit(kind=kind, tenant=TENANTS[0], told=told, faults={}, skew=0.0)
        environment = _nth(self._idle_workers(), worker)
        self.world.work_on(self.world.work, self.world.work.letters[-1], environment, faults=faults)

    @precondition(lambda self: self._idle_workers())
    @rule(kind=st.sampled_from(STOPPED), worker=st.integers(0, WORKERS - 1), call=WORST, fault=STOPS)
    def submit_and_stop(self, kind: str, worker: int, call: Call, fault: Fault) -> None:
        """A worker that is stopped at the worst moment. It is found again when others have done what they could."""
        self.submit_and_work(kind=kind, worker=worker, told=False, faults={call: fault})

    # --- the service ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.letters() and self._idle_workers())
    @rule(number=NUMBERS, worker=st.integers(0, WORKERS - 1), faults=OF_A_WORKER, skew=SKEWS)
    def work(self, number: int, worker: int, faults: Faults, skew: float) -> None:
        environment = _nth(self._idle_workers(), worker)
        queue, letter = _nth(self.world.letters(), number)
        self.world.work_on(queue, letter, environment, faults=faults, skew_s=skew)

    @precondition(lambda self: len(self._busy_workers()) == 1)
    @rule(number=NUMBERS, call=WORST)
    def take_over(self, number: int, call: Call) -> None:
        """A worker is taken for dead, and goes on while another one has its job."""
        [stopped] = [environment.fiber for environment in self._busy_workers()]
        self.world.advance(_LEASE_OVER_S)
        self.world.sweep()
        if self.world.letters():
            queue, letter = _nth(reversed(self.world.letters()), number)
            self.world.work_on(queue, letter, self._idle_workers()[0], faults={call: Fault.PAUSE})
        if stopped in self.world.paused:
            self.world.resume(stopped)

    @precondition(lambda self: self.world.paused)
    @rule(number=NUMBERS)
    def resume(self, number: int) -> None:
        self.world.resume(_nth(self.world.paused, number))

    @precondition(lambda self: any(environment.lease for environment in self.world.environments))
    @rule(number=NUMBERS)
    def look_after_lease(self, number: int) -> None:
        self.world.look_after(_nth([each for each in self.world.environments if each.lease], number))

    @precondition(lambda self: self._busy_workers())
    @rule(number=NUMBERS)
    def interrupt(self, number: int) -> None:
        """SIGTERM. The process ends with what it is doing."""
        environment = _nth(self._busy_workers(), number)
        if environment.worker is not None:
            environment.worker.interrupt()
            environment.worker = None

    @rule(seconds=WAITS, faults=OF_A_SWEEP, skew=SKEWS)
    def sweep_after(self, seconds: float, faults: Faults, skew: float) -> None:
        """While somebody is stopped time goes by slowly, or he would never be seen again."""
        self.world.advance(min(seconds, _LEASE_OVER_S) if self._busy_workers() else seconds)
        self.world.sweep(faults=faults, skew_s=skew)

    @precondition(lambda self: self.jobs and not self._busy_workers())
    @rule()
    def days_later(self) -> None:
        self.world.advance(_DAYS_S)

    @precondition(lambda self: self.world.unread)
    @rule(most=st.integers(1, 10), again=SELDOM, lost=st.booleans(), faults=OF_AN_ANNOUNCEMENT)
    def announce(self, *, most: int, again: bool, lost: bool, faults: Faults) -> None:
        self.world.announce(most, faults=faults, again=again)
        for letter in self.world.webhooks.visible() if lost else ():
            self.world.webhooks.remove(letter)

    @precondition(lambda self: self.world.webhooks.visible())
    @rule(number=NUMBERS, answer=st.sampled_from((200, 500, 410)), faults=OF_OTHERS)
    def tell(self, number: int, answer: int, faults: Faults) -> None:
        self.world.webhook_status = answer
        queue = self.world.webhooks
        self.world.handle(queue, _nth(queue.visible(), number), "deliver_webhooks", faults=faults)

    @precondition(lambda self: self.world.dead_letters.visible())
    @rule(number=NUMBERS, faults=OF_OTHERS)
    def bury(self, number: int, faults: Faults) -> None:
        queue = self.world.dead_letters
        self.world.handle(queue, _nth(queue.visible(), number), "dead_letters", faults=faults)

    # --- the queues -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self._letters())
    @rule(number=NUMBERS, what=st.sampled_from(("lose", "duplicate", "give up")))
    def meddle(self, number: int, what: str) -> None:
        queue, letter = _nth(self._letters(), number)
        self.world.note(f"{queue.name}: {what}")
        {"lose": queue.remove, "duplicate": queue.duplicate, "give up": queue.give_up}[what](letter)

    # --- how --------------------------------------------------------------------------------------------------------

    @property
    def jobs(self) -> list[str]:
        return list(self.world.history.tenants)

    def _job(self, number: int) -> str:
        return _nth(self.jobs, number)

    def _owner(self, number: int) -> str:
        return self.world.history.tenants[self._job(number)]

    def _letters(self) -> list[tuple[Queue, Letter]]:
        meddled = (self.world.work, self.world.express, self.world.webhooks)
        return [(queue, letter) for queue in meddled for letter in queue.letters]

    def _idle_workers(self) -> list[Environment]:
        return [environment for environment in self.world.environments if environment.fiber is None]

    def _busy_workers(self) -> list[Environment]:
        return [environment for environment in self.world.environments if environment.fiber is not None]

    def _call(
        self,
        method: str,
        path: str,
        tenant: str,
        expected: set[int],
        faults: Faults,
        *,
        skew: float = 0.0,
        **request: Any,
    ) -> Reply:
        reply = self.world.call(
            HttpRequest(method=method, path=path, tenant=tenant, said=_said(tenant), **request),
            faults=faults,
            skew_s=skew,
        )
        if reply.status is not None and reply.status not in expected | ({503} if faults else set()):
            raise rest.Violation(f"{method} {path} was answered {reply.status}: {reply.body}")
        return reply


def _said(tenant: str) -> dict[str, str]:
    """What the authorizer says of the tenant's key."""
    return LIMITS[tenant].to_texts() if tenant in LIMITS else {}


def _nth(among: Iterable[T], number: int) -> T:
    known = list(among)
    return known[number % len(known)]
