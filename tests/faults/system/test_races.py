"""Users who change their mind at the worst moment: the proxy has it happen just before the worker's last write."""

import time

import pytest

from tests.e2e.running import until
from tests.faults.calls import Call
from tests.faults.proxy import preceded_by
from tests.faults.system.plot import BEATS, ENDS, RUNS, STORY_S, Scene, Story, scene

pytestmark = [pytest.mark.faults, pytest.mark.timeout(STORY_S)]

_QUIET_S = 6.0


@scene("cancelled-before-claim")
def _before_claim(seen: Scene) -> None:
    def cancel(call: Call) -> None:
        seen.job_id = str(call.job_id)
        seen.cancel()

    seen.when(write=RUNS, act=preceded_by(cancel), times=9)


def test_job_that_is_cancelled_before_its_claim_fetches_nothing(story: Story) -> None:
    seen = story["cancelled-before-claim"]
    assert (seen.job["state"], seen.job["attempts"], seen.fetched) == ("CANCELLED", 0, 0)


def _cancel_under_way(seen: Scene) -> None:
    served = seen.source.served
    until(lambda: served.get(seen.path, 0), bool, within_s=200)
    seen.cancel()
    before = time.monotonic()
    until(lambda: _grows(seen), lambda grows: not grows, within_s=120)
    seen.notes["stopped_after_s"] = time.monotonic() - before
    seen.notes["served"] = served[seen.path]
    time.sleep(_QUIET_S)
    seen.notes["served_later"] = served[seen.path]


def _grows(seen: Scene) -> bool:
    before = seen.source.served[seen.path]
    time.sleep(0.5)
    return seen.source.served[seen.path] > before


@scene("cancelled-under-way", _cancel_under_way)
def _under_way(seen: Scene) -> None:
    seen.slow = 3_000
    seen.fields["callback_url"] = seen.receiver.url("/cancelled")


def test_cancelled_download_takes_no_more_bytes_from_its_source(story: Story) -> None:
    seen = story["cancelled-under-way"]
    assert seen.job["state"] == "CANCELLED"
    assert 0 < seen.notes["served"] < (seen.source.directory / "clip.mp4").stat().st_size
    assert seen.notes["served_later"] == seen.notes["served"]
    assert set(seen.announced()) == {seen.job["webhook"]["event_id"]}


@scene("cancelled-at-the-end")
def _at_the_end(seen: Scene) -> None:
    seen.when(write=ENDS, act=preceded_by(seen.cancel), times=9)


def test_cancel_that_overtakes_the_last_write_leaves_no_file(story: Story) -> None:
    seen = story["cancelled-at-the-end"]
    assert seen.rules[0].hits > 0
    assert (seen.job["state"], "stored" in seen.job) == ("CANCELLED", False)


@scene("deleted-while-running")
def _deleted(seen: Scene) -> None:
    def delete(_call: Call) -> None:
        seen.notes["deleted"] = seen.call("DELETE", "/download/{}").status

    seen.when(write=ENDS, act=preceded_by(delete), times=9)


def test_job_that_is_deleted_while_it_runs_leaves_neither_record_nor_file(story: Story) -> None:
    seen = story["deleted-while-running"]
    assert seen.notes["deleted"] == 200
    assert seen.job == {}


@scene("retried-while-running")
def _retried(seen: Scene) -> None:
    def retry(_call: Call) -> None:
        seen.notes["retried"] = seen.call("POST", "/download/{}").status

    seen.slow = 20_000
    seen.when(write=BEATS, then=retry)


def test_running_job_cannot_be_retried_and_goes_on(story: Story) -> None:
    seen = story["retried-while-running"]
    assert seen.notes["retried"] == 409
    assert (seen.job["state"], seen.job["generation"], seen.claims) == ("DONE", 1, 1)


@scene("retried-before-the-end")
def _late_worker(seen: Scene) -> None:
    def cancel_and_retry(_call: Call) -> None:
        seen.cancel()
        seen.notes["retried"] = seen.call("POST", "/download/{}").status

    seen.when(write=ENDS, act=preceded_by(cancel_and_retry), times=9)


def test_late_worker_cannot_finish_the_job_that_was_retried_meanwhile(story: Story) -> None:
    seen = story["retried-before-the-end"]
    assert seen.notes["retried"] == 200
    assert (seen.job["state"], seen.job["generation"], seen.claims) == ("DONE", 2, 2)
