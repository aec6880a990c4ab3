"""`POST /download/{id}` and `DELETE` in its forms."""

import dataclasses
from collections.abc import Callable
from typing import Any

import pytest

from reelhaul import ids
from reelhaul.jobs import Job, PlaylistItem, State
from reelhaul.options import Clip, Options
from reelhaul.queue import JobMessage
from tests.conftest import Cloud
from tests.events import HOST
from tests.faults import refused
from tests.integration.conftest import Api
from tests.jobs_in import cancelled, done, expanded, expired, extra, failed, queued, running

Given = Callable[..., Job]


# --- retry -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [failed, cancelled, expired])
def test_a_retry_is_answered_as_a_creation(api: Api, cloud: Cloud, given: Given, make: Any) -> None:
    job = given(make, name="mine")
    reply = api("POST", f"/download/{job.id}")
    assert (reply.status, reply.body) == (200, {
        "success": True, "status": "processing", "download_id": job.id,
        "data": {
            "id": job.id, "download_id": job.id, "name": "mine", "status": "processing",
            "output_url": f"https://{HOST}/async-response/{job.id}",
        },
    })  # fmt: skip
    assert cloud.store.get("acme", job.id).generation == 2
    assert [JobMessage.parse(body).generation for body in cloud.messages()] == [2]


@pytest.mark.parametrize(
    ("make", "said"),
    [(queued, "still waiting"), (running, "still running"), (expanded, "still running"), (done, "done")],
)
def test_a_retry_of_a_job_under_way_or_done_is_409(api: Api, cloud: Cloud, given: Given, make: Any, said: str) -> None:
    job = given(make)
    reply = api("POST", f"/download/{job.id}")
    sentence = f"A download that is {said} cannot be retried."
    assert (reply.status, reply.body) == (409, {
        "success": False, "message": sentence, "detail": sentence, "code": "job.conflict",
    })  # fmt: skip
    assert cloud.messages() == []


@pytest.mark.parametrize("body", [None, "", "{}", b"{}"])
def test_a_retry_needs_no_body(api: Api, given: Given, body: str | bytes | None) -> None:
    assert api("POST", f"/download/{given(failed).id}", body=body).status == 200


@pytest.mark.parametrize(
    ("body", "status", "field"),
    [
        ('{"quality": "144p"}', 400, "quality"),
        ('{"stream_link": "https://media.example/b.mp4"}', 400, "stream_link"),
        ("[]", 400, None),
        ("{", 400, None),
        (" " * 20_000, 413, None),
    ],
)
def test_a_retry_with_other_parameters_is_refused_and_changes_nothing(
    api: Api, cloud: Cloud, given: Given, body: str, status: int, field: str | None
) -> None:
    job = given(failed)
    reply = api("POST", f"/download/{job.id}", body=body)
    assert (reply.status, reply.body.get("field")) == (status, field)
    assert cloud.store.get("acme", job.id) == job
    assert cloud.messages() == []


def test_a_retry_has_the_same_parameters(api: Api, cloud: Cloud, given: Given) -> None:
    options = Options(quality="240p", subtitles=("de",), clip=Clip(start_s=1.0))
    job = given(failed, name="mine", options=options, callback_url="https://hook.example/", retention_days=2)
    api("POST", f"/download/{job.id}")
    again = cloud.store.get("acme", job.id)
    for field in ("url", "name", "options", "callback_url", "retention_days", "created_at"):
        assert getattr(again, field) == getattr(job, field)


# --- delete, first contract ------------------------------------------------------------------------------------------


def by_path(job_id: str) -> dict[str, Any]:
    return {"path": f"/download/{job_id}"}


def by_query(job_id: str) -> dict[str, Any]:
    return {"path": "/download", "query": {"download_id": job_id}}


def by_body(job_id: str) -> dict[str, Any]:
    return {"path": "/download", "json_body": {"download_id": job_id}}


@pytest.mark.parametrize("name_it", [by_path, by_query, by_body])
def test_delete_removes_job_and_file_however_it_is_named(
    api: Api, cloud: Cloud, given: Given, name_it: Callable[[str], dict[str, Any]]
) -> None:
    job = given(done)
    reply = api("DELETE", **name_it(job.id))
    assert (reply.status, reply.body) == (200, {"success": True, "message": "Operation successful"})
    assert api("GET", f"/download/{job.id}").status == 404
    assert api("DELETE", **name_it(job.id)).status == 404
    assert cloud.object_keys() == []


@pytest.mark.parametrize("make", [queued, running, failed, cancelled, expired])
def test_a_job_can_be_deleted_in_any_state(api: Api, given: Given, make: Any) -> None:
    job = given(make)
    assert api("DELETE", f"/download/{job.id}").status == 200
    assert api("GET", f"/download/{job.id}").status == 404


def test_delete_that_names_different_jobs_is_400_and_deletes_none(api: Api, given: Given) -> None:
    first, second = given(done), given(done)
    for request in (
        {"path": f"/download/{first.id}", "query": {"download_id": second.id}},
        {"path": f"/download/{first.id}", "json_body": {"download_id": second.id}},
        {"path": "/download", "query": {"download_id": first.id}, "json_body": {"download_id": second.id}},
    ):
        reply = api("DELETE", **request)  # type: ignore[arg-type]
        assert (reply.status, reply.body["field"]) == (400, "download_id")
    assert {api("GET", f"/download/{job.id}").status for job in (first, second)} == {200}


@pytest.mark.parametrize(
    ("body", "field"),
    [(None, "download_id"), ("", "download_id"), ("{}", "download_id"), ("[]", None), ("{", None),
     ('{"download_id": 5}', "download_id"), ('{"download_id": null}', "download_id"), ('{"id": "x"}', "id")],
)  # fmt: skip
def test_delete_that_names_no_job_is_400(api: Api, body: str | None, field: str | None) -> None:
    reply = api("DELETE", "/download", body=body)
    assert (reply.status, reply.body.get("field")) == (400, field)


def test_delete_with_a_parameter_given_twice_is_400_and_deletes_none(api: Api, given: Given) -> None:
    first, second = given(done), given(done)
    reply = api("DELETE", "/download", query=[("download_id", first.id), ("download_id", second.id)])
    assert (reply.status, reply.body["field"]) == (400, "download_id")
    assert {api("GET", f"/download/{job.id}").status for job in (first, second)} == {200}


def test_delete_with_a_body_of_another_type_is_415_and_deletes_none(api: Api, given: Given) -> None:
    job = given(done)
    reply = api("DELETE", "/download", json_body={"download_id": job.id}, headers={"content-type": "application/xml"})
    assert (reply.status, reply.body["code"]) == (415, "request.media_type")
    assert api("GET", f"/download/{job.id}").status == 200


def test_a_bucket_that_is_down_does_not_stop_a_deletion(api: Api, given: Given) -> None:
    job = given(done)
    with refused("s3", "ListObjectsV2"):
        assert api("DELETE", f"/download/{job.id}").status == 200
    assert api("GET", f"/download/{job.id}").status == 404


# --- cancel and remove, second contract ------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [queued, running])
def test_cancel_keeps_the_row_as_cancelled(api: Api, cloud: Cloud, given: Given, make: Any) -> None:
    job = given(make)
    reply = api("DELETE", f"/api/downloads/{job.id}")
    assert (reply.status, reply.body) == (200, {"message": "Download cancelled"})
    assert [row["status"] for row in api("GET", "/api/downloads").body] == ["cancelled"]
    assert cloud.store.get("acme", job.id).state is State.CANCELLED


def test_cancel_of_a_finished_job_changes_nothing(api: Api, cloud: Cloud, given: Given) -> None:
    job = given(done)
    reply = api("DELETE", f"/api/downloads/{job.id}")
    assert (reply.status, reply.body) == (200, {"message": "Download had already ended"})
    assert cloud.store.get("acme", job.id) == job


def test_remove_takes_row_and_file(api: Api, cloud: Cloud, given: Given) -> None:
    job = given(done)
    reply = api("DELETE", f"/api/downloads/{job.id}/remove")
    assert (reply.status, reply.body) == (200, {"message": "Download removed"})
    assert (api("GET", "/api/downloads").body, cloud.object_keys()) == ([], [])


# --- playlists -------------------------------------------------------------------------------------------------------


def playlist_of_two(given: Given) -> tuple[Job, list[Job]]:
    parent = given(expanded, total=2)

    def item(index: int) -> Job:
        place = PlaylistItem(parent_id=parent.id, index=index, total=2)
        make = done if index == 1 else queued
        return given(lambda **fields: dataclasses.replace(make(item=place, **fields), id=ids.item_id(parent, index)))

    return parent, [item(1), item(2)]


def test_cancel_of_a_playlist_cancels_what_has_not_ended(api: Api, cloud: Cloud, given: Given) -> None:
    parent, items = playlist_of_two(given)
    assert api("DELETE", f"/api/downloads/{parent.id}").body == {"message": "Download cancelled"}
    states = [cloud.store.get("acme", job.id).state for job in (parent, *items)]
    assert states == [State.CANCELLED, State.DONE, State.CANCELLED]


@pytest.mark.parametrize("path", ["/download/{}", "/api/downloads/{}/remove"])
def test_delete_of_a_playlist_deletes_its_items(api: Api, given: Given, path: str) -> None:
    parent, items = playlist_of_two(given)
    assert api("DELETE", path.format(parent.id)).status == 200
    assert {api("GET", f"/download/{job.id}").status for job in (parent, *items)} == {404}


@pytest.mark.parametrize("path", ["/download/{}", "/api/downloads/{}/remove"])
def test_delete_takes_subtitles_and_thumbnail_along(api: Api, cloud: Cloud, given: Given, path: str) -> None:
    begun = running()
    job = given(done)
    for found in (extra(begun), extra(begun, "subtitles", language="de")):
        cloud.put_object(found.key.replace(begun.id, job.id))
    assert len(cloud.object_keys()) == 3
    assert api("DELETE", path.format(job.id)).status == 200
    assert cloud.object_keys() == []
