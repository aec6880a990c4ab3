"""The second contract's view of a job."""

import dataclasses
from typing import Any

import pytest

from reelhaul import steps
from reelhaul.contracts import offline
from reelhaul.errors import InvalidRequest
from reelhaul.jobs import Job, Phase, PlaylistItem, Progress, State
from tests.jobs_in import NOW, cancelled, done, expanded, expired, extra, failed, in_state, queued, running

TYPES: dict[str, Any] = {
    "id": str, "url": str, "title": str, "thumbnail": str, "status": str, "progress": (int, float), "speed": str,
    "eta": str, "filesize": int, "downloaded_bytes": int, "format_note": str, "is_playlist": bool,
    "playlist_index": int, "playlist_total": int, "filename": str, "quality": str, "download_type": str,
    "error_message": str, "created_at": str, "completed_at": (str, type(None)),
}  # fmt: skip


@pytest.mark.parametrize("state", State)
def test_every_row_has_exactly_the_contracts_fields_and_types(state: State) -> None:
    for job in (in_state(state), dataclasses.replace(in_state(state), media=None)):
        row = offline.row(job)
        assert row.keys() == TYPES.keys()
        assert {name for name, kind in TYPES.items() if not isinstance(row[name], kind)} == set()


@pytest.mark.parametrize(
    ("job", "status"),
    [
        (queued(), "pending"),
        (running(), "downloading"),
        (steps.beat(running(), Progress(phase=Phase.FINISHING), now=NOW), "processing"),
        (expanded(), "downloading"),
        (done(), "completed"),
        (failed(), "error"),
        (cancelled(), "cancelled"),
        (expired(), "error"),
    ],
)
def test_states_have_the_contracts_names(job: Job, status: str) -> None:
    assert offline.row(job)["status"] == offline.status(job) == status


def test_a_running_row_speaks_of_speed_and_time_left() -> None:
    row = offline.row(running())
    assert (row["progress"], row["speed"], row["eta"], row["filesize"], row["downloaded_bytes"]) == (
        42.0, "3.2 MB/s", "120s", 1000, 420,
    )  # fmt: skip


@pytest.mark.parametrize(
    ("speed", "said"),
    [(None, ""), (0.0, ""), (12.0, "12.0 B/s"), (999.96, "1.0 KB/s"), (350_000.0, "350.0 KB/s"),
     (12_345_678.0, "12.3 MB/s"), (2.5e9, "2.5 GB/s"), (3e13, "30000.0 GB/s")],
)  # fmt: skip
def test_speeds_are_read_by_people(speed: float | None, said: str) -> None:
    job = steps.beat(running(), Progress(speed=speed), now=NOW)
    assert offline.row(job)["speed"] == said


def test_an_idle_row_says_nothing_of_speed() -> None:
    for job in (queued(), done(), failed()):
        row = offline.row(job)
        assert (row["speed"], row["eta"]) == ("", "")


def test_a_completed_row_names_its_file() -> None:
    job = done(name="mine")
    row = offline.row(job)
    assert (row["filename"], row["title"], row["progress"]) == (f"mine__{job.id}.mp4", "mine", 100)
    assert (row["completed_at"], row["error_message"]) == ("2026-11-22T00:00:00.000Z", "")


@pytest.mark.parametrize(
    ("title", "begins"),
    [("Ünïcode “quotes” / slash 文字", "Ünïcode “quotes” _ slash 文字__"), ("../..", "_..__"), ("a\x00b", "a b__")],
)
def test_the_file_has_a_name_that_every_file_system_takes(title: str, begins: str) -> None:
    job = done(name=title)
    assert offline.row(job)["filename"] == f"{begins}{job.id}.mp4"


def test_the_files_name_is_short_however_long_the_title() -> None:
    job = done(name="文" * 300)
    filename = offline.row(job)["filename"]
    assert filename.endswith(f"文__{job.id}.mp4")
    assert 250 <= len(filename.encode()) <= 255


def test_a_thumbnail_is_ours_once_it_is_stored_and_the_sources_before_that() -> None:
    job = done(extras=(extra(running()),))
    assert offline.row(job)["thumbnail"] == f"/api/thumbnails/{job.id}"
    assert offline.row(done())["thumbnail"] == "https://img.example/t.jpg"
    assert offline.row(steps.expire(job, now=NOW))["thumbnail"] == "https://img.example/t.jpg"


def test_a_playlist_comes_before_its_items_which_count_from_one() -> None:
    names = ("is_playlist", "playlist_index", "playlist_total", "filename")
    first = done(item=PlaylistItem(parent_id="download-parent", index=1, total=3), name="n")
    assert [offline.row(expanded())[name] for name in names] == [True, 0, 3, ""]
    assert [offline.row(first)[name] for name in names] == [True, 1, 3, f"n__{first.id}.mp4"]
    assert [offline.row(done(name="n"))[name] for name in names[:3]] == [False, 0, 0]


def test_the_progress_of_a_playlist_is_how_many_items_have_ended() -> None:
    job = expanded()
    assert job.playlist is not None
    counted = steps.recount(job, dataclasses.replace(job.playlist, done=1, cancelled=1), now=NOW)
    assert (offline.row(counted)["progress"], offline.row(counted)["status"]) == (66.7, "downloading")


@pytest.mark.parametrize("job", [queued(), running(), failed(), cancelled(), expired()])
def test_every_other_row_has_no_file_and_no_completion(job: Job) -> None:
    row = offline.row(job)
    assert (row["filename"], row["completed_at"]) == ("", None)


def test_an_error_message_comes_with_the_status_error_only() -> None:
    assert offline.row(failed())["error_message"] == "The source says that this media does not exist (any more)."
    assert "retention" in offline.row(expired())["error_message"]
    assert offline.row(cancelled())["error_message"] == ""


def test_what_a_cancel_says_depends_on_whether_there_was_something_to_cancel() -> None:
    assert offline.cancelled(cancelled()) == {"message": "Download cancelled"}
    assert offline.cancelled(done()) == {"message": "Download had already ended"}


@pytest.mark.parametrize(("query", "limit"), [({}, 1000), ({"limit": "1"}, 1), ({"limit": "1000"}, 1000)])
def test_a_limit_is_read(query: dict[str, str], limit: int) -> None:
    assert offline.parse_limit(query) == limit


@pytest.mark.parametrize("limit", ["0", "1001", "-1", "", "x"])
def test_a_bad_limit_is_refused(limit: str) -> None:
    with pytest.raises(InvalidRequest) as caught:
        offline.parse_limit({"limit": limit})
    assert caught.value.field == "limit"
