"""Workers that die or fall asleep, at named points. SIGKILL is SIGKILL, of the process that made the call."""

import os
import signal

import pytest

from tests.e2e.running import until
from tests.faults.calls import Call
from tests.faults.proxy import Reply, followed_by, preceded_by
from tests.faults.system.plot import BEATS, ENDS, RUNS, STORY_S, Scene, Story, scene

pytestmark = [pytest.mark.faults, pytest.mark.timeout(STORY_S)]

_HANDED_OVER_ONCE = 4  # the fence then: a claim, the hand-over, another claim, the end


def never(_call: Call, _forward: object) -> Reply | None:
    """The call never arrives: who made it is dead."""
    return None


def told_of_its_end(seen: Scene) -> None:
    seen.fields["callback_url"] = seen.receiver.url(f"/{seen.name}")


@scene("killed-after-claim")
def _after_claim(seen: Scene) -> None:
    seen.when(write=RUNS, then=seen.kill)


@scene("killed-half-way")
def _half_way(seen: Scene) -> None:
    seen.slow = 20_000
    seen.when(write=BEATS, then=seen.kill)


@scene("killed-after-last-part")
def _after_last_part(seen: Scene) -> None:
    seen.medium = "large.mp4"
    seen.when(operations={"CompleteMultipartUpload"}, act=preceded_by(seen.kill, never))


@scene("killed-after-upload")
def _after_upload(seen: Scene) -> None:
    seen.medium = "large.mp4"
    seen.when(operations={"CompleteMultipartUpload"}, act=followed_by(seen.kill))


@pytest.mark.parametrize(
    "name", ["killed-after-claim", "killed-half-way", "killed-after-last-part", "killed-after-upload"]
)
def test_job_of_a_killed_worker_is_done_by_the_next(story: Story, name: str) -> None:
    seen = story[name]
    assert [rule.hits for rule in seen.rules] == [1]
    assert (seen.job["state"], seen.job["attempts"]) == ("DONE", 2)


@scene("killed-after-done")
def _after_done(seen: Scene) -> None:
    told_of_its_end(seen)
    seen.when(write=ENDS, act=followed_by(seen.kill))


def test_job_whose_worker_is_killed_between_done_and_the_ack_is_not_done_again(story: Story) -> None:
    seen = story["killed-after-done"]
    assert [rule.hits for rule in seen.rules] == [1]
    assert (seen.job["state"], seen.job["attempts"], seen.claims) == ("DONE", 1, 1)


def test_crash_between_done_and_the_announcement_does_not_silence_it(story: Story) -> None:
    seen = story["killed-after-done"]
    assert set(seen.announced()) == {seen.job["webhook"]["event_id"]}
    assert seen.job["webhook"]["state"] == "delivered"


@scene("poison")
def _poison(seen: Scene) -> None:
    seen.when(write=RUNS, then=seen.kill, times=99)


def test_job_that_kills_every_worker_fails_with_a_reason(story: Story) -> None:
    seen = story["poison"]
    assert (seen.job["state"], seen.job["error_code"], seen.claims) == ("FAILED", "job.crashed", 3)


def halted_ffmpegs(seen: Scene) -> list[int]:
    """Those that work for this job, once there are any: from now on they do nothing, and do not end either."""
    workers = seen.disturbed.workers

    def ours() -> list[int]:
        return [pid for pid in workers.fetchers(seen.job_id) if b"ffmpeg" in workers.command(pid)]

    found = until(ours, bool, within_s=200)
    for pid in found:
        os.kill(pid, signal.SIGSTOP)
    return found


def _kill_while_it_encodes(seen: Scene) -> None:
    encoders = halted_ffmpegs(seen)
    seen.disturbed.workers.kill(seen.job_id)
    seen.notes["encoders"] = encoders


@scene("killed-while-encoding", _kill_while_it_encodes)
def _encoding(seen: Scene) -> None:
    seen.medium = "long.mp4"
    seen.fields["container"] = "webm"


def test_no_process_of_a_killed_worker_goes_on(story: Story) -> None:
    seen = story["killed-while-encoding"]
    assert seen.notes["encoders"]
    assert [pid for pid in seen.notes["encoders"] if pid in seen.disturbed.workers.fetchers()] == []
    assert (seen.job["state"], seen.job["attempts"]) == ("DONE", 2)


def _wake_when_its_lease_is_over(seen: Scene) -> None:
    sleeper = int(until(lambda: seen.notes.get("sleeper", 0), bool, within_s=200))

    def fence() -> int:
        seen.disturbed.sweep()
        return int(seen.job["fence"])

    until(fence, lambda fence: fence > 1, within_s=300)
    os.kill(sleeper, signal.SIGCONT)


@scene("paused", _wake_when_its_lease_is_over)
def _paused(seen: Scene) -> None:
    def fall_asleep(call: Call) -> None:
        seen.notes["sleeper"] = seen.disturbed.workers.signal(str(call.job_id), signal.SIGSTOP)

    seen.slow = 20_000
    seen.when(write=BEATS, then=fall_asleep)


def test_worker_that_was_paused_past_its_lease_changes_nothing_when_it_wakes(story: Story) -> None:
    seen = story["paused"]
    assert (seen.job["state"], seen.job["attempts"], seen.claims) == ("DONE", 2, 2)
    assert seen.job["stored"]["key"].endswith("/3.mp4")  # the fence of the second claim; being taken back was the 2nd


def _hang(seen: Scene) -> None:
    seen.notes["encoders"] = halted_ffmpegs(seen)


@scene("ffmpeg-hangs", _hang)
def _ffmpeg_hangs(seen: Scene) -> None:
    seen.medium = "long.mp4"
    seen.fields["container"] = "webm"


def test_ffmpeg_that_hangs_ends_in_time_and_another_does_its_work(story: Story) -> None:
    seen = story["ffmpeg-hangs"]
    assert seen.notes["encoders"]
    assert (seen.job["state"], seen.job["attempts"]) == ("DONE", 1)
    assert seen.job["fence"] >= _HANDED_OVER_ONCE


@scene("needs-too-long")
def _needs_too_long(seen: Scene) -> None:
    seen.slow = 800


def test_worker_near_its_time_limit_hands_over(story: Story) -> None:
    seen = story["needs-too-long"]
    assert (seen.job["state"], seen.job["attempts"]) == ("DONE", 1)
    assert seen.job["fence"] >= _HANDED_OVER_ONCE


def test_nothing_is_left_behind(story: Story) -> None:
    """No message, no process, no file in a worker's directory, no counter that is wrong, nothing that is nobody's."""
    jobs = {seen.job_id for seen in story.scenes.values()}
    assert [found for found in story.violations if found.job_id not in jobs] == []
