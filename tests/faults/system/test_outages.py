"""AWS that refuses, throttles, or does what it was asked and does not say so."""

import threading

import pytest

from tests.e2e.running import until
from tests.faults import rest
from tests.faults.proxy import STORAGE, failed_although_done, refused, reply_lost
from tests.faults.system.plot import BEATS, ENDS, RUNS, STORY_S, Scene, Story, scene

pytestmark = [pytest.mark.faults, pytest.mark.timeout(STORY_S)]

_CREATES = ("", "QUEUED")
_MALFORMED = ("not json", '{"version": 0}', "[]")
_DELIVERIES = 5  # of a message that nobody can handle, until it is a dead letter


@scene("plain")
def _plain(seen: Scene) -> None:
    """Nothing happens to it."""


@scene("part-refused")
def _part_refused(seen: Scene) -> None:
    seen.medium = "large.mp4"
    seen.when(operations={"UploadPart"}, act=refused(503), skip=1)


def test_storage_that_refuses_one_part_gets_it_again(story: Story) -> None:
    seen = story["part-refused"]
    assert [rule.hits for rule in seen.rules] == [1]
    assert (seen.job["state"], seen.job["attempts"]) == ("DONE", 1)


@scene("storage-down")
def _storage_down(seen: Scene) -> None:
    seen.when(caller="downloader", operations=STORAGE, act=refused(503), times=10_000)


def test_storage_that_is_down_for_long_fails_the_job_with_a_reason(story: Story) -> None:
    seen = story["storage-down"]
    assert (seen.job["state"], seen.job["error_code"]) == ("FAILED", "storage.unavailable")
    assert seen.claims == 3


@scene("upload-unheard")
def _upload_unheard(seen: Scene) -> None:
    seen.medium = "large.mp4"
    seen.when(operations={"CompleteMultipartUpload"}, act=reply_lost)


def test_upload_that_succeeded_unheard_is_not_repeated(story: Story) -> None:
    seen = story["upload-unheard"]
    assert [rule.hits for rule in seen.rules] == [1]
    assert (seen.job["state"], seen.job["attempts"]) == ("DONE", 1)


@scene("beats-refused")
def _beats_refused(seen: Scene) -> None:
    seen.slow = 15_000
    seen.when(write=BEATS, act=refused(500), times=4)  # each heartbeat is two calls: the SDK repeats it


def test_worker_sits_out_heartbeats_that_are_refused(story: Story) -> None:
    seen = story["beats-refused"]
    assert [rule.hits for rule in seen.rules] == [4]
    assert (seen.job["state"], seen.job["attempts"]) == ("DONE", 1)


@scene("completion-unheard")
def _completion_unheard(seen: Scene) -> None:
    seen.fields["callback_url"] = seen.receiver.url("/completion-unheard")
    seen.when(write=ENDS, act=failed_although_done)


def test_completion_that_was_applied_and_answered_with_an_error_is_one(story: Story) -> None:
    seen = story["completion-unheard"]
    assert [rule.hits for rule in seen.rules] == [1]
    assert (seen.job["state"], seen.job["attempts"]) == ("DONE", 1)
    assert set(seen.announced()) == {seen.job["webhook"]["event_id"]}


@scene("claim-refused")
def _claim_refused(seen: Scene) -> None:
    seen.when(write=RUNS, act=refused(500), times=2)


def test_claim_that_is_refused_comes_again_and_costs_no_attempt(story: Story) -> None:
    seen = story["claim-refused"]
    assert [rule.hits for rule in seen.rules] == [2]
    assert (seen.job["state"], seen.job["attempts"]) == ("DONE", 1)


@scene("claim-unheard")
def _claim_unheard(seen: Scene) -> None:
    seen.when(write=RUNS, act=reply_lost)


def test_claim_that_succeeded_unheard_is_the_workers_own(story: Story) -> None:
    seen = story["claim-unheard"]
    assert (seen.job["state"], seen.job["attempts"]) == ("DONE", 1)


@scene("unsent")
def _unsent(seen: Scene) -> None:
    seen.when(caller="create_download", operations={"SendMessage"}, act=refused(500), times=99)


def test_job_whose_message_could_not_be_sent_is_accepted_and_done(story: Story) -> None:
    seen = story["unsent"]
    assert seen.rules[0].hits > 0
    assert (seen.job["state"], seen.job["attempts"]) == ("DONE", 1)


@scene("sent-unheard")
def _sent_unheard(seen: Scene) -> None:
    seen.when(caller="create_download", operations={"SendMessage"}, act=reply_lost)


def test_message_that_was_sent_unheard_and_again_is_one_download(story: Story) -> None:
    seen = story["sent-unheard"]
    assert [rule.hits for rule in seen.rules] == [1]
    assert (seen.job["state"], seen.job["attempts"]) == ("DONE", 1)
    assert seen.fetched == story["plain"].fetched


def _all_at_once(seen: Scene) -> None:
    again = [threading.Thread(target=seen.disturbed.send, args=(seen.message(),)) for _ in range(4)]
    for thread in again:
        thread.start()
    for thread in again:
        thread.join()


@scene("many-messages", _all_at_once)
def _many_messages(seen: Scene) -> None:
    seen.slow = 40_000


def test_message_that_comes_several_times_at_once_is_one_download(story: Story) -> None:
    seen = story["many-messages"]
    assert (seen.job["state"], seen.job["attempts"], seen.claims) == ("DONE", 1, 1)


def _redrive(seen: Scene) -> None:
    until(lambda: seen.job["state"], lambda state: state == "DONE", within_s=300)
    seen.notes["done"] = seen.job
    seen.disturbed.send(seen.message())
    seen.disturbed.send(seen.message(), "DeadLetterQueueUrl")


@scene("redriven", _redrive)
def _redriven(seen: Scene) -> None:
    """Its message comes back when it is done: delivered again, and as a dead letter."""


def test_message_of_a_finished_job_does_nothing_in_either_queue(story: Story) -> None:
    seen = story["redriven"]
    assert (seen.job["state"], seen.claims, seen.fetched) == ("DONE", 1, story["plain"].fetched)
    assert seen.job["completed_at"] == seen.notes["done"]["completed_at"]


def _not_ours(seen: Scene) -> None:
    for body in (*_MALFORMED, '{"version": 99}'):
        seen.disturbed.send(body)


@scene("malformed", _not_ours)
def _malformed(seen: Scene) -> None:
    """Beside it messages that are none."""


def test_message_that_is_not_ours_ends_as_a_dead_letter_and_holds_nobody_up(story: Story) -> None:
    assert story["malformed"].job["state"] == "DONE"
    log = (story["malformed"].disturbed.service.data / "downloader.log").read_text()
    assert log.count('"message_malformed"') == len(_MALFORMED) * _DELIVERIES
    assert log.count('"message_newer"') == _DELIVERIES


def _ask_again(seen: Scene) -> None:
    seen.notes["first"] = seen.job_id
    seen.create()  # as a client does that has not heard of the first answer either


@scene("created-unheard", _ask_again)
def _created_unheard(seen: Scene) -> None:
    seen.headers["Idempotency-Key"] = "created-unheard"
    seen.when(caller="create_download", write=_CREATES, act=reply_lost)


def test_creation_that_was_written_unheard_is_answered_and_stands_once(story: Story) -> None:
    seen = story["created-unheard"]
    jobs = rest.read_table(seen.disturbed).jobs
    found = [job_id for job_id, job in jobs.items() if job["url"] == seen.url]
    assert found == [seen.job_id] == [seen.notes["first"]]
    assert (seen.job["state"], seen.claims) == ("DONE", 1)
