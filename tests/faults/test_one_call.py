"""Faults of one call, of the machine or of the network around one handler: the real one, with its real fetcher."""

import functools
import json
import os
import socket
import subprocess
import sys
import threading
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from downloader import fetch as fetch_module
from reelhaul.egress import EgressProxy
from reelhaul.jobs import State
from tests.faults import hooked, refused
from tests.faults.deliveries import Deliveries
from tests.media import SourceServer

_ROOT = Path(__file__).resolve().parents[2]
_PATH = os.pathsep.join(str(_ROOT / place) for place in ("functions", "layers/core/python", "."))
_AGAIN_MOST_S = 30  # far below the queue's visibility time-out


def test_claim_that_is_throttled_comes_again_in_seconds_and_costs_no_attempt(
    deliveries: Deliveries, source: SourceServer
) -> None:
    job, postponed = deliveries.submitted(source.url("clip.mp4")), []

    def throttle(**_: Any) -> None:
        raise ClientError({"Error": {"Code": "ProvisionedThroughputExceededException"}}, "PutItem")

    def note(params: dict[str, Any], **_: Any) -> None:
        postponed.append(json.loads(params["body"])["VisibilityTimeout"])

    record = deliveries.received()
    with (
        hooked("before-call", "dynamodb", "PutItem", throttle),
        hooked("before-call", "sqs", "ChangeMessageVisibility", note),
    ):
        assert deliveries.handled(record) == [record["messageId"]]

    assert len(postponed) == 1
    assert 0 < int(postponed[0]) <= _AGAIN_MOST_S
    assert (deliveries.job(job).state, deliveries.job(job).attempts, source.connections) == (State.QUEUED, 0, 0)
    assert deliveries.handled(record) == []
    assert (deliveries.job(job).state, deliveries.job(job).attempts) == (State.DONE, 1)


def test_look_up_that_fails_is_tried_again_and_then_said(
    deliveries: Deliveries, source: SourceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """An outage of DNS, for names that are not ours: the look-up is the parent's, and it fails there."""

    def outage(host: str, *rest: Any, **options: Any) -> Any:
        raise socket.gaierror(socket.EAI_AGAIN, "Temporary failure in name resolution")

    monkeypatch.setattr(fetch_module, "EgressProxy", functools.partial(EgressProxy, resolve=outage))
    monkeypatch.setattr("downloader.verdicts._BACKOFF_S", 0.0)
    job = deliveries.submitted("http://media.example/clip.mp4")

    for attempt in (1, 2):
        assert deliveries.handled(deliveries.received()) == []
        assert (deliveries.job(job).state, deliveries.job(job).attempts) == (State.QUEUED, attempt)
    assert deliveries.handled(deliveries.received()) == []

    assert (deliveries.job(job).state, deliveries.job(job).error_code) == (State.FAILED, "source.unreachable")
    assert source.connections == 0


def test_egress_proxy_that_dies_ends_the_attempt_and_no_half_file_is_taken_for_whole(
    deliveries: Deliveries, source: SourceServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    proxies: list[EgressProxy] = []

    class Mortal(EgressProxy):
        def __enter__(self) -> "Mortal":
            proxies.append(self)
            super().__enter__()
            return self

    monkeypatch.setattr(fetch_module, "EgressProxy", Mortal)
    job = deliveries.submitted(source.url("slow/clip.mp4?rate=20000"))
    ended = threading.Event()

    def end_it() -> None:
        while not ended.wait(0.02):
            if proxies and proxies[0].received_bytes > 20_000:
                proxies[0].__exit__()  # its listener and every connection through it are gone
                return

    watcher = threading.Thread(target=end_it)
    watcher.start()
    assert deliveries.handled(deliveries.received()) == []
    ended.set()
    watcher.join()

    after = deliveries.job(job)
    assert (after.state, after.attempts) == (State.QUEUED, 1)
    assert deliveries.cloud.object_keys() == []


def test_one_tenants_file_is_not_the_next_ones_on_the_same_warm_worker(
    deliveries: Deliveries, source: SourceServer
) -> None:
    """The same name, the same last part of the address, one process."""
    first = deliveries.submitted(source.url("clip.mp4"), tenant="a", name="same")
    deliveries.handled(deliveries.received())
    second = deliveries.submitted(source.url("other/clip.mp4"), tenant="b", name="same")
    deliveries.handled(deliveries.received())
    third = deliveries.submitted(source.url("half.mp4"), tenant="c", name="same")
    deliveries.handled(deliveries.received())

    assert deliveries.content(first) == (source.directory / "clip.mp4").read_bytes()
    assert deliveries.content(second) == (source.directory / "other" / "clip.mp4").read_bytes()
    assert (deliveries.job(third).state, deliveries.job(third).stored) == (State.QUEUED, None)
    assert {key.split("/")[0] for key in deliveries.cloud.object_keys()} == {"a", "b"}


def test_worker_close_to_its_deadline_stops_by_itself_and_hands_over(
    deliveries: Deliveries, source: SourceServer
) -> None:
    job = deliveries.submitted(source.url("slow/clip.mp4?rate=2000"))

    assert deliveries.handled(deliveries.received(), seconds=6) == []

    assert (deliveries.job(job).state, deliveries.job(job).attempts) == (State.QUEUED, 0)
    checkpoint = deliveries.job(job).checkpoint
    assert checkpoint is not None
    assert checkpoint.place > 0


def test_what_cannot_be_gone_on_with_is_too_slow(deliveries: Deliveries, source: SourceServer) -> None:
    """It comes without its length, so there is nothing to know it by again."""
    job = deliveries.submitted(source.url("endless.mp4"))

    assert deliveries.handled(deliveries.received(), seconds=6) == []

    assert deliveries.job(job).state is State.FAILED
    assert deliveries.job(job).error_code in {"source.too_slow", "source.too_large"}  # whichever comes first
    assert deliveries.cloud.object_keys() == []


def test_outage_of_the_queue_after_a_failed_attempt_leaves_the_job_to_the_sweeper(
    deliveries: Deliveries, source: SourceServer
) -> None:
    job = deliveries.submitted(source.url("status/503"))
    record = deliveries.received()

    with refused("sqs", "SendMessage"):
        assert deliveries.handled(record) == []

    after = deliveries.job(job)
    assert (after.state, after.attempts) == (State.QUEUED, 1)
    assert after.due_at is not None
    assert deliveries.cloud.messages() == []


@pytest.mark.parametrize(("others", "code"), [(60, "storage.unavailable"), (0, "source.too_large")])
def test_disk_that_others_have_filled_is_our_fault_and_passing_and_one_that_is_too_small_is_not(
    source: SourceServer, tmp_path: Path, others: int, code: str
) -> None:
    """On a file system of 100 KB, in a mount namespace of its own."""
    fill = f'head -c {others * 1024} /dev/zero > "{tmp_path}/others"'
    script = f'mount -t tmpfs -o size=100k tmpfs "{tmp_path}" && {fill} && exec "$@"'
    program = [sys.executable, "-m", "tests.faults.full_disk", str(tmp_path), source.origin, source.url("clip.mp4")]
    done = subprocess.run(
        ["unshare", "--map-root-user", "--mount", "sh", "-c", script, "sh", *program],
        capture_output=True, text=True, check=False, cwd=_ROOT, env={**os.environ, "PYTHONPATH": _PATH},
    )  # fmt: skip
    if "unshare" in done.stderr:
        pytest.skip(f"this machine has no user namespaces: {done.stderr.strip()}")
    assert done.stdout.strip() == code, done.stderr
