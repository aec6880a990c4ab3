"""`POST /download` and `POST /api/download`."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from reelhaul.jobs import Job, State
from reelhaul.queue import JobMessage
from tests.conftest import Cloud
from tests.events import HOST
from tests.faults import refused
from tests.integration.conftest import Api

URL = "https://media.example/a.mp4"


def the_job(cloud: Cloud, tenant: str = "acme") -> Job:
    [job] = cloud.store.page(tenant, limit=2).jobs
    return job


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
    assert (job.url, job.quality, job.download_type) == (URL, "480p", "audio")


@pytest.mark.parametrize(
    ("path", "body", "quality"), [("/download", {"url": URL}, "best"), ("/api/download", {"url": URL}, "720p")]
)
def test_each_contract_has_its_default_quality(
    api: Api, cloud: Cloud, path: str, body: dict[str, str], quality: str
) -> None:
    api("POST", path, json_body=body)
    assert the_job(cloud).quality == quality


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


@pytest.mark.parametrize("path", ["/download", "/api/download"])
@pytest.mark.parametrize(
    ("body", "field"),
    [
        ({}, None),
        ({"url": "file:///etc/passwd"}, "url"),
        ({"url": 5}, "url"),
        ({"url": URL, "quality": "8k"}, "quality"),
        ({"url": URL, "download_type": "both"}, "download_type"),
        ({"url": URL, "name": ["a"]}, "name"),
        ({"url": URL, "colour": "blue"}, "colour"),
        ({"url": URL, "clip": {"start": 1, "end": 2}}, "clip"),
    ],
)
def test_bad_input_is_400_with_its_field_and_nothing_is_queued(
    api: Api, cloud: Cloud, path: str, body: dict[str, Any], field: str | None
) -> None:
    field = field or ("stream_link" if path == "/download" else "url")
    reply = api("POST", path, json_body=body)
    code = "request.not_supported" if field == "clip" else "request.invalid"
    assert (reply.status, reply.body["field"], reply.body["code"]) == (400, field, code)
    assert field in reply.body["message"]
    assert (cloud.messages(), cloud.store.count("acme")) == ([], 0)


def test_a_400_byte_for_byte(api: Api) -> None:
    reply = api("POST", "/download", json_body={"stream_link": URL, "colour": "blue"})
    assert reply.text == (
        '{"success":false,"message":"Unknown field: colour.","detail":"Unknown field: colour.",'
        '"code":"request.invalid","field":"colour"}'
    )


@pytest.mark.parametrize(
    "body",
    [None, "", " ", "{", "[]", "null", '"text"', "NaN", '{"stream_link": NaN}', b"\xff\xfe", b"\x00", "[" * 16_000,
     '{"a": ' * 2_000, "1" * 10_000, '{"stream_link": "https://e.example/\\ud800"}'],
)  # fmt: skip
def test_a_body_that_is_no_json_object_is_400(api: Api, cloud: Cloud, body: str | bytes | None) -> None:
    reply = api("POST", "/download", body=body)
    assert (reply.status, reply.body["code"]) == (400, "request.invalid")
    assert cloud.store.count("acme") == 0


@pytest.mark.parametrize("wrap", [str, str.encode])
def test_a_body_beyond_16_kilobytes_is_413(api: Api, wrap: Callable[[str], str | bytes]) -> None:
    body = json.dumps({"stream_link": URL, "name": "x"})
    fitting = body + " " * (16 * 1024 - len(body))
    assert api("POST", "/download", body=wrap(fitting)).status == 200
    for size in (1, 100_000):
        reply = api("POST", "/download", body=wrap(fitting + " " * size))
        assert (reply.status, reply.body["code"]) == (413, "request.too_large")


def test_characters_are_counted_in_bytes(api: Api) -> None:
    assert api("POST", "/download", body='{"name": "' + "名" * 6_000 + '"}').status == 413


def test_an_idempotency_key_is_refused_not_ignored(api: Api) -> None:
    reply = api("POST", "/download", json_body={"stream_link": URL}, headers={"idempotency-key": "k"})
    assert (reply.status, reply.body["code"], reply.body["field"]) == (400, "request.not_supported", "Idempotency-Key")
