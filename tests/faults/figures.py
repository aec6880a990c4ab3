"""What a soak run shows at its end: what was asked for, what was done, what became of it, and how long it took."""

import collections
import statistics
import time
from collections.abc import Iterator, Sequence

from reelhaul.jobs import LEASE_S
from tests.faults import rest
from tests.faults.disturbed import Disturbed
from tests.faults.rest import Violation
from tests.faults.source import CountingServer

_EVERY_S = 10.0


class Figures:
    """Collects, and prints."""

    def __init__(self, running: Disturbed, source: CountingServer) -> None:
        self._running, self._source = running, source
        self.submitted: collections.Counter[str] = collections.Counter()
        self.faults: collections.Counter[str] = collections.Counter()
        self.deeds: collections.Counter[str] = collections.Counter()
        self._kills: list[tuple[float, str]] = []
        self._cancels: list[tuple[float, str, str]] = []
        self._unsent: dict[str, float] = {}
        self._began, self._said = time.time(), 0.0

    def killed(self, job_id: str) -> None:
        self.deeds["workers killed"] += 1
        self._kills.append((time.time(), job_id))

    def cancelled(self, job_id: str, path: str | None) -> None:
        self.deeds["cancels"] += 1
        if path:
            self._cancels.append((time.time(), job_id, path))

    def unsent(self, job_id: str) -> None:
        """Its message does not go out; of several tries the last one counts."""
        self._unsent[job_id] = time.time()

    def say(self, text: str) -> None:
        """Now and then."""
        if time.time() - self._said >= _EVERY_S:
            self._said = time.time()
            print(f"{self._said - self._began:6.0f} s  {text}", flush=True)  # noqa: T201 - a program's output

    def show(self, *, jobs: int, seed: int, found: Sequence[Violation]) -> None:
        table = rest.read_table(self._running)
        states = collections.Counter(job["state"] for job in table.jobs.values())
        reasons = collections.Counter(job["error_code"] for job in table.jobs.values() if job["state"] == "FAILED")
        sections = {
            f"asked for ({jobs} jobs, seed {seed}, {time.time() - self._began:.0f} s)": self.submitted,
            "done to them": self.deeds,
            "calls of AWS disturbed": collections.Counter(
                {kind: sum(n for name, n in self.faults.items() if name.startswith(f"{kind}:"))
                 for kind in {name.partition(":")[0] for name in self.faults}}
            ),
            "became of them, items of playlists included": states,
            "failed because": reasons,
        }  # fmt: skip
        for title, counted in sections.items():
            self._print(f"\n{title}: {sum(counted.values())}")
            for name, count in counted.most_common():
                self._print(f"{count:8}  {name}")
        self._show_times()
        self._print(f"\ninvariant violations: {len(found)}")
        for one in found:
            self._print(f"          {one.job_id or 'all'}: {one.text}")

    def _show_times(self) -> None:
        self._print("\nseconds (median, most, how many; promised)")
        for name, times, promised in (
            ("from a dead worker's last lease to its job's being queued again", list(self._recoveries()), "120"),
            ("from a send that failed to one that did not", list(self._repairs()), "120"),
            ("from a cancel to the source's last byte", list(self._stops()), "5"),
        ):
            shown = (
                f"{statistics.median(times):6.1f} {max(times):6.1f} {len(times):4}" if times else "     -      -    0"
            )
            self._print(f"  {shown}   {promised:>4}   {name}")

    def _recoveries(self) -> Iterator[float]:
        for killed_at, job_id in self._kills:
            own = [(at, call.write) for at, call in self._running.proxy.log if call.job_id == job_id and call.write]
            held = [at for at, write in own if at <= killed_at and write and write[1] == "RUNNING"]
            back = [at for at, write in own if at > killed_at and write == ("RUNNING", "QUEUED")]
            ended = [
                at for at, write in own if at > killed_at and write and write[1] in {"CANCELLED", "FAILED", "DONE"}
            ]
            if held and back and not (ended and ended[0] < back[0]):
                yield max(0.0, back[0] - (max(held) + LEASE_S))

    def _repairs(self) -> Iterator[float]:
        for job_id, failed_at in self._unsent.items():
            later = [
                at
                for at, call in self._running.proxy.log
                if call.job_id == job_id
                and (call.caller, call.operation) == ("sweeper", "SendMessage")
                and at > failed_at
            ]
            if later:
                yield later[0] - failed_at

    def _stops(self) -> Iterator[float]:
        for cancelled_at, job_id, path in self._cancels:
            if any(
                at > cancelled_at and call.job_id == job_id and call.is_claim for at, call in self._running.proxy.log
            ):
                continue  # it was retried: those are other bytes
            served_at = self._source.served_at.get(path)
            if served_at is not None:  # it had begun
                yield max(0.0, served_at - cancelled_at)

    def _print(self, text: str) -> None:
        print(text, flush=True)  # noqa: T201 - a program's output
