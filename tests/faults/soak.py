"""`make soak`: hundreds of jobs through the running service, while everything that may go wrong does.

Workers are killed, messages duplicated and delayed, and AWS refuses calls or loses replies, all at random from a seed
(`SEED=`). Which job that hits depends on the machine as well: the seed makes a run alike, not the same. Users cancel,
retry and delete. At the end everything has to be as the invariant says. `JOBS=` says how many, `MINUTES=` how long.
"""

import contextlib
import dataclasses
import os
import random
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from reelhaul.jobs import LEASE_S
from tests.e2e.running import KEY, Reply, request
from tests.faults import proxy as faults
from tests.faults import rest
from tests.faults.calls import Call
from tests.faults.disturbed import Disturbed, disturbed
from tests.faults.figures import Figures
from tests.faults.source import CountingServer
from tests.media import make_media

_UNDER_WAY = 24  # jobs at the same time; the rest are submitted as these end
_TICK_S = 1.0
_CHANCE = 0.04  # that a call is disturbed
_UNSENT = 0.05  # that no message of a new job gets through
_TRIES = 8  # of a client that is told 503
# How often, in a tick, when there is somebody to do it to.
_DEEDS = {"kill": 0.15, "duplicate": 0.30, "cancel": 0.05, "retry": 0.06, "delete": 0.03}


@dataclasses.dataclass(frozen=True, slots=True)
class Kind:
    """What is submitted: a medium with a path of its own for each job, or what is at `path`; `weight` of a hundred."""

    name: str
    weight: int
    medium: str | None = None
    path: str = ""
    fields: dict[str, Any] = dataclasses.field(default_factory=dict)


KINDS = (
    Kind("mp4", 34, medium="clip.mp4"),
    Kind("slow mp4", 12, medium="clip.mp4", path="/slow/{}?rate=20000"),
    Kind("large mp4", 3, medium="large.mp4"),
    Kind("HLS", 8, path="/hls/master.m3u8"),
    Kind("DASH", 8, path="/dash/manifest.mpd"),
    Kind("playlist", 4, path="/feed/5"),
    Kind("audio", 8, medium="clip.mp4", fields={"download_type": "audio", "audio_format": "mp3"}),
    Kind("clip", 7, medium="clip.mp4", fields={"clip": {"start": 0.5, "end": 1.5}}),
    Kind("webm", 3, medium="clip.mp4", fields={"container": "webm"}),
    Kind("missing", 5, path="/status/404"),
    Kind("no media", 4, path="/page.html"),
    Kind("broken off", 4, path="/half.mp4"),
)


class Soak:
    """`jobs` of them, as `seed` has it."""

    def __init__(self, running: Disturbed, source: CountingServer, *, jobs: int, seed: int) -> None:
        self._running, self._source, self._jobs = running, source, jobs
        self._chance = random.Random(seed)  # noqa: S311 - a seed is wanted
        self._deeds = random.Random(seed + 1)  # noqa: S311 - likewise
        self._lock = threading.Lock()
        self._mine: dict[str, str] = {}  # job: path at the source, if no other job has the same
        self._mute: dict[str, bool] = {}  # job: whether no message of it gets through
        self.figures = Figures(running, source)

    def disturb(self, call: Call) -> faults.Act | None:
        """What the proxy does to a call that comes by, if anything."""
        with self._lock:
            name, act = ("refused", faults.refused(503)) if self._is_mute(call) else self._drawn()
        if act is not None:
            self.figures.faults[f"{name}: {call.operation}"] += 1
        return act

    def _is_mute(self, call: Call) -> bool:
        """Whether it is the submission's message of a job that has bad luck. Then it is for the sweeper to send."""
        if (call.caller, call.operation) != ("create_download", "SendMessage") or call.job_id is None:
            return False
        if call.job_id not in self._mute:
            self._mute[call.job_id] = self._chance.random() < _UNSENT
        if self._mute[call.job_id]:
            self.figures.unsent(call.job_id)
        return self._mute[call.job_id]

    def _drawn(self) -> tuple[str, faults.Act | None]:
        if self._chance.random() >= _CHANCE:
            return "", None
        return self._chance.choice([
            ("refused", faults.refused(503)), ("failed", faults.refused(500)), ("reply lost", faults.reply_lost),
            ("failed although done", faults.failed_although_done), ("late", faults.late(self._chance.random())),
        ])  # fmt: skip

    def run(self, *, until: float) -> None:
        """Submit everything, with all that happens meanwhile. Returns when all is submitted, or at `until`."""
        with ThreadPoolExecutor(4) as users:
            submitted = 0
            while submitted < self._jobs and time.time() < until:
                states = self._states()
                active = sum(state in {"QUEUED", "RUNNING", "EXPANDED"} for state in states.values())
                waiting = submitted - sum(self.figures.submitted.values())  # for their answers
                for _ in range(min(4, self._jobs - submitted, max(0, _UNDER_WAY - active - waiting))):
                    users.submit(
                        self._submit, submitted, self._deeds.choices(KINDS, [kind.weight for kind in KINDS])[0]
                    )
                    submitted += 1
                self._something_happens(states, users)
                self.figures.say(f"{submitted} submitted, {active} under way")
                time.sleep(_TICK_S)
        quiet = time.time() + LEASE_S
        while time.time() < min(until, quiet):  # those that are left get their share
            with ThreadPoolExecutor(2) as users:
                self._something_happens(self._states(), users)
            time.sleep(_TICK_S)

    def _states(self) -> dict[str, str]:
        return {job_id: job["state"] for job_id, job in rest.read_table(self._running).jobs.items()}

    # --- users -------------------------------------------------------------------------------------------------------

    def _submit(self, number: int, kind: Kind) -> None:
        name = self._source.named(kind.medium, f"soak-{number}") if kind.medium else ""
        path = kind.path.format(name) if kind.path else f"/{name}"
        body = {"stream_link": self._source.url(path), **kind.fields}
        reply = self._call("POST", "/download", body, key=f"soak-{number}")
        self.figures.submitted[kind.name if reply.status == 200 else f"refused with {reply.status}"] += 1
        if reply.status == 200 and kind.medium:
            self._mine[reply.json["download_id"]] = path.partition("?")[0]

    def _call(self, method: str, path: str, body: Any = None, *, key: str | None = None) -> Reply:
        """As a client does it that is told to ask again."""
        headers = {"x-access-token": KEY} | ({"Idempotency-Key": key} if key else {})
        for _ in range(_TRIES):
            try:
                reply = request(method, self._running.service.url + path, body=body, headers=headers, timeout_s=60)
            except OSError:
                continue
            if reply.status not in {500, 502, 503, 504}:
                return reply
            self.figures.deeds["asked again after 5xx"] += 1
            time.sleep(1)
        return reply

    # --- what happens ------------------------------------------------------------------------------------------------

    def _something_happens(self, states: dict[str, str], users: ThreadPoolExecutor) -> None:
        doing: dict[str, tuple[set[str], Callable[[str], None]]] = {
            "kill": ({"RUNNING"}, self._kill),
            "duplicate": ({"QUEUED", "RUNNING", "DONE", "FAILED"}, self._duplicate),
            "cancel": ({"QUEUED", "RUNNING", "EXPANDED"}, self._cancel),
            "retry": ({"FAILED", "CANCELLED", "RUNNING"}, self._retry),
            "delete": (set(states.values()), self._delete),
        }
        for name, (wanted, deed) in doing.items():
            victims = sorted(job_id for job_id, state in states.items() if state in wanted)
            if victims and self._deeds.random() < _DEEDS[name]:
                users.submit(deed, self._deeds.choice(victims))

    def _kill(self, job_id: str) -> None:
        with contextlib.suppress(LookupError, ValueError, OSError):  # nobody has it, or not any more
            self._running.workers.kill(job_id)
            self.figures.killed(job_id)

    def _duplicate(self, job_id: str) -> None:
        body = f'{{"version": 1, "tenant": "local", "job_id": "{job_id}", "generation": 1}}'
        self._running.aws("sqs").send_message(
            QueueUrl=self._running.outputs["QueueUrl"], MessageBody=body, DelaySeconds=self._deeds.choice((0, 0, 5, 20))
        )
        self.figures.deeds["messages duplicated"] += 1

    def _cancel(self, job_id: str) -> None:
        if self._call("DELETE", f"/api/downloads/{job_id}").status == 200:
            self.figures.cancelled(job_id, self._mine.get(job_id))

    def _retry(self, job_id: str) -> None:
        self.figures.deeds[f"retries answered {self._call('POST', f'/download/{job_id}').status}"] += 1

    def _delete(self, job_id: str) -> None:
        self.figures.deeds[f"deletions answered {self._call('DELETE', f'/download/{job_id}').status}"] += 1


def main() -> int:
    """0 if the invariant holds at the end."""
    jobs, seed = int(os.environ.get("JOBS") or 500), int(os.environ.get("SEED") or 1)
    until = time.time() + 60 * float(os.environ.get("MINUTES") or 60)
    acts: list[Callable[[Call], faults.Act | None]] = []
    with tempfile.TemporaryDirectory(prefix="reelhaul-soak-") as place, contextlib.ExitStack() as exits:
        source = exits.enter_context(CountingServer(make_media(Path(place) / "media")))
        running = exits.enter_context(
            disturbed(
                Path(place) / "data",
                "--allow-origin",
                source.origin,
                chance=lambda call: acts[0](call) if acts else None,
            )
        )
        soak = Soak(running, source, jobs=jobs, seed=seed)
        acts.append(soak.disturb)
        soak.run(until=until)
        acts.clear()  # from here on AWS is well again
        rest.come_to_rest(running, within_s=max(300.0, until - time.time()), say=soak.figures.say)
        found = rest.violations(running)
        soak.figures.show(jobs=jobs, seed=seed, found=found)
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
