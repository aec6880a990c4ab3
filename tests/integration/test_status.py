"""`GET /download/{id}`, `GET /async-response/{id}`, `GET /api/download/{id}/file`."""

import time
from collections.abc import Callable
from dataclasses import replace
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from get_status import waiting
from reelhaul import aws, ids, steps
from reelhaul.ids import new_id
from reelhaul.jobs import Job, PlaylistItem, State
from reelhaul.options import Options
from tests.conftest import Cloud
from tests.events import HOST, HttpRequest
from tests.faults import refused
from tests.integration.conftest import Api, Time
from tests.jobs_in import MEDIA, cancelled, done, expanded, expired, extra, failed, queued, running, stored

Given = Callable[..., Job]
DAY_S = 86_400
HARD = "Ünïcode “quotes” / slash 文字"


def key_path(job: Job) -> str:
    assert job.stored is not None
    return f"/{job.stored.key}"


def with_extras(*, name: str | None = None, now: float) -> Job:
    """Done, with a thumbnail and one of the two subtitles that were asked for."""
    asked = Options(subtitles=("de", "en"))
    begun = running(options=asked, now=now)
    return done(options=asked, extras=(extra(begun), extra(begun, "subtitles", language="de")), name=name, now=now)


def playlist(given: Callable[..., Job], *makes: Callable[..., Job]) -> tuple[Job, list[Job]]:
    """A playlist that was expanded into items, each in a state of its own."""
    parent = given(expanded, total=len(makes))
    items = []
    for index, make in enumerate(makes, 1):
        item_id = ids.item_id(parent, index)
        place = PlaylistItem(parent_id=parent.id, index=index, total=len(makes))
        items.append(
            given(lambda make=make, item_id=item_id, **fields: replace(make(**fields), id=item_id), item=place)
        )
    return parent, items


def test_a_done_job_has_a_fresh_link_to_its_object(api: Api, cloud: Cloud, given: Given) -> None:
    job = given(done, name="mine")
    reply = api("GET", f"/download/{job.id}")
    data = reply.body["data"]
    link = urlsplit(data["download_url"])
    assert (reply.status, reply.body.keys()) == (200, {"success", "data"})
    assert (data["id"], data["status"], data["name"], data["progress"]) == (job.id, "done", "mine.mp4", 100)
    assert link.path == key_path(job)
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


def test_subtitles_have_links_of_their_own(api: Api, given: Given) -> None:
    job = given(with_extras)
    for path in (f"/download/{job.id}", f"/async-response/{job.id}"):
        data = api("GET", path).body["data"]
        [file] = data["subtitles"]
        link = urlsplit(file["url"])
        assert (file["language"], file["format"], data["subtitles_missing"]) == ("de", "vtt", ["en"])
        assert link.path.endswith(".de.vtt")
        assert parse_qs(link.query)["X-Amz-Expires"] == ["86400"]


def test_a_stored_image_has_a_link_of_its_own(api: Api, given: Given) -> None:
    job = given(with_extras)
    for path in (f"/download/{job.id}", f"/async-response/{job.id}"):
        link = urlsplit(api("GET", path).body["data"]["thumbnail_url"])
        assert link.path == f"/{job.extras[0].key}"
        assert parse_qs(link.query)["X-Amz-Expires"] == ["86400"]


def test_a_job_without_an_image_or_without_its_files_has_no_link_to_one(api: Api, given: Given) -> None:
    gone = given(lambda **fields: with_extras(**fields | {"now": time.time() - 7 * DAY_S - 5}))
    for job in (given(done), given(running), gone):
        assert "thumbnail_url" not in api("GET", f"/download/{job.id}").body["data"]


def test_a_playlist_shows_its_items(api: Api, given: Given) -> None:
    parent, items = playlist(given, done, failed, running)
    data = api("GET", f"/download/{parent.id}").body["data"]
    assert (data["status"], data["is_playlist"], data["items_total"]) == ("processing", True, 3)
    assert [(row["id"], row["playlist_index"], row["status"]) for row in data["items"]] == [
        (items[0].id, 1, "done"), (items[1].id, 2, "error"), (items[2].id, 3, "processing"),
    ]  # fmt: skip


def test_a_playlist_that_is_done_names_the_items_that_failed(api: Api, cloud: Cloud, given: Given) -> None:
    parent, items = playlist(given, done, failed)
    assert parent.playlist is not None
    ended = replace(parent.playlist, done=1, failed=1)
    cloud.store.swap(parent, steps.recount(parent, ended, now=time.time()))
    for path in (f"/download/{parent.id}", f"/async-response/{parent.id}"):
        data = api("GET", path).body["data"]
        assert (data["status"], data["progress"], len(data["items"])) == ("done", 100, 2)
        assert [row["id"] for row in data["failed_items"]] == [items[1].id]
        assert "download_url" not in data


def test_an_item_tells_its_place_in_its_playlist(api: Api, given: Given) -> None:
    parent, items = playlist(given, done, running)
    data = api("GET", f"/download/{items[1].id}").body["data"]
    assert (data["playlist_id"], data["playlist_index"], data["playlist_total"]) == (parent.id, 2, 2)


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


def test_a_reply_is_held_back_until_the_job_ends(cloud: Cloud, given: Given) -> None:
    job, at = given(running), Time()

    def finish() -> None:
        if len(at.naps) == 3:
            cloud.store.swap(job, steps.complete(job, MEDIA, stored(job), now=time.time()))

    at.on_nap = finish
    held = waiting.wait_for_end("acme", job.id, store=cloud.store, patience_s=20, clock=at.clock, sleep=at.sleep)
    assert (held.state, len(at.naps)) == (State.DONE, 3)


@pytest.mark.parametrize("make", [running, expanded])
def test_a_reply_is_held_back_no_longer_than_there_is_patience(cloud: Cloud, given: Given, make: Any) -> None:
    job, at = given(make), Time()
    held = waiting.wait_for_end("acme", job.id, store=cloud.store, patience_s=20, clock=at.clock, sleep=at.sleep)
    assert held.state is job.state
    assert at.now == pytest.approx(20)
    assert 40 < len(at.naps) < 100  # a read each: not a busy loop


@pytest.mark.parametrize(("takes_s", "answered_by_s"), [(0.05, 0.1), (0.3, 0.35), (1.3, 1.4), (3.9, 4.1), (10.0, 10.5)])
def test_a_job_is_answered_soon_after_its_end(cloud: Cloud, given: Given, takes_s: float, answered_by_s: float) -> None:
    job, at, ended = given(running), Time(), list[bool]()

    def finish() -> None:
        if at.now >= takes_s and not ended:
            ended.append(True)
            cloud.store.swap(job, steps.complete(job, MEDIA, stored(job), now=time.time()))

    at.on_nap = finish
    held = waiting.wait_for_end("acme", job.id, store=cloud.store, patience_s=20, clock=at.clock, sleep=at.sleep)
    assert held.state is State.DONE
    assert takes_s <= at.now <= answered_by_s


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
    assert time.monotonic() - began < 15  # not the 20 s that it might have been held


# --- the file --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("make", [done])
def test_the_file_is_a_redirect_to_a_link(api: Api, given: Given, make: Any) -> None:
    job = given(make)
    reply = api("GET", f"/api/download/{job.id}/file")
    link = urlsplit(reply.headers["Location"])
    assert (reply.status, link.path) == (307, key_path(job))
    assert "response-content-disposition" not in link.query
    assert reply.headers["Cache-Control"] == "no-store"


@pytest.mark.parametrize("make", [queued, running, failed, cancelled, expired])
def test_a_job_that_is_not_done_has_no_file(api: Api, given: Given, make: Any) -> None:
    reply = api("GET", f"/api/download/{given(make).id}/file")
    assert (reply.status, reply.body["code"]) == (404, "file.not_found")
    assert reply.body["detail"] == "This download has no file to hand out."


def test_an_object_that_is_gone_is_404_not_a_link_into_nothing(api: Api, cloud: Cloud, given: Given) -> None:
    job = given(done)
    for key in job.keys:
        aws.client("s3").delete_object(Bucket=cloud.bucket, Key=key)
    reply = api("GET", f"/api/download/{job.id}/file")
    assert (reply.status, reply.body["code"]) == (404, "file.not_found")
    assert "Location" not in reply.headers


def test_a_playlist_has_no_file_of_its_own(api: Api, cloud: Cloud, given: Given) -> None:
    parent, _ = playlist(given, done)
    assert api("GET", f"/api/download/{parent.id}/file").status == 404
    assert parent.playlist is not None
    cloud.store.swap(parent, steps.recount(parent, replace(parent.playlist, done=1), now=time.time()))
    reply = api("GET", f"/api/download/{parent.id}/file")
    assert (reply.status, reply.body["code"]) == (404, "file.not_found")


def test_curl_is_told_the_name_as_it_is(api: Api, given: Given) -> None:
    """It reads `filename` only, which in the object's own header is ASCII."""
    path = f"/api/download/{given(done, name=HARD).id}/file"
    location = api("GET", path, headers={"user-agent": "curl/7.88.1"}).headers["Location"]
    [header] = parse_qs(urlsplit(location).query)["response-content-disposition"]
    assert 'filename="Ünïcode “quotes” _ slash 文字.mp4"' in header.encode("latin-1").decode()
    assert "X-Amz-Security-Token" not in location
    for agent in ("Wget/1.21.3", "Mozilla/5.0 (X11)", None):
        assert "response-" not in api("GET", path, headers={"user-agent": agent}).headers["Location"]


def test_curl_gets_the_same_link_as_others_where_the_name_is_ascii(api: Api, given: Given) -> None:
    path = f"/api/download/{given(done, name='mine').id}/file"
    assert "response-" not in api("GET", path, headers={"user-agent": "curl/8.5.0"}).headers["Location"]


# --- the image -------------------------------------------------------------------------------------------------------


def test_a_stored_thumbnail_is_a_redirect_to_a_link(api: Api, cloud: Cloud, given: Given) -> None:
    job = given(with_extras)
    [image] = [found.key for found in job.extras if found.kind == "thumbnail"]
    cloud.put_object(image)
    reply = api("GET", f"/api/thumbnails/{job.id}")
    assert (reply.status, urlsplit(reply.headers["Location"]).path) == (307, f"/{image}")
    assert reply.headers["Cache-Control"] == "no-store"


def test_a_thumbnail_that_is_gone_is_404(api: Api, given: Given) -> None:
    reply = api("GET", f"/api/thumbnails/{given(with_extras).id}")
    assert (reply.status, reply.body["code"]) == (404, "file.not_found")


@pytest.mark.parametrize("make", [queued, running, done, failed, cancelled, expired, expanded])
def test_a_job_without_a_stored_thumbnail_has_none(api: Api, given: Given, make: Any) -> None:
    reply = api("GET", f"/api/thumbnails/{given(make).id}")
    assert (reply.status, reply.body["code"]) == (404, "file.not_found")
