"""The first contract's view of a job, and what its listing and deletion accept."""

import dataclasses
from typing import Any

import pytest

from reelhaul.contracts import downloads
from reelhaul.contracts.downloads import Listing, parse_deletion, parse_listing
from reelhaul.errors import InvalidRequest, JobNotFound, ServiceUnavailable
from reelhaul.jobs import Job, State
from reelhaul.links import Link
from tests.jobs_in import NOW, cancelled, done, expired, failed, in_state, queued, running

LINK = Link("https://bucket/key?signature", NOW + 86_400)
OUTPUT = "https://host/async-response/id"


def view(job: Job) -> dict[str, Any]:
    return downloads.view(job, LINK if job.state is State.DONE else None)


@pytest.mark.parametrize(
    ("state", "status"),
    [("QUEUED", "processing"), ("RUNNING", "processing"), ("DONE", "done"), ("FAILED", "error"),
     ("CANCELLED", "error"), ("EXPIRED", "error")],
)  # fmt: skip
def test_states_have_the_contracts_names(state: str, status: str) -> None:
    assert view(in_state(State(state)))["status"] == status


def test_a_queued_job() -> None:
    job = queued(name="mine")
    assert view(job) == {
        "id": job.id, "name": "mine", "status": "processing", "created_at": "2026-11-22T00:00:00.000Z",
        "url": "https://media.example/a.mp4", "progress": 0.0, "downloaded_bytes": 0, "filesize": None, "speed": None,
        "eta": None, "title": None, "thumbnail": None, "duration": None, "completed_at": None, "attempts": 0,
    }  # fmt: skip


def test_a_running_job_says_how_far_it_is() -> None:
    shown = view(running())
    assert {name: shown[name] for name in ("progress", "downloaded_bytes", "filesize", "speed", "eta", "attempts")} == {
        "progress": 42.0, "downloaded_bytes": 420, "filesize": 1000, "speed": 3_200_000.0, "eta": 120.0, "attempts": 1,
    }  # fmt: skip


def test_a_done_job_has_its_link_its_name_with_extension_and_no_error() -> None:
    shown = view(done(name="mine"))
    assert (shown["download_url"], shown["expires_at"]) == (LINK.url, "2026-11-23T00:00:00.000Z")
    assert (shown["name"], shown["title"], shown["progress"], shown["filesize"]) == ("mine.mp4", "Ein Titel", 100, 1000)
    assert (shown["duration"], shown["thumbnail"]) == (12.5, "https://img.example/t.jpg")
    assert (shown["speed"], shown["eta"]) == (None, None)
    assert shown.keys().isdisjoint({"error", "error_code"})


@pytest.mark.parametrize(
    ("job", "error", "code"),
    [
        (failed(), "The source says that this media does not exist (any more).", "source.not_found"),
        (cancelled(), "Cancelled", "job.cancelled"),
        (expired(), "The file has been removed at the end of its retention. A retry fetches it again.", "file.expired"),
    ],
)
def test_a_job_that_ended_badly_says_why_and_has_no_link(job: Job, error: str, code: str) -> None:
    shown = view(job)
    assert (shown["error"], shown["error_code"]) == (error, code)
    assert shown.keys().isdisjoint({"download_url", "expires_at"})


@pytest.mark.parametrize("state", State)
def test_the_reply_to_get_has_no_status_at_its_top(state: State) -> None:
    job = in_state(state)
    assert downloads.shown(job, None).keys() == {"success", "data"}


def test_accepted_is_what_the_sdk_polls_with() -> None:
    job = queued(name="mine")
    assert downloads.accepted(job, OUTPUT) == {
        "success": True, "status": "processing", "download_id": job.id,
        "data": {"id": job.id, "download_id": job.id, "name": "mine", "status": "processing", "output_url": OUTPUT},
    }  # fmt: skip


def test_async_response_of_a_running_job() -> None:
    job = running()
    assert downloads.async_response(job, None, OUTPUT) == {
        "success": True, "status": "processing", "data": {"id": job.id, "output_url": OUTPUT, "percentage": 42},
    }  # fmt: skip


def test_async_response_of_a_done_job_is_the_job_with_its_link() -> None:
    job = done()
    assert downloads.async_response(job, LINK, OUTPUT) == {"success": True, "status": "done", "data": view(job)}


def test_async_response_of_a_failed_job() -> None:
    assert downloads.async_response(failed(), None, OUTPUT) == {
        "success": False, "status": "failed", "code": "source.not_found",
        "message": "The source says that this media does not exist (any more).",
        "detail": "The source says that this media does not exist (any more).",
    }  # fmt: skip


@pytest.mark.parametrize("state", State)
def test_async_response_has_one_of_three_statuses_whatever_happens(state: State) -> None:
    assert downloads.async_response(in_state(state), LINK, OUTPUT)["status"] in {"processing", "done", "failed"}


def test_an_error_of_ours_keeps_the_client_asking_and_one_of_its_own_does_not() -> None:
    assert downloads.async_error(ServiceUnavailable(), 503)["status"] == "processing"
    assert downloads.async_error(JobNotFound(), 404)["status"] == "failed"


# --- listing ---------------------------------------------------------------------------------------------------------


def test_an_empty_query_asks_for_the_first_50() -> None:
    assert parse_listing({}) == Listing(count=50, page_index=0, status=None, next_token=None)


def test_every_parameter_is_read() -> None:
    assert parse_listing({"count": "5000", "page_index": "3", "status": "done"}) == Listing(
        count=5000, page_index=3, status="done"
    )
    assert parse_listing({"count": "1", "next_token": "abc"}) == Listing(count=1, next_token="abc")


@pytest.mark.parametrize(
    ("query", "field"),
    [
        ({"count": "0"}, "count"),
        ({"count": "5001"}, "count"),
        ({"count": "-1"}, "count"),
        ({"count": ""}, "count"),
        ({"count": "1.5"}, "count"),
        ({"count": "+5"}, "count"),
        ({"count": "5,6"}, "count"),
        ({"count": "\N{ARABIC-INDIC DIGIT FIVE}"}, "count"),
        ({"count": "9" * 5000}, "count"),
        ({"page_index": "-1"}, "page_index"),
        ({"page_index": "x"}, "page_index"),
        ({"status": "completed"}, "status"),
        ({"status": ""}, "status"),
        ({"page_index": "0", "next_token": "abc"}, "next_token"),
    ],
)
def test_a_bad_parameter_is_named(query: dict[str, str], field: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_listing(query)
    assert caught.value.field == field


def test_a_lean_row_keeps_what_the_contract_guarantees() -> None:
    for job in (done(name="mine"), failed(), queued()):
        row, guaranteed = view(job), {"id", "name", "status", "created_at", "download_url", "error"}
        lean = downloads.lean(row)
        assert {name: lean[name] for name in guaranteed & row.keys()} == {
            name: row[name] for name in guaranteed & row.keys()
        }
        assert "url" not in lean


def test_a_lean_row_is_short_however_long_its_source() -> None:
    job = dataclasses.replace(done(name="n"), url="https://e.example/" + "u" * 2000)
    assert len(str(downloads.lean(view(job)))) < 500


# --- deletion --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path_id", "query", "body"),
    [
        ("a", {}, {}),
        (None, {"download_id": "a"}, {}),
        (None, {}, {"download_id": "a"}),
        ("a", {"download_id": "a"}, {"download_id": "a"}),
        ("a", {}, {"download_id": None}),
    ],
)
def test_an_id_may_come_in_each_of_three_ways(path_id: str | None, query: dict[str, str], body: dict[str, Any]) -> None:
    assert parse_deletion(path_id, query, body) == "a"


@pytest.mark.parametrize(
    ("path_id", "query", "body"),
    [
        (None, {}, {}),
        (None, {}, {"download_id": 5}),
        (None, {}, {"download_id": ["a"]}),
        ("a", {"download_id": "b"}, {}),
        ("a", {}, {"download_id": "b"}),
        (None, {"download_id": "a"}, {"download_id": "b"}),
        ("a", {}, {"id": "a"}),
    ],
)
def test_no_id_or_two_are_refused(path_id: str | None, query: dict[str, str], body: dict[str, Any]) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_deletion(path_id, query, body)
    assert caught.value.field == "download_id"
