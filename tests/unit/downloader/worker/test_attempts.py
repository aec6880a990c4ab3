"""One job from claim to end, on moto. Only the fetch is made up."""

import dataclasses
import hashlib
import json
import signal
import subprocess
import threading
import time
from pathlib import Path

import pytest

from downloader import lease as lease_module
from downloader.worker import Worker
from reelhaul import aws, ids, steps
from reelhaul.errors import (
    LeaseLost,
    ServiceUnavailable,
    SourceError,
    SourceInterrupted,
    SourceNotFound,
    SourceRateLimited,
)
from reelhaul.jobs import MAX_ATTEMPTS, Job, State, StoredObject
from reelhaul.queue import JobMessage
from tests.conftest import Cloud
from tests.faults import meanwhile, refused, reply_lost
from tests.unit.downloader.worker.working import CONTENT, MEDIA, Fetching, failing, made, now_in, run


def test_fetched_media_become_the_jobs_object(worker: Worker, cloud: Cloud, job: Job) -> None:
    run(worker, job)

    done = now_in(cloud, job)
    assert (done.state, done.media, done.attempts) == (State.DONE, MEDIA, 1)
    assert done.stored is not None
    assert done.stored.checksum_sha256 == hashlib.sha256(CONTENT).hexdigest()
    assert cloud.object_keys() == [done.stored.key]
    found = aws.client("s3").get_object(Bucket=cloud.bucket, Key=done.stored.key)
    assert found["Body"].read() == CONTENT
    assert (found["ContentType"], found["ContentDisposition"]) == ("video/mp4", 'attachment; filename="my video.mp4"')


def test_nothing_stays_on_the_disk(worker: Worker, job: Job, tmp_path: Path) -> None:
    run(worker, job)

    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("again", ["same message", "old message"])
def test_message_that_is_not_for_a_waiting_job_does_nothing(
    worker: Worker, cloud: Cloud, job: Job, fetching: Fetching, again: str
) -> None:
    if again == "same message":
        run(worker, job)
    else:
        cloud.store.swap(job, dataclasses.replace(job, generation=2))
    before = now_in(cloud, job)

    run(worker, job)

    assert now_in(cloud, job) == before
    assert len(fetching.directories) == (1 if again == "same message" else 0)


def test_express_message_is_for_a_job_that_nobody_has_tried(
    worker: Worker, cloud: Cloud, job: Job, fetching: Fetching
) -> None:
    express = JobMessage(tenant=job.tenant, job_id=job.id, generation=1, untried_only=True)
    fetching.act = failing(SourceRateLimited(retry_after_s=300))
    worker.run(express, ends_at=time.monotonic() + 60)
    waiting = now_in(cloud, job)
    assert (waiting.state, waiting.attempts) == (State.QUEUED, 1)

    worker.run(express, ends_at=time.monotonic() + 60)

    assert now_in(cloud, job) == waiting  # until the source has had its pause


def test_message_of_a_deleted_job_does_nothing(worker: Worker, cloud: Cloud, job: Job, fetching: Fetching) -> None:
    cloud.store.delete(job, now=time.time())

    run(worker, job)

    assert fetching.directories == []


def test_of_two_workers_one_has_the_job(worker: Worker, cloud: Cloud, job: Job, fetching: Fetching) -> None:
    def claim_first() -> None:
        cloud.store.swap(job, steps.claim(job, now=time.time()))

    with meanwhile("dynamodb", "PutItem", claim_first):
        run(worker, job)

    assert fetching.directories == []
    assert now_in(cloud, job).fence == 1


def test_permanent_error_ends_the_job(worker: Worker, cloud: Cloud, job: Job, fetching: Fetching) -> None:
    fetching.act = failing(SourceNotFound())

    run(worker, job)

    failed = now_in(cloud, job)
    assert (failed.state, failed.error_code, failed.error) == (
        State.FAILED,
        "source.not_found",
        SourceNotFound.sentence,
    )
    assert cloud.object_keys() == cloud.messages() == []


def test_transient_error_puts_the_job_back_until_its_attempts_are_spent(
    worker: Worker, cloud: Cloud, job: Job, fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("downloader.verdicts._BACKOFF_S", 0.0)  # so that the message is there to be seen
    fetching.act = failing(SourceInterrupted())

    for attempt in range(1, MAX_ATTEMPTS):
        run(worker, job)
        assert (now_in(cloud, job).state, now_in(cloud, job).attempts) == (State.QUEUED, attempt)
        assert [json.loads(body)["job_id"] for body in cloud.messages()] == [job.id]
    run(worker, job)

    assert (now_in(cloud, job).state, now_in(cloud, job).error_code) == (State.FAILED, "source.interrupted")
    assert cloud.messages() == []


def test_what_a_crashed_process_left_is_removed_by_the_next(cloud: Cloud, fetching: Fetching, tmp_path: Path) -> None:
    left = tmp_path / "job-left"
    left.mkdir()
    (left / "media.mp4.part").write_bytes(CONTENT)

    made(cloud, fetching, tmp_path)

    assert list(tmp_path.iterdir()) == []


def test_what_a_crashed_process_started_is_ended_by_the_next(cloud: Cloud, fetching: Fetching, tmp_path: Path) -> None:
    left = tmp_path / "job-left"
    left.mkdir()
    stray, other = (subprocess.Popen(["sleep", "60"], cwd=place) for place in (left, tmp_path))
    try:
        made(cloud, fetching, tmp_path)

        assert stray.wait() == -signal.SIGKILL
        assert other.poll() is None
    finally:
        other.kill()
        other.wait()


def test_worker_without_room_for_a_directory_gives_the_job_back(
    cloud: Cloud, job: Job, fetching: Fetching, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("downloader.verdicts._BACKOFF_S", 0.0)
    work = tmp_path / "work"
    work.mkdir()
    worker = made(cloud, fetching, work)
    work.rmdir()

    run(worker, job)

    assert (now_in(cloud, job).state, now_in(cloud, job).attempts) == (State.QUEUED, 1)
    assert [json.loads(body)["job_id"] for body in cloud.messages()] == [job.id]


def test_every_attempt_has_a_directory_of_its_own(worker: Worker, job: Job, fetching: Fetching) -> None:
    fetching.act = failing(SourceInterrupted())

    for _ in range(MAX_ATTEMPTS):
        run(worker, job)

    assert len(set(fetching.directories)) == MAX_ATTEMPTS


@pytest.mark.parametrize(("wanted_s", "state"), [(30, State.QUEUED), (86_400, State.FAILED)])
def test_pause_that_the_source_asks_for_is_kept_within_reason(
    worker: Worker, cloud: Cloud, job: Job, fetching: Fetching, wanted_s: float, state: State
) -> None:
    fetching.act = failing(SourceRateLimited(retry_after_s=wanted_s))
    started = time.time()

    run(worker, job)

    seen = now_in(cloud, job)
    assert seen.state is state
    if state is State.QUEUED:
        assert seen.due_at is not None
        assert seen.due_at >= started + wanted_s
        assert cloud.messages() == []  # not yet


def test_unforeseen_error_is_no_ones_fault_but_ends(worker: Worker, cloud: Cloud, job: Job, fetching: Fetching) -> None:
    fetching.act = failing(ZeroDivisionError("secret detail"))

    for _ in range(MAX_ATTEMPTS):
        run(worker, job)

    failed = now_in(cloud, job)
    assert (failed.state, failed.error_code) == (State.FAILED, "job.crashed")
    assert "secret" not in str(failed.error)


def test_cancel_while_fetching_stops_and_leaves_nothing(
    worker: Worker, cloud: Cloud, job: Job, fetching: Fetching, tmp_path: Path
) -> None:
    def cancelled(held: Job, _directory: Path, stop: threading.Event) -> None:
        cloud.store.change(held.tenant, held.id, lambda seen: steps.cancel(seen, now=time.time()))
        assert stop.wait(10)
        raise LeaseLost

    fetching.act = cancelled
    run(worker, job)

    assert now_in(cloud, job).state is State.CANCELLED
    assert cloud.object_keys() == cloud.messages() == []
    assert list(tmp_path.iterdir()) == []


def test_cancel_that_wins_the_race_to_the_end_leaves_no_object(worker: Worker, cloud: Cloud, job: Job) -> None:
    def cancel() -> None:
        cloud.store.change(job.tenant, job.id, lambda seen: steps.cancel(seen, now=time.time()))

    with meanwhile("s3", "HeadObject", cancel):  # the upload is done, the job not yet
        run(worker, job)

    assert now_in(cloud, job).state is State.CANCELLED
    assert cloud.object_keys() == []


def test_stale_worker_removes_its_own_object_and_not_the_winners(worker: Worker, cloud: Cloud, job: Job) -> None:
    def take_over() -> None:
        requeued = cloud.store.change(
            job.tenant, job.id, lambda seen: steps.requeue(seen, now=time.time(), cut_off=True)
        )
        claimed = cloud.store.swap(requeued, steps.claim(requeued, now=time.time()))
        cloud.put_object(ids.object_key(claimed, "mp4"), b"the winner's")

    with meanwhile("s3", "HeadObject", take_over):
        run(worker, job)

    held = now_in(cloud, job)
    assert held.state is State.RUNNING
    assert cloud.object_keys() == [ids.object_key(held, "mp4")]


def test_lost_reply_to_the_completion_is_still_a_completion(
    worker: Worker, cloud: Cloud, job: Job, fetching: Fetching
) -> None:
    losing = reply_lost("dynamodb", "TransactWriteItems")

    with meanwhile("s3", "HeadObject", losing.__enter__):
        run(worker, job)
    losing.__exit__(None, None, None)

    done = now_in(cloud, job)
    assert done.state is State.DONE
    assert done.stored is not None
    assert cloud.object_keys() == [done.stored.key]


def test_unknown_outcome_of_the_completion_keeps_the_object(worker: Worker, cloud: Cloud, job: Job) -> None:
    outage = refused("dynamodb", "TransactWriteItems")

    with meanwhile("s3", "HeadObject", outage.__enter__):
        run(worker, job)
    outage.__exit__(None, None, None)

    assert now_in(cloud, job).state is State.RUNNING  # the sweeper's, once the lease is over
    assert len(cloud.object_keys()) == 1


def test_interrupted_worker_gives_the_job_back_unharmed(
    worker: Worker, cloud: Cloud, job: Job, fetching: Fetching
) -> None:
    def interrupted(_job: Job, _directory: Path, stop: threading.Event) -> None:
        worker.interrupt()
        assert stop.is_set()
        raise LeaseLost

    fetching.act = interrupted
    run(worker, job)

    assert (now_in(cloud, job).state, now_in(cloud, job).attempts) == (State.QUEUED, 0)
    assert len(cloud.messages()) == 1


def test_interruption_while_a_job_is_taken_up_is_heard(
    worker: Worker, cloud: Cloud, job: Job, fetching: Fetching, monkeypatch: pytest.MonkeyPatch
) -> None:
    clear, heard = threading.Event.clear, list[bool]()

    def interrupted(event: threading.Event) -> None:
        worker.interrupt()  # as by a signal, just before
        clear(event)

    def stopped(_job: Job, _directory: Path, stop: threading.Event) -> None:
        heard.append(stop.is_set())
        raise LeaseLost

    fetching.act = stopped
    with monkeypatch.context() as patch:
        patch.setattr(threading.Event, "clear", interrupted)
        run(worker, job)

    assert heard == [True]
    assert (now_in(cloud, job).state, now_in(cloud, job).attempts) == (State.QUEUED, 0)


def test_storage_outage_is_tried_again_and_told(
    worker: Worker, cloud: Cloud, job: Job, caplog: pytest.LogCaptureFixture
) -> None:
    with refused("s3", "PutObject"), caplog.at_level("INFO", logger="worker"):
        run(worker, job)

    assert (now_in(cloud, job).state, now_in(cloud, job).untidy) == (State.QUEUED, False)
    (told,) = [line for line in caplog.messages if line.startswith("job_attempt_failed")]
    assert "service.unavailable" in told
    assert "InternalError" in told  # what AWS said


def test_what_could_not_be_removed_is_remembered(worker: Worker, cloud: Cloud, job: Job, fetching: Fetching) -> None:
    fetching.act = failing(SourceNotFound())

    with refused("s3", "ListObjectsV2"):
        run(worker, job)

    failed = now_in(cloud, job)
    assert (failed.state, failed.untidy) == (State.FAILED, True)
    assert failed.due_at is not None


def test_table_that_is_down_before_the_claim_brings_the_message_back(worker: Worker, cloud: Cloud, job: Job) -> None:
    with refused("dynamodb", "GetItem"), pytest.raises(ServiceUnavailable):
        run(worker, job)

    assert now_in(cloud, job).state is State.QUEUED


@pytest.mark.parametrize("error", [SourceError(), SourceNotFound()])
def test_only_transient_errors_are_tried_again(
    worker: Worker, cloud: Cloud, job: Job, fetching: Fetching, error: SourceError
) -> None:
    fetching.act = failing(error)

    run(worker, job)

    assert now_in(cloud, job).state is State.FAILED


def test_completion_that_hung_and_then_was_swept_keeps_its_object(
    worker: Worker, cloud: Cloud, job: Job, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Our own write is in the table; the sweeper has moved the fence since, so that its repetition is refused."""
    # The lease has ended by the time a worker completes. A heartbeat between this write, which comes in the name of the
    # completion, and the real one would see a lost job, which no worker sees of its own completion.
    monkeypatch.setattr(lease_module, "BEAT_S", 60.0)

    def written_and_swept() -> None:
        held = now_in(cloud, job)
        if held.state is State.RUNNING and cloud.object_keys():
            key = cloud.object_keys()[0]
            stored = StoredObject(key=key, size=len(CONTENT), checksum_sha256=hashlib.sha256(CONTENT).hexdigest())
            done = cloud.store.swap(held, steps.complete(held, MEDIA, stored, now=time.time()))
            cloud.store.swap(done, steps.tidied(done, now=time.time()))

    with meanwhile("s3", "HeadObject", written_and_swept):
        run(worker, job)

    assert now_in(cloud, job).state is State.DONE
    assert len(cloud.object_keys()) == 1
