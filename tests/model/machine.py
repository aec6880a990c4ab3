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
from tests.model.fibers import Fault
from tests.model.installation import fresh
from tests.model.queues import Letter
from tests.model.sources import KINDS, LISTS, url
from tests.model.world import TENANTS, WORKERS, Faults, Reply, World

T = TypeVar("T")

_MOST_CALLS = 14  # what a worker takes for a file in parts, from claim to end
NUMBERS = st.integers(0, 5)
ONE_FAULT = st.builds(lambda call, fault: {call: fault}, st.integers(1, _MOST_CALLS), st.sampled_from(Fault))
FAULTS = st.one_of(
    st.just({}),
    ONE_FAULT,
    ONE_FAULT,
    st.dictionaries(st.integers(1, _MOST_CALLS), st.sampled_from(Fault), min_size=2, max_size=2),
)
SKEWS = st.sampled_from((0.0, 0.0, 0.0, 300.0, -300.0))  # clocks that are minutes apart
WAITS = st.sampled_from((1.0, 20.0, 61.0, 61.0, 700.0, 7200.0))
_DAYS_S = 8 * 86_400.0  # beyond a file's retention
CALLBACK = "https://hooks.example/x"


class Machine(RuleBasedStateMachine):
    cloud: ClassVar[Cloud]

    def __init__(self) -> None:
        super().__init__()
        self._stack = ExitStack()
        directory = Path(self._stack.enter_context(tempfile.TemporaryDirectory()))
        self.world = self._stack.enter_context(World(fresh(self.cloud), directory).running())
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

    @rule(kind=st.sampled_from(KINDS + LISTS), tenant=st.sampled_from(TENANTS), told=st.booleans(), faults=FAULTS, skew=SKEWS)
    def submit(self, kind: str, tenant: str, told: bool, faults: Faults, skew: float) -> None:
        body = {"stream_link": url(kind)} | ({"callback_url": CALLBACK} if told else {})
        self._call("POST", "/download", tenant, {200}, faults, skew=skew, body=json.dumps(body))

    @precondition(lambda self: self.jobs)
    @rule(number=NUMBERS, faults=FAULTS, skew=SKEWS)
    def cancel(self, number: int, faults: Faults, skew: float) -> None:
        self._call("DELETE", f"/api/downloads/{self._job(number)}", self._owner(number), {200, 404}, faults, skew=skew)

    @precondition(lambda self: self.jobs)
    @rule(number=NUMBERS, faults=FAULTS, skew=SKEWS)
    def retry(self, number: int, faults: Faults, skew: float) -> None:
        self._call("POST", f"/download/{self._job(number)}", self._owner(number), {200, 404, 409}, faults, skew=skew)

    @precondition(lambda self: self.jobs)
    @rule(number=NUMBERS, faults=FAULTS, skew=SKEWS)
    def delete(self, number: int, faults: Faults, skew: float) -> None:
        self._call("DELETE", f"/download/{self._job(number)}", self._owner(number), {200, 404}, faults, skew=skew)

    @precondition(lambda self: self.jobs)
    @rule(number=NUMBERS)
    def look(self, number: int) -> None:
        self._call("GET", f"/download/{self._job(number)}", self._owner(number), {200, 404}, {})
        self._call("GET", "/download", self._owner(number), {200}, {})

    # --- the service ------------------------------------------------------------------------------------------------

    @precondition(lambda self: self.world.work.visible() and self._idle_workers())
    @rule(number=NUMBERS, worker=st.integers(0, WORKERS - 1), faults=FAULTS, skew=SKEWS)
    def work(self, number: int, worker: int, faults: Faults, skew: float) -> None:
        environment = _nth(self._idle_workers(), worker)
        self.world.work_on(_nth(self.world.work.visible(), number), environment, faults=faults, skew_s=skew)

    @precondition(lambda self: self.world.paused)
    @rule(number=NUMBERS)
    def resume(self, number: int) -> None:
        self.world.resume(_nth(self.world.paused, number))

    @precondition(lambda self: any(environment.lease for environment in self.world.environments))
    @rule(number=NUMBERS)
    def look_after_lease(self, number: int) -> None:
        self.world.look_after(_nth([each for each in self.world.environments if each.lease], number))

    @precondition(lambda self: any(environment.fiber for environment in self.world.environments))
    @rule(number=NUMBERS)
    def interrupt(self, number: int) -> None:
        """SIGTERM. The process ends with what it is doing."""
        environment = _nth([each for each in self.world.environments if each.fiber], number)
        if environment.worker is not None:
            environment.worker.interrupt()
            environment.worker = None

    @rule(seconds=WAITS, faults=FAULTS, skew=SKEWS)
    def sweep_after(self, seconds: float, faults: Faults, skew: float) -> None:
        self.world.advance(seconds)
        self.world.sweep(faults=faults, skew_s=skew)

    @rule()
    def days_later(self) -> None:
        self.world.advance(_DAYS_S)

    @precondition(lambda self: self.world.unread)
    @rule(most=st.integers(1, 5), again=st.booleans(), faults=FAULTS)
    def announce(self, most: int, again: bool, faults: Faults) -> None:
        self.world.announce(most, faults=faults, again=again)

    @precondition(lambda self: self.world.webhooks.visible())
    @rule(number=NUMBERS, answer=st.sampled_from((200, 500, 410)), faults=FAULTS)
    def tell(self, number: int, answer: int, faults: Faults) -> None:
        self.world.webhook_status = answer
        queue = self.world.webhooks
        self.world.handle(queue, _nth(queue.visible(), number), "deliver_webhooks", faults=faults)

    @precondition(lambda self: self.world.dead_letters.visible())
    @rule(number=NUMBERS, faults=FAULTS)
    def bury(self, number: int, faults: Faults) -> None:
        queue = self.world.dead_letters
        self.world.handle(queue, _nth(queue.visible(), number), "dead_letters", faults=faults)

    # --- the queues -------------------------------------------------------------------------------------------------

    @precondition(lambda self: self._letters())
    @rule(number=NUMBERS, what=st.sampled_from(("lose", "duplicate", "give up")))
    def meddle(self, number: int, what: str) -> None:
        letter = _nth(self._letters(), number)
        queue = self.world.work if letter in self.world.work.letters else self.world.webhooks
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

    def _letters(self) -> list[Letter]:
        return [*self.world.work.letters, *self.world.webhooks.letters]

    def _idle_workers(self) -> list[Any]:
        return [environment for environment in self.world.environments if environment.fiber is None]

    def _call(
        self, method: str, path: str, tenant: str, expected: set[int], faults: Faults, *, skew: float = 0.0, **request: Any
    ) -> Reply:
        reply = self.world.call(
            HttpRequest(method=method, path=path, tenant=tenant, **request), faults=faults, skew_s=skew
        )
        if reply.status is not None and reply.status not in expected | ({503} if faults else set()):
            raise rest.Violation(f"{method} {path} was answered {reply.status}: {reply.body}")
        return reply


def _nth(among: Iterable[T], number: int) -> T:
    known = list(among)
    return known[number % len(known)]
