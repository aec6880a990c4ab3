"""`GET /download/{id}`, `GET /async-response/{id}`, `GET /api/download/{id}/file`."""

import time
from collections.abc import Callable
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from get_status import waiting
from reelhaul import aws, jobs
from reelhaul.jobs import Job, State, new_id
from tests.conftest import Cloud
from tests.events import HOST, HttpRequest
from tests.faults import refused
from tests.integration.conftest import Api
from tests.jobs_in import MEDIA, cancelled, done, expired, failed, queued, running, stored

Given = Callable[..., Job]
DAY_S = 86_400


def test_a_done_job_has_a_fresh_link_to_its_object(api: Api, cloud: Cloud, given: Given) -> None:
    job = given(done, name="mine")
    reply = api("GET", f"/download/{job.id}")
    data = reply.body["data"]
    link = urlsplit(data["download_url"])
    assert (reply.status, reply.body.keys()) == (200, {"success", "data"})
    assert (data["id"], data["status"], data["name"], data["progress"]) == (job.id, "done", "mine.mp4", 100)
    assert link.path == f"/acme/{job.id}/1.mp4"
    assert parse_qs(link.query)["X-Amz-Expires"] == ["86400"]
    assert cloud.link_key.id in link.query
    assert "X-Amz-Security-Token" not in link.query


@pytest.mark.parametrize("make", [queued, running])
def test_a_job_under_way_is_shown_without_the_signing_key_being_read(api: Api, given: Given, make: Any) -> None:
    job = given(make)
    with refused("secretsmanager", "GetSecretValue") as refusals:
        reply = api("GET", f"/download/{job.id}")
    assert (reply.status, reply.body["data"]["status"]) == (200, "processing")
    assert refusals == []


@pytest.mark.parametrize(
    ("make", "code"), [(failed, "source.not_found"), (cancelled, "job.cancelled"), (expired, "file.expired")]
)
def test_a_job_that_ended_badly_says_so(api: Api, given: Given, make: Any, code: str) -> None:
    data = api("GET", f"/download/{given(make).id}").body["data"]
    assert (data["status"], data["error_code"]) == ("error", code)
    assert data["error"]
    assert "download_url" not in data


def test_a_file_past_its_retention_is_gone_before_the_sweeper_came_by(api: Api, given: Given) -> None:
    job = given(done, now=time.time() - 7 * DAY_S - 5)
    assert api("GET", f"/download/{job.id}").body["data"]["error_code"] == "file.expired"
    assert api("GET", f"/async-response/{job.id}").body["status"] == "failed"
    assert api("GET", f"/api/download/{job.id}/file").status == 404


# --- /async-response -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("make", "status"), [(queued, "processing"), (running, "processing"), (done, "done")])
def test_async_response_of_a_good_job(api: Api, given: Given, make: Any, status: str) -> None:
    job = given(make)
    reply = api("GET", f"/async-response/{job.id}")
    assert (reply.status, reply.body["success"], reply.body["status"]) == (200, True, status)
    assert ("download_url" in reply.body["data"]) == (status == "done")


def test_async_response_of_a_running_job_says_where_to_ask_again(api: Api, given: Given) -> None:
    job = given(running)
    assert api("GET", f"/async-response/{job.id}").body["data"] == {
        "id": job.id, "output_url": f"https://{HOST}/async-response/{job.id}", "percentage": 42,
    }  # fmt: skip


@pytest.mark.parametrize("make", [failed, cancelled, expired])
def test_async_response_of_a_job_that_ended_badly(api: Api, given: Given, make: Any) -> None:
    reply = api("GET", f"/async-response/{given(make).id}")
    assert (reply.status, reply.body["success"], reply.body["status"]) == (200, False, "failed")
    assert reply.body["message"]


def test_async_response_of_an_unknown_job_ends_the_clients_polling(api: Api) -> None:
    reply = api("GET", f"/async-response/{new_id(time.time())}")
    assert (reply.status, reply.body) == (404, {
        "success": False, "message": "There is no download with this id.", "code": "job.not_found",
        "detail": "There is no download with this id.", "status": "failed",
    })  # fmt: skip


def test_async_response_without_a_key_ends_the_clients_polling(api: Api) -> None:
    reply = api("GET", f"/async-response/{new_id(time.time())}", tenant="")
    assert (reply.status, reply.body["status"]) == (401, "failed")


def test_a_trouble_of_ours_keeps_the_client_polling(api: Api, given: Given) -> None:
    job = given(running)
    with refused("dynamodb", "GetItem"):
        reply = api("GET", f"/async-response/{job.id}")
    assert (reply.status, reply.body["status"], reply.body["code"]) == (503, "processing", "service.unavailable")


class Time:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.now, self.naps = 0.0, list[float]()
        self.on_nap: Callable[[], object] = lambda: None

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds
        self.on_nap()


def test_a_reply_is_held_back_until_the_job_ends(cloud: Cloud, given: Given) -> None:
    job, at = given(running), Time()

    def finish() -> None:
        if len(at.naps) == 3:
            cloud.store.swap(job, jobs.complete(job, MEDIA, stored(job), now=time.time()))

    at.on_nap = finish
    held = waiting.wait_for_end("acme", job.id, store=cloud.store, patience_s=20, clock=at.clock, sleep=at.sleep)
    assert (held.state, len(at.naps)) == (State.DONE, 3)


def test_a_reply_is_held_back_no_longer_than_there_is_patience(cloud: Cloud, given: Given) -> None:
    job, at = given(running), Time()
    held = waiting.wait_for_end("acme", job.id, store=cloud.store, patience_s=20, clock=at.clock, sleep=at.sleep)
    assert held.state is State.RUNNING
    assert at.now == pytest.approx(20)
    assert at.naps[0] == 0.1
    assert max(at.naps) == 0.5


@pytest.mark.parametrize("make", [done, failed, cancelled, expired])
def test_the_reply_about_a_job_that_has_ended_is_not_held_back(cloud: Cloud, given: Given, make: Any) -> None:
    at = Time()
    waiting.wait_for_end("acme", given(make).id, store=cloud.store, patience_s=20, clock=at.clock, sleep=at.sleep)
    assert at.naps == []


def test_a_reply_leaves_time_to_be_sent(api: Api, given: Given, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOLD_S", "20")
    job, began = given(running), time.monotonic()
    reply = api.send(HttpRequest(method="GET", path=f"/async-response/{job.id}"), remaining_ms=2_300)
    assert reply.body["status"] == "processing"
    assert time.monotonic() - began < 2


# --- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [done])
def test_the_file_is_a_redirect_to_a_link(api: Api, given: Given, make: Any) -> None:
    job = given(make)
    reply = api("GET", f"/api/download/{job.id}/file")
    link = urlsplit(reply.headers["Location"])
    assert (reply.status, link.path) == (307, f"/acme/{job.id}/1.mp4")
    assert reply.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("make", [queued, running, failed, cancelled, expired])
def test_a_job_that_is_not_done_has_no_file(api: Api, given: Given, make: Any) -> None:
    reply = api("GET", f"/api/download/{given(make).id}/file")
    assert (reply.status, reply.body["code"]) == (404, "file.not_found")
    assert reply.body["detail"] == "This download has no file to hand out."


def test_an_object_that_is_gone_is_404_not_a_link_into_nothing(api: Api, cloud: Cloud, given: Given) -> None:
    job = given(done)
    aws.client("s3").delete_object(Bucket=cloud.bucket, Key=stored(job).key)
    reply = api("GET", f"/api/download/{job.id}/file")
    assert (reply.status, reply.body["code"]) == (404, "file.not_found")
    assert "Location" not in reply.headers
