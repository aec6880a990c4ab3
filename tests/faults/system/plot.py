"""Scenarios that happen to one service at once, each to a job of its own, so that a lease is waited for once."""

import dataclasses
import json
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.e2e.running import KEY, Reply, request
from tests.faults import rest
from tests.faults.calls import Call
from tests.faults.disturbed import Disturbed
from tests.faults.proxy import Rule
from tests.faults.rest import Violation
from tests.faults.source import CountingServer
from tests.receiver import Receiver

RUNS = ("QUEUED", "RUNNING")
BEATS = ("RUNNING", "RUNNING")
ENDS = ("RUNNING", "DONE")
STORY_S = 1500  # a test's time limit; whichever comes first has the whole story in it
_REST_S = 420.0
_CALL_S = 120.0  # a machine that is busy with all of this takes its time


@dataclasses.dataclass
class Scene:
    """One job and what happens to it. `notes` are what a scenario saw that only it can know."""

    name: str
    disturbed: Disturbed
    source: CountingServer
    receiver: Receiver
    medium: str = "clip.mp4"
    slow: int | None = None  # bytes per second
    fields: dict[str, Any] = dataclasses.field(default_factory=dict)
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    rules: list[Rule] = dataclasses.field(default_factory=list)
    job_id: str = ""
    reply: Reply | None = None
    notes: dict[str, Any] = dataclasses.field(default_factory=dict)

    @property
    def path(self) -> str:
        name = self.source.named(self.medium, self.name)
        return f"/slow/{name}" if self.slow else f"/{name}"

    @property
    def url(self) -> str:
        return self.source.url(self.path + (f"?rate={self.slow}" if self.slow else ""))

    def when(self, **rule: Any) -> Rule:
        """Disturb calls about this job."""
        added = self.disturbed.proxy.disturb(Rule(url=self.url, **rule))
        self.rules.append(added)
        return added

    def create(self) -> None:
        self.reply = self.call("POST", "/download", {"stream_link": self.url, **self.fields})
        assert self.reply.status == 200, self.reply
        self.job_id = self.reply.json["download_id"]

    def message(self) -> str:
        """Such as the queue has for it."""
        return json.dumps({"version": 1, "tenant": "local", "job_id": self.job_id, "generation": 1})

    # --- what others do to it ----------------------------------------------------------------------------------------

    def kill(self, call: Call) -> None:
        """SIGKILL for the worker that has the job."""
        assert call.job_id is not None
        self.disturbed.workers.kill(call.job_id)

    def call(self, method: str, path: str, body: Any = None) -> Reply:
        url = self.disturbed.service.url + path.format(self.job_id)
        return request(method, url, body=body, headers={"x-access-token": KEY, **self.headers}, timeout_s=_CALL_S)

    def cancel(self, _call: object = None) -> None:
        assert self.call("DELETE", "/api/downloads/{}").status == 200

    # --- what became of it -------------------------------------------------------------------------------------------

    @property
    def job(self) -> dict[str, Any]:
        return self.disturbed.record(self.job_id)

    @property
    def fetched(self) -> int:
        """How many requests the source had for its medium."""
        return self.source.hits[self.path]

    @property
    def claims(self) -> int:
        """How many workers have had the job."""
        return self.disturbed.workers.claims(self.job_id)

    def announced(self) -> list[str]:
        """The ids of the events that the receiver was told of the job."""
        told = [one for one in self.receiver.received if one.json["data"]["id"] == self.job_id]
        return [one.headers["webhook-id"] for one in told]


Direct = Callable[[Scene], None]  # sets the scene's medium, fields and rules
Interfere = Callable[[Scene], None]  # runs once the job was submitted, in a thread of its own
_SCENES: dict[str, tuple[Direct, Interfere | None]] = {}


def scene(name: str, interfere: Interfere | None = None) -> Callable[[Direct], Direct]:
    """Enter a scenario."""

    def enter(direct: Direct) -> Direct:
        _SCENES[name] = direct, interfere
        return direct

    return enter


class Story:
    """All scenes, played to their end."""

    def __init__(self, disturbed: Disturbed, source: CountingServer, receiver: Receiver) -> None:
        self.scenes = {name: Scene(name, disturbed, source, receiver) for name in _SCENES}
        threads = [threading.Thread(target=self._interfere, args=(name,), daemon=True) for name in _SCENES]
        for name, thread in zip(_SCENES, threads, strict=True):
            self._begin(name)
            thread.start()
        for thread in threads:
            thread.join(_REST_S)
        rest.come_to_rest(disturbed, within_s=_REST_S, say=_say)
        self.violations: list[Violation] = rest.violations(disturbed)
        _say("at rest")

    def _begin(self, name: str) -> None:
        with self._noted(name) as seen:
            _SCENES[name][0](seen)
            seen.create()

    def _interfere(self, name: str) -> None:
        interfere = _SCENES[name][1]
        if interfere is not None and "broken" not in self.scenes[name].notes:
            with self._noted(name) as seen:
                interfere(seen)

    @contextmanager
    def _noted(self, name: str) -> Iterator[Scene]:
        """What goes wrong is shown by the tests of this scene, and by no others."""
        try:
            yield self.scenes[name]
        except Exception as error:  # noqa: BLE001 - see above
            self.scenes[name].notes["broken"] = error

    def __getitem__(self, name: str) -> Scene:
        """The scene, if it went as planned and nothing of its job is as it must not be."""
        seen = self.scenes[name]
        if "broken" in seen.notes:
            raise seen.notes["broken"]
        assert [found for found in self.violations if found.job_id == seen.job_id] == []
        return seen


def _say(text: str) -> None:
    print(f"{time.strftime('%H:%M:%S')} {text}")  # noqa: T201 - what a story is busy with, should it not end
