"""The first contract's view of a job, and what its listing and deletion accept."""

import dataclasses
from typing import Any

import pytest

from reelhaul import ids, steps
from reelhaul.contracts import downloads
from reelhaul.contracts.downloads import Listing, parse_deletion, parse_listing
from reelhaul.errors import InvalidRequest, JobNotFound, ServiceUnavailable
from reelhaul.jobs import DeliveryState, Job, Playlist, PlaylistItem, State
from reelhaul.links import Link
from reelhaul.options import Clip, Options
from tests.jobs_in import NOW, cancelled, done, expanded, expired, extra, failed, in_state, queued, running

LINK = Link("https://bucket/key?signature", NOW + 86_400)
OUTPUT = "https://host/async-response/id"
HOOK = "https://hook.example/ended"


def sign(key: str) -> Link:
    return Link(f"https://bucket/{key}?signature", NOW + 86_400)


def view(job: Job) -> dict[str, Any]:
    return downloads.view(job, LINK if job.state is State.DONE and job.stored else None)


def detailed(job: Job, *items: Job) -> dict[str, Any]:
    return downloads.detailed(job, sign, items)


def item(make: Any, index: int, **fields: Any) -> Job:
    return make(item=PlaylistItem(parent_id="download-parent", index=index, total=3), **fields)  # type: ignore[no-any-return]


def counted(job: Job, **counts: Any) -> Job:
    """A playlist whose items have come so far."""
    return steps.recount(job, dataclasses.replace(job.playlist or Playlist(title="", total=0), **counts), now=NOW)


@pytest.mark.parametrize(
    ("state", "status"),
    [("QUEUED", "processing"), ("RUNNING", "processing"), ("EXPANDED", "processing"), ("DONE", "done"),
     ("FAILED", "error"), ("CANCELLED", "error"), ("EXPIRED", "error")],
)  # fmt: skip
def test_states_have_the_contracts_names(state: str, status: str) -> None:
    assert view(in_state(State(state)))["status"] == status


def test_a_queued_job() -> None:
    job = queued(name="mine")
    assert view(job) == {
        "id": job.id, "name": "mine", "status": "processing", "created_at": "2026-11-22T00:00:00.000Z",
        "url": "https://media.example/a.mp4", "progress": 0.0, "downloaded_bytes": 0, "filesize": None, "speed": None,
        "eta": None, "title": None, "thumbnail": None, "duration": None, "completed_at": None, "attempts": 0,
        "retention_days": 7, "quality": "720p", "download_type": "video",
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


def test_a_done_job_says_what_its_file_is_and_until_when() -> None:
    shown = view(done())
    assert (shown["checksum_sha256"], shown["content_type"]) == ("ab" * 32, "video/mp4")
    assert (shown["file_expires_at"], shown["retention_days"]) == ("2026-11-29T00:00:00.000Z", 7)
    for job in (queued(), failed(), expired(), cancelled()):
        assert view(job).keys().isdisjoint({"checksum_sha256", "content_type", "file_expires_at"})


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


def test_what_was_asked_for_is_shown_in_the_words_of_the_request() -> None:
    asked = Options(
        quality="480p", container="mkv", clip=Clip(start_s=1.5, end_s=3.0), playlist="true", playlist_limit=5
    )
    shown = view(queued(options=asked))
    assert {name: shown[name] for name in ("quality", "container", "clip", "playlist", "playlist_limit")} == {
        "quality": "480p", "container": "mkv", "clip": {"start": 1.5, "end": 3.0}, "playlist": "true",
        "playlist_limit": 5,
    }  # fmt: skip
    assert view(queued(options=Options(clip=Clip(start_s=2.0))))["clip"] == {"start": 2.0}
    assert view(queued(options=Options(download_type="audio", audio_format="mp3")))["audio_format"] == "mp3"


def test_what_is_only_for_some_jobs_is_left_out_for_all_others() -> None:
    for job in map(in_state, State):
        keys = detailed(job).keys()
        assert keys.isdisjoint({"clip", "subtitles", "webhook", "callback_url", "playlist_id"})
        assert ("is_playlist" in keys) == (job.state is State.EXPANDED)


# --- subtitles -------------------------------------------------------------------------------------------------------


def with_subtitles(*found: str) -> Job:
    begun = running(options=Options(subtitles=("de", "en")))
    files = tuple(extra(begun, "subtitles", language=language) for language in found)
    return done(options=Options(subtitles=("de", "en")), extras=(*files, extra(begun)))


def test_subtitles_are_files_of_their_own_with_links_of_their_own() -> None:
    shown = detailed(with_subtitles("de", "en"))
    assert [(file["language"], file["format"], file["content_type"]) for file in shown["subtitles"]] == [
        ("de", "vtt", "text/vtt"), ("en", "vtt", "text/vtt"),
    ]  # fmt: skip
    first = shown["subtitles"][0]
    assert first["url"].endswith(".de.vtt?signature")
    assert (first["filesize"], first["expires_at"]) == (10, "2026-11-23T00:00:00.000Z")
    assert "subtitles_missing" not in shown


def test_subtitles_that_the_source_does_not_have_are_named() -> None:
    shown = detailed(with_subtitles("en"))
    assert ([file["language"] for file in shown["subtitles"]], shown["subtitles_missing"]) == (["en"], ["de"])


@pytest.mark.parametrize("make", [queued, running, failed, cancelled, expired])
def test_there_are_no_subtitles_before_the_end_and_none_without_a_file(make: Any) -> None:
    shown = detailed(make(options=Options(subtitles=("de",))))
    assert (shown["subtitles"], "subtitles_missing" in shown) == ([], False)


# --- playlists -------------------------------------------------------------------------------------------------------


def test_a_playlist_counts_its_items_and_its_progress_is_how_many_have_ended() -> None:
    shown = detailed(counted(expanded(), done=1, failed=1))
    names = ("is_playlist", "playlist_index", "playlist_total", "items_total", "items_done", "items_failed")
    assert [shown[name] for name in names] == [True, 0, 3, 3, 1, 1]
    assert (shown["items_cancelled"], shown["truncated"], shown["progress"]) == (0, False, 66.7)
    assert (shown["status"], shown["title"], shown["name"]) == ("processing", "A list", "A list")
    assert "failed_items" not in shown


@pytest.mark.parametrize("why", ["playlist_limit", "limit.jobs_per_day"])
def test_a_playlist_that_was_cut_says_why(why: str) -> None:
    job = expanded()
    playlist = Playlist(title="A list", total=3, truncated=True, truncated_by=why)
    shown = detailed(dataclasses.replace(job, playlist=playlist))
    assert (shown["truncated"], shown["truncated_by"]) == (True, why)
    assert "truncated_by" not in detailed(job)


def test_a_playlist_shows_its_items_in_their_order() -> None:
    second, first = item(failed, 2), item(running, 1)
    assert detailed(expanded(), second, first)["items"] == [
        {"id": first.id, "playlist_index": 1, "name": first.id, "status": "processing", "progress": 42.0},
        {
            "id": second.id, "playlist_index": 2, "name": second.id, "status": "error", "progress": 42.0,
            "error": "The source says that this media does not exist (any more).", "error_code": "source.not_found",
        },
    ]  # fmt: skip


def test_a_playlist_that_is_done_names_the_items_that_failed() -> None:
    items = [item(done, 1), item(failed, 2), item(cancelled, 3)]
    shown = detailed(counted(expanded(), done=1, failed=1, cancelled=1), *items)
    assert (shown["status"], shown["progress"], len(shown["items"])) == ("done", 100, 3)
    assert [(row["playlist_index"], row["error_code"]) for row in shown["failed_items"]] == [(2, "source.not_found")]
    assert shown.keys().isdisjoint({"download_url", "checksum_sha256"})


def test_a_list_of_jobs_shows_a_playlist_without_its_items() -> None:
    assert "items" not in view(expanded())


def test_an_item_knows_its_playlist_and_its_place_in_it() -> None:
    shown = view(item(done, 2))
    names = ("is_playlist", "playlist_id", "playlist_index", "playlist_total")
    assert [shown[name] for name in names] == [True, "download-parent", 2, 3]
    assert "items_total" not in shown


# --- webhooks --------------------------------------------------------------------------------------------------------


def test_whom_the_end_is_announced_to_is_shown_before_it_has_come() -> None:
    shown = view(running(callback_url=HOOK))
    assert (shown["callback_url"], "webhook" in shown) == (HOOK, False)


def test_how_far_an_announcement_has_come_is_shown() -> None:
    job = done(callback_url=HOOK)
    assert job.webhook is not None
    assert view(job)["webhook"] == {
        "event_id": ids.event_id(job), "state": "pending", "attempts": 0, "response_status": None, "error": None,
        "last_attempt_at": None, "next_attempt_at": "2026-11-22T00:00:00.000Z",
    }  # fmt: skip
    tried = dataclasses.replace(
        job.webhook, state=DeliveryState.DELIVERED, attempts=2, response_status=204, last_attempt_at=NOW + 5
    )
    told = view(steps.delivered(job, tried, now=NOW))["webhook"]
    assert (told["state"], told["attempts"], told["response_status"]) == ("delivered", 2, 204)
    assert told["last_attempt_at"] == "2026-11-22T00:00:05.000Z"


# --- replies ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("state", State)
def test_the_reply_to_get_has_no_status_at_its_top(state: State) -> None:
    assert downloads.shown(detailed(in_state(state))).keys() == {"success", "data"}


def test_accepted_is_what_the_sdk_polls_with() -> None:
    job = queued(name="mine")
    assert downloads.accepted(job, OUTPUT) == {
        "success": True, "status": "processing", "download_id": job.id,
        "data": {"id": job.id, "download_id": job.id, "name": "mine", "status": "processing", "output_url": OUTPUT},
    }  # fmt: skip


def test_async_response_of_a_running_job() -> None:
    job = running()
    assert downloads.async_response(job, {}, OUTPUT) == {
        "success": True, "status": "processing", "data": {"id": job.id, "output_url": OUTPUT, "percentage": 42},
    }  # fmt: skip


def test_async_response_of_a_playlist_tells_how_many_items_have_ended() -> None:
    assert downloads.async_response(counted(expanded(), done=1), {}, OUTPUT)["data"]["percentage"] == 33


def test_async_response_of_a_done_job_is_the_job_in_full() -> None:
    job = with_subtitles("de")
    row = detailed(job)
    assert downloads.async_response(job, row, OUTPUT) == {"success": True, "status": "done", "data": row}


def test_async_response_of_a_failed_job() -> None:
    assert downloads.async_response(failed(), {}, OUTPUT) == {
        "success": False, "status": "failed", "code": "source.not_found",
        "message": "The source says that this media does not exist (any more).",
        "detail": "The source says that this media does not exist (any more).",
    }  # fmt: skip


@pytest.mark.parametrize("state", State)
def test_async_response_has_one_of_three_statuses_whatever_happens(state: State) -> None:
    assert downloads.async_response(in_state(state), {}, OUTPUT)["status"] in {"processing", "done", "failed"}


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
    ("path_id", "query", "body", "field"),
    [
        (None, {}, {}, "download_id"),
        (None, {}, {"download_id": 5}, "download_id"),
        (None, {}, {"download_id": ["a"]}, "download_id"),
        ("a", {"download_id": "b"}, {}, "download_id"),
        ("a", {}, {"download_id": "b"}, "download_id"),
        (None, {"download_id": "a"}, {"download_id": "b"}, "download_id"),
        ("a", {}, {"id": "a"}, "id"),
    ],
)
def test_no_id_two_or_something_else_are_refused(
    path_id: str | None, query: dict[str, str], body: dict[str, Any], field: str
) -> None:
    with pytest.raises(InvalidRequest) as caught:
        parse_deletion(path_id, query, body)
    assert caught.value.field == field
    assert field in str(caught.value)
