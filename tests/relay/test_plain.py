"""A download that takes longer than an invocation: one handler after the other, with real fetchers, on moto."""

import dataclasses
import functools
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from reelhaul import aws, steps
from reelhaul.jobs import Job, State
from tests.conftest import Cloud
from tests.integration.streaming import make_large
from tests.relay.conftest import Submit
from tests.relay.relaying import PATH, Handle, ShortBreathed, ended, invocation, stored, swept


@pytest.fixture
def source(media: Path) -> Iterator[ShortBreathed]:
    make_large(media)
    with ShortBreathed(media) as server:
        server.breath_bytes = len(server.whole) * 3 // 10
        yield server
        server.is_over.set()


@pytest.fixture
def job(submit: Submit) -> Job:
    return submit(PATH)


@pytest.fixture
def invoke(cloud: Cloud) -> Handle:
    return functools.partial(invocation, cloud)


def test_four_invocations_make_one_file(
    cloud: Cloud, source: ShortBreathed, job: Job, invoke: Handle, work: Path
) -> None:
    came = [0]
    for _ in range(3):
        waiting = invoke(job)
        assert (waiting.state, waiting.attempts, waiting.generation) == (State.QUEUED, 0, 1), waiting
        assert waiting.checkpoint is not None
        assert not list(work.iterdir())
        came.append(waiting.checkpoint.bytes)
    done = invoke(job)

    assert stored(cloud, done) == source.whole
    assert (done.attempts, done.checkpoint, done.untidy) == (1, None, True)
    again = [first for first, count in source.asked if first + count == len(source.whole) and first]
    assert again == came[1:]  # from where the bytes stopped
    assert [first for first, _ in source.asked].count(0) == 2  # looked at once, and begun once
    lost = sum(source.breath_bytes * number - so_far for number, so_far in enumerate(came))
    assert lost / 6 < len(source.whole) * 0.05  # what had come and was not used, of all invocations


def test_what_was_handed_over_is_removed_in_the_end(
    cloud: Cloud, source: ShortBreathed, job: Job, invoke: Handle
) -> None:
    assert invoke(job).checkpoint is not None
    source.breath_bytes = len(source.whole)
    done = ended(job, invoke)
    assert done.stored is not None

    swept(cloud)

    assert cloud.object_keys() == [done.stored.key]
    assert not aws.client("s3").list_multipart_uploads(Bucket=cloud.bucket).get("Uploads", [])


@pytest.mark.parametrize("changed", [{"ETag": '"two"'}, {"ETag": "", "Last-Modified": "Tue, 02 Jan 2024 00:00:00 GMT"}])
def test_file_that_has_changed_is_fetched_anew(
    cloud: Cloud, source: ShortBreathed, job: Job, invoke: Handle, changed: dict[str, str]
) -> None:
    assert invoke(job).checkpoint is not None
    source.marks |= changed

    refused = invoke(job)

    assert (refused.state, refused.attempts, refused.checkpoint) == (State.QUEUED, 1, None)
    source.breath_bytes = len(source.whole)
    assert stored(cloud, ended(job, invoke)) == source.whole


def test_file_that_changes_again_and_again_has_an_error_of_its_own(
    cloud: Cloud, source: ShortBreathed, job: Job, invoke: Handle
) -> None:
    cloud.store.change(job.tenant, job.id, lambda seen: dataclasses.replace(seen, attempts=2))
    assert invoke(job).checkpoint is not None
    source.marks["ETag"] = '"two"'

    failed = invoke(job)

    assert (failed.state, failed.error_code, failed.checkpoint) == (State.FAILED, "source.changed", None)
    assert failed.untidy


def test_source_that_ignores_ranges_is_too_slow(source: ShortBreathed, job: Job, invoke: Handle) -> None:
    assert invoke(job).checkpoint is not None
    source.ignores_ranges = True

    failed = invoke(job)

    assert (failed.state, failed.error_code) == (State.FAILED, "source.too_slow")


def test_cancel_while_it_waits_leaves_it_to_be_removed(
    cloud: Cloud, source: ShortBreathed, job: Job, invoke: Handle
) -> None:
    assert invoke(job).checkpoint is not None

    cancelled = cloud.store.change(job.tenant, job.id, lambda seen: steps.cancel(seen, now=time.time()))

    assert (cancelled.checkpoint, cancelled.untidy) == (None, True)
    assert invoke(job).state is State.CANCELLED
