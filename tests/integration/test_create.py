"""`POST /download` and `POST /api/download`."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from reelhaul import aws
from reelhaul.jobs import Job, State
from reelhaul.options import Clip, Options
from reelhaul.queue import JobMessage
from tests.conftest import Cloud
from tests.events import HOST
from tests.faults import hooked, refused
from tests.integration.conftest import Api
from tests.jobs_in import failed

URL = "https://media.example/a.mp4"


def the_job(cloud: Cloud, tenant: str = "acme") -> Job:
    [job] = cloud.store.page(tenant, limit=2).jobs
    return job


def has_changed_nothing(cloud: Cloud) -> bool:
    """Whether no record was written and no message sent."""
    return not aws.client("dynamodb").scan(TableName=cloud.table)["Items"] and not cloud.messages()


def test_the_first_contracts_reply_is_what_its_sdk_polls_with(api: Api, cloud: Cloud) -> None:
    reply = api("POST", "/download", json_body={"stream_link": URL, "name": "my video"})
    job = the_job(cloud)
    assert (reply.status, reply.body) == (200, {
        "success": True, "status": "processing", "download_id": job.id,
        "data": {
            "id": job.id, "download_id": job.id, "name": "my video", "status": "processing",
            "output_url": f"https://{HOST}/async-response/{job.id}",
        },
    })  # fmt: skip


def test_the_second_contracts_reply_has_the_id(api: Api, cloud: Cloud) -> None:
    reply = api("POST", "/api/download", json_body={"url": URL, "quality": "480p", "download_type": "audio"})
    job = the_job(cloud)
    assert (reply.status, reply.body) == (200, {"download_id": job.id, "id": job.id, "status": "pending"})
    assert (job.url, job.options.quality, job.options.download_type) == (URL, "480p", "audio")


@pytest.mark.parametrize(
    ("path", "body", "quality"), [("/download", {"url": URL}, "best"), ("/api/download", {"url": URL}, "720p")]
)
def test_each_contract_has_its_default_quality(
    api: Api, cloud: Cloud, path: str, body: dict[str, str], quality: str
) -> None:
    api("POST", path, json_body=body)
    assert the_job(cloud).options.quality == quality


@pytest.mark.parametrize("path", ["/download", "/api/download", "retry"])
def test_a_tenants_only_job_goes_into_the_express_lane_too(api: Api, cloud: Cloud, path: str) -> None:
    lane: list[str] = []

    def note(params: Any, **_: Any) -> None:
        if params["QueueUrl"] == cloud.express_queue_url:
            lane.append(JobMessage.parse(params["MessageBody"]).job_id)

    job = failed()
    cloud.store.create(job)
    with hooked("provide-client-params", "sqs", "SendMessage", note):
        for _ in range(2):
            if path == "retry":
                api("POST", f"/download/{job.id}")
            else:
                api("POST", path, json_body={"url": URL})
    assert len(lane) == 1


@pytest.mark.parametrize("path", ["/download", "/api/download"])
def test_every_option_is_stored_with_the_job(api: Api, cloud: Cloud, path: str) -> None:
    body = {
        "url": URL, "name": "mine", "quality": "480p", "download_type": "video", "audio_format": "best",
        "container": "webm", "subtitles": ["de", "en"], "clip": {"start": 1.5, "end": 3}, "playlist": True,
        "playlist_limit": 7, "callback_url": "https://hook.example/ended", "retention_days": 2,
    }  # fmt: skip
    assert api("POST", path, json_body=body).status == 200
    job = the_job(cloud)
    assert job.options == Options(
        quality="480p", container="webm", subtitles=("de", "en"), clip=Clip(start_s=1.5, end_s=3.0), playlist="true",
        playlist_limit=7,
    )  # fmt: skip
    assert (job.name, job.callback_url, job.retention_days) == ("mine", "https://hook.example/ended", 2)


@pytest.mark.parametrize("path", ["/download", "/api/download"])
def test_the_operator_says_how_long_a_file_is_kept_and_how_long_at_most(
    api: Api, cloud: Cloud, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_RETENTION_DAYS", "9")
    for asked, kept in ((None, 7), (9, 9)):
        reply = api("POST", path, json_body={"url": URL, "retention_days": asked})
        assert cloud.store.get("acme", reply.body["download_id"]).retention_days == kept
    reply = api("POST", path, json_body={"url": URL, "retention_days": 10})
    assert (reply.status, reply.body["field"]) == (400, "retention_days")


def test_a_created_job_is_stored_for_its_tenant_and_queued_once(api: Api, cloud: Cloud) -> None:
    before = time.time()
    api("POST", "/download", json_body={"stream_link": URL}, tenant="umbrella")
    job = the_job(cloud, "umbrella")
    assert (job.state, job.tenant, job.url, job.retention_days) == (State.QUEUED, "umbrella", URL, 7)
    assert before - 1 < job.created_at < time.time() + 1
    assert [JobMessage.parse(body).job_id for body in cloud.messages()] == [job.id]


def test_the_reply_is_json_that_nobody_keeps(api: Api) -> None:
    headers = api("POST", "/download", json_body={"stream_link": URL}).headers
    assert headers == {
        "Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
        "Strict-Transport-Security": "max-age=31536000",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("headers", "stage", "origin"),
    [
        ({}, "$default", f"https://{HOST}"),
        ({"host": "127.0.0.1:8787", "x-forwarded-proto": "http"}, "$default", "http://127.0.0.1:8787"),
        ({"host": "dl.example.org"}, "$default", "https://dl.example.org"),
        ({}, "prod", f"https://{HOST}/prod"),
        ({"host": "a b/<script>"}, "$default", f"https://{HOST}"),
        ({"x-forwarded-proto": "gopher"}, "$default", f"https://{HOST}"),
    ],
)
def test_the_output_url_is_where_the_service_was_reached(
    api: Api, headers: dict[str, str], stage: str, origin: str
) -> None:
    reply = api("POST", "/download", json_body={"stream_link": URL}, headers=headers, stage=stage)
    assert reply.body["data"]["output_url"] == f"{origin}/async-response/{reply.body['download_id']}"


def test_a_body_in_base64_is_read_as_well(api: Api, cloud: Cloud) -> None:
    """API Gateway encodes what curl -d sends without a content type."""
    reply = api("POST", "/download", body=json.dumps({"stream_link": URL, "name": "名前"}).encode())
    assert (reply.status, the_job(cloud).name) == (200, "名前")


def test_a_queue_that_is_down_does_not_lose_the_job(api: Api, cloud: Cloud) -> None:
    with refused("sqs", "SendMessage"):
        reply = api("POST", "/download", json_body={"stream_link": URL})
    assert (reply.status, the_job(cloud).id) == (200, reply.body["download_id"])


# --- bad input -------------------------------------------------------------------------------------------------------


BAD_FIELDS: list[tuple[str, Any]] = [
    ("url", "file:///etc/passwd"),
    ("url", 5),
    ("url", f"https://media.example/{'a' * 2048}"),
    ("name", ["a"]),
    ("quality", "8k"),
    ("download_type", "both"),
    ("audio_format", "mp3"),
    ("container", "avi"),
    ("subtitles", "en"),
    ("clip", {"start": 2, "end": 1}),
    ("playlist", "yes"),
    ("playlist_limit", 1001),
    ("callback_url", "http://hook.example/"),
    ("retention_days", 31),
    ("colour", "blue"),
]


@pytest.mark.parametrize("path", ["/download", "/api/download"])
@pytest.mark.parametrize(("field", "value"), BAD_FIELDS)
def test_bad_input_is_400_with_its_field_and_changes_nothing(
    api: Api, cloud: Cloud, path: str, field: str, value: object
) -> None:
    reply = api("POST", path, json_body={"url": URL} | {field: value}, headers={"idempotency-key": "k"})
    assert (reply.status, reply.body["field"], reply.body["code"]) == (400, field, "request.invalid")
    assert field in reply.body["message"]
    assert has_changed_nothing(cloud)


@pytest.mark.parametrize(("path", "field"), [("/download", "stream_link"), ("/api/download", "url")])
def test_a_request_without_a_source_is_400(api: Api, cloud: Cloud, path: str, field: str) -> None:
    reply = api("POST", path, json_body={})
    assert (reply.status, reply.body["field"]) == (400, field)
    assert has_changed_nothing(cloud)


def test_a_400_byte_for_byte(api: Api) -> None:
    reply = api("POST", "/download", json_body={"stream_link": URL, "colour": "blue"})
    assert reply.text == (
        '{"success":false,"message":"Unknown field: colour.","detail":"Unknown field: colour.",'
        '"code":"request.invalid","field":"colour"}'
    )


@pytest.mark.parametrize(
    "body",
    [None, "", " ", "{", "[]", "null", '"text"', "NaN", '{"stream_link": NaN}', b"\xff\xfe", b"\x00", "[" * 16_000,
     '{"a": ' * 2_000, "1" * 10_000, '{"stream_link": "https://e.example/\\ud800"}', '{"retention_days": 1e999}'],
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_400(api: Api, cloud: Cloud, body: str | bytes | None) -> None:
    reply = api("POST", "/download", body=body)
    assert (reply.status, reply.body["code"]) == (400, "request.invalid")
    assert has_changed_nothing(cloud)


def test_a_field_that_is_given_twice_is_400(api: Api, cloud: Cloud) -> None:
    reply = api("POST", "/download", body=f'{{"url": "{URL}", "url": "{URL}?"}}')
    assert (reply.status, reply.body["field"], reply.body["message"]) == (400, "url", "url is given twice.")
    assert has_changed_nothing(cloud)


def nested(levels: int) -> dict[str, Any]:
    """A body of so many objects and lists within one another, the body included."""
    value: Any = 1
    for level in range(levels - 1):
        value = [value] if level % 2 else {"a": value}
    return {"clip": value}


def test_a_body_nested_more_than_five_levels_deep_is_400(api: Api, cloud: Cloud) -> None:
    for levels in (6, 7, 100):
        reply = api("POST", "/download", json_body=nested(levels))
        assert (reply.status, reply.body["message"]) == (400, "The body is nested more than 5 levels deep.")
    assert "nested" not in api("POST", "/download", json_body=nested(5)).body["message"]
    assert has_changed_nothing(cloud)


@pytest.mark.parametrize("wrap", [str, str.encode])
def test_a_body_beyond_16_kilobytes_is_413(api: Api, cloud: Cloud, wrap: Callable[[str], str | bytes]) -> None:
    body = json.dumps({"stream_link": URL, "name": "x"})
    fitting = body + " " * (16 * 1024 - len(body))
    for size in (1, 100_000):
        reply = api("POST", "/download", body=wrap(fitting + " " * size))
        assert (reply.status, reply.body["code"]) == (413, "request.too_large")
    assert has_changed_nothing(cloud)
    assert api("POST", "/download", body=wrap(fitting)).status == 200


def test_characters_are_counted_in_bytes(api: Api) -> None:
    assert api("POST", "/download", body='{"name": "' + "名" * 6_000 + '"}').status == 413


@pytest.mark.parametrize(
    "content_type",
    ["application/json", "application/json; charset=utf-8", "Application/JSON", "application/vnd.acme.v1+json",
     "text/plain;charset=UTF-8", "application/x-www-form-urlencoded", "", None],
)  # fmt: skip
def test_json_is_taken_under_the_types_that_clients_send_it_with(api: Api, content_type: str | None) -> None:
    reply = api("POST", "/download", json_body={"url": URL}, headers={"content-type": content_type})
    assert reply.status == 200


@pytest.mark.parametrize(
    "content_type",
    ["multipart/form-data; boundary=x", "application/xml", "text/html", "application/jsonp", "json", "+json",
     "application/octet-stream", "application/json, text/html"],
)  # fmt: skip
@pytest.mark.parametrize("path", ["/download", "/api/download"])
def test_a_body_of_another_type_is_415(api: Api, cloud: Cloud, path: str, content_type: str) -> None:
    reply = api("POST", path, json_body={"url": URL}, headers={"content-type": content_type})
    assert (reply.status, reply.body["code"], reply.body["field"]) == (415, "request.media_type", "Content-Type")
    assert has_changed_nothing(cloud)


# --- idempotency -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("path", ["/download", "/api/download"])
def test_the_same_key_and_body_give_the_same_job_once(api: Api, cloud: Cloud, path: str) -> None:
    first = api("POST", path, json_body={"url": URL, "name": "a"}, headers={"Idempotency-Key": "k"})
    again = api("POST", path, body=f'{{ "name":"a",  "url":"{URL}" }}', headers={"idempotency-key": "k"})
    assert (first.status, again.status, again.body) == (200, 200, first.body)
    assert the_job(cloud).id == first.body["download_id"]
    assert len(cloud.messages()) == 1


@pytest.mark.parametrize("path", ["/download", "/api/download"])
def test_the_same_key_with_another_body_is_422_and_changes_nothing(api: Api, cloud: Cloud, path: str) -> None:
    first = api("POST", path, json_body={"url": URL}, headers={"idempotency-key": "k"})
    reply = api("POST", path, json_body={"url": URL, "quality": "144p"}, headers={"idempotency-key": "k"})
    sentence = "This Idempotency-Key was used with another request before."
    assert (reply.status, reply.body) == (422, {
        "success": False, "message": sentence, "detail": sentence, "code": "request.key_reused",
    })  # fmt: skip
    assert the_job(cloud).id == first.body["download_id"]
    assert len(cloud.messages()) == 1


def test_the_same_key_on_the_other_contracts_route_is_422(api: Api, cloud: Cloud) -> None:
    api("POST", "/download", json_body={"url": URL}, headers={"idempotency-key": "k"})
    assert api("POST", "/api/download", json_body={"url": URL}, headers={"idempotency-key": "k"}).status == 422
    assert len(cloud.messages()) == 1


def test_a_key_belongs_to_its_tenant(api: Api, cloud: Cloud) -> None:
    ids = {
        api("POST", "/download", json_body={"url": URL}, tenant=tenant, headers={"idempotency-key": "k"}).body[
            "download_id"
        ]
        for tenant in ("acme", "umbrella")
    }
    assert len(ids) == 2


def test_a_repeated_request_is_told_of_the_job_as_it_is_now(api: Api, cloud: Cloud) -> None:
    headers = {"idempotency-key": "k"}
    job_id = api("POST", "/api/download", json_body={"url": URL}, headers=headers).body["download_id"]
    api("DELETE", f"/api/downloads/{job_id}")
    again = api("POST", "/api/download", json_body={"url": URL}, headers=headers)
    assert again.body == {"download_id": job_id, "id": job_id, "status": "cancelled"}


@pytest.mark.parametrize("key", ["", "x" * 256, "clé"])
@pytest.mark.parametrize("path", ["/download", "/api/download"])
def test_a_key_that_is_none_is_400_and_changes_nothing(api: Api, cloud: Cloud, path: str, key: str) -> None:
    reply = api("POST", path, json_body={"url": URL}, headers={"idempotency-key": key})
    assert (reply.status, reply.body["code"]) == (400, "request.invalid")
    assert reply.body["field"] == "Idempotency-Key"
    assert has_changed_nothing(cloud)


# --- what the operator does not allow --------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("path", "field"), [("/download", "stream_link"), ("/download", "url"), ("/api/download", "url")]
)
def test_a_site_that_is_not_allowed_is_403_and_changes_nothing(
    api: Api, cloud: Cloud, monkeypatch: pytest.MonkeyPatch, path: str, field: str
) -> None:
    monkeypatch.setenv("ALLOWED_SITES", "allowed.example")
    monkeypatch.setenv("DENIED_SITES", "not.allowed.example")
    for url in (URL, "https://not.allowed.example/a.mp4"):
        reply = api("POST", path, json_body={field: url})
        assert (reply.status, reply.body["code"], reply.body["field"]) == (403, "source.site_not_allowed", field)
    assert has_changed_nothing(cloud)
    assert api("POST", path, json_body={field: "https://www.allowed.example/a.mp4"}).status == 200


def test_a_longer_playlist_than_the_operator_allows_is_400(
    api: Api, cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("MAX_PLAYLIST_ITEMS", "20")
    reply = api("POST", "/download", json_body={"url": URL, "playlist_limit": 21})
    assert (reply.status, reply.body["field"]) == (400, "playlist_limit")
    assert has_changed_nothing(cloud)
    api("POST", "/download", json_body={"url": URL})
    assert the_job(cloud).options.playlist_limit == 20


def test_the_reply_names_the_domain_that_was_asked(api: Api, cloud: Cloud) -> None:
    reply = api("POST", "/download", json_body={"url": URL}, headers={"host": "media.example.com"})
    assert reply.body["data"]["output_url"] == f"https://media.example.com/async-response/{the_job(cloud).id}"
