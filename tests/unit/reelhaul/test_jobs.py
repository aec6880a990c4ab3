"""A job: through which states it may pass, and how it describes itself."""

import itertools

import pytest

from reelhaul.errors import Conflict
from reelhaul.jobs import (
    RECORD_DAYS,
    TRANSITIONS,
    Progress,
    State,
)
from tests.jobs_in import (
    NOW,
    done,
    failed,
    in_state,
    queued,
)

DAY_S = 86_400
FORGOTTEN = NOW + (7 + RECORD_DAYS) * DAY_S  # of a job that ended at NOW
HOOK = "https://hooks.example/x"
ALLOWED = {
    ("QUEUED", "RUNNING"), ("QUEUED", "FAILED"), ("QUEUED", "CANCELLED"),
    ("RUNNING", "QUEUED"), ("RUNNING", "DONE"), ("RUNNING", "FAILED"), ("RUNNING", "CANCELLED"),
    ("RUNNING", "EXPANDED"), ("EXPANDED", "DONE"), ("EXPANDED", "CANCELLED"),
    ("DONE", "EXPIRED"),
    ("FAILED", "QUEUED"), ("CANCELLED", "QUEUED"), ("EXPIRED", "QUEUED"),
}  # fmt: skip


@pytest.mark.parametrize(("before", "after"), list(itertools.product(State, State)))
def test_only_the_listed_transitions_are_possible(before: State, after: State) -> None:
    job = in_state(before)
    if (before.value, after.value) in ALLOWED:
        assert job.to(after).state is after
        return
    with pytest.raises(Conflict):
        job.to(after)


def test_every_state_has_a_row_of_transitions() -> None:
    assert set(TRANSITIONS) == set(State)


def test_a_done_job_is_seen_as_expired_from_its_retention_on() -> None:
    job = done()
    assert job.seen_at(NOW + 7 * DAY_S - 1).state is State.DONE
    assert job.seen_at(NOW + 7 * DAY_S).state is State.EXPIRED


def test_a_failed_job_is_never_seen_as_expired() -> None:
    assert failed().seen_at(NOW + 1000 * DAY_S).state is State.FAILED


@pytest.mark.parametrize(
    ("progress", "percentage"),
    [
        (Progress(), 0.0),
        (Progress(downloaded_bytes=5), 0.0),
        (Progress(downloaded_bytes=1, total_bytes=3), 33.3),
        (Progress(downloaded_bytes=3, total_bytes=3), 99.0),
        (Progress(downloaded_bytes=9, total_bytes=3), 99.0),
    ],
)
def test_percentage_stays_below_100_while_running(progress: Progress, percentage: float) -> None:
    assert progress.percentage == percentage


def test_title_is_the_given_name_then_the_media_title_then_the_id() -> None:
    assert done(name="mine").title == "mine"
    assert done().title == "Ein Titel"
    job = queued()
    assert job.title == job.id


def test_filename_gets_its_extension_once() -> None:
    assert done(name="clip").filename == "clip.mp4"
    assert done(name="clip.MP4").filename == "clip.MP4"
    assert queued(name="clip").filename == "clip"
