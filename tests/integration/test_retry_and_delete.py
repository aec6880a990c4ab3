"""`POST /download/{id}` and `DELETE` in its forms."""

from collections.abc import Callable
from typing import Any

import pytest

from reelhaul.jobs import Job, State
from reelhaul.queue import JobMessage
from tests.conftest import Cloud
from tests.events import HOST
from tests.faults import refused
from tests.integration.conftest import Api
from tests.jobs_in import cancelled, done, expired, failed, queued, running

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


@pytest.mark.parametrize(("make", "said"), [(queued, "still waiting"), (running, "still running"), (done, "done")])
def test_a_retry_of_a_job_under_way_or_done_is_409(api: Api, cloud: Cloud, given: Given, make: Any, said: str) -> None:
    job = given(make)
    reply = api("POST", f"/download/{job.id}")
    sentence = f"A download that is {said} cannot be retried."
    assert (reply.status, reply.body) == (409, {
        "success": False, "message": sentence, "detail": sentence, "code": "job.conflict",
    })  # fmt: skip
    assert cloud.messages() == []


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


@pytest.mark.parametrize("body", [None, "", "{}", "[]", "{", '{"download_id": 5}', '{"id": "x"}'])
def test_delete_that_names_no_job_is_400(api: Api, body: str | None) -> None:
    assert api("DELETE", "/download", body=body).status == 400


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
