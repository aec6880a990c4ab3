"""What every route answers when something is wrong, byte for byte."""

import contextlib
import dataclasses
import logging
import time
from collections.abc import Callable

import pytest

from reelhaul.ids import new_id
from reelhaul.jobs import Job
from tests.conftest import Cloud
from tests.events import HttpRequest
from tests.faults import hooked, refused
from tests.integration.conftest import Api
from tests.jobs_in import done
from tests.routes import ROUTES

Given = Callable[..., Job]
WITH_ID = [route for route in ROUTES if "{id}" in route]
ON_THE_TABLE = [route for route in ROUTES if route != "POST /api/info"]
BODIES = {
    "POST /download": '{"url": "https://media.example/a.mp4?token=hush"}',
    "POST /api/download": '{"url": "https://media.example/a.mp4?token=hush"}',
}
OPERATIONS = ("GetItem", "Query", "TransactWriteItems")  # the first that a route needs is one of them

UNAUTHORIZED = (
    '{"success":false,"message":"A valid access key is required, as x-access-token or as Authorization: Bearer.",'
    '"detail":"A valid access key is required, as x-access-token or as Authorization: Bearer.",'
    '"code":"auth.unauthorized"}'
)
NOT_FOUND = (
    '{"success":false,"message":"There is no download with this id.",'
    '"detail":"There is no download with this id.","code":"job.not_found"}'
)
INTERNAL = (
    '{"success":false,"message":"Something went wrong on our side. Please try again.",'
    '"detail":"Something went wrong on our side. Please try again.","code":"internal"}'
)
UNAVAILABLE = (
    '{"success":false,"message":"The service cannot do this at the moment. Please try again.",'
    '"detail":"The service cannot do this at the moment. Please try again.","code":"service.unavailable"}'
)


def request(route: str, job_id: str, *, tenant: str | None = "acme") -> HttpRequest:
    method, path = route.replace("{id}", job_id).split()
    query = {"download_id": job_id} if route == "DELETE /download" else {}
    return HttpRequest(method=method, path=path, query=query, body=BODIES.get(route), tenant=tenant)


def expected(text: str, route: str, status: str) -> str:
    """The first contract's clients look for a status wherever they wait."""
    return text[:-1] + f',"status":"{status}"}}' if "async-response" in route else text


@pytest.mark.parametrize("route", ROUTES)
def test_a_key_that_cannot_be_looked_up_is_503_on_every_route(api: Api, cloud: Cloud, route: str) -> None:
    reply = api.send(dataclasses.replace(request(route, new_id(time.time())), unavailable=True))
    assert (reply.status, reply.text) == (503, expected(UNAVAILABLE, route, "processing"))
    assert cloud.messages() == []


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("tenant", ["", None])
def test_without_a_valid_key_every_route_answers_401(api: Api, given: Given, route: str, tenant: str | None) -> None:
    reply = api.send(request(route, given(done).id, tenant=tenant))
    assert (reply.status, reply.text) == (401, expected(UNAUTHORIZED, route, "failed"))
    assert reply.headers == {
        "Content-Type": "application/json", "Cache-Control": "no-store", "X-Content-Type-Options": "nosniff",
        "Strict-Transport-Security": "max-age=31536000", "WWW-Authenticate": "Bearer",
    }  # fmt: skip


@pytest.mark.parametrize("route", [*WITH_ID, "DELETE /download"])
def test_an_unknown_job_and_another_tenants_are_the_same_404(api: Api, cloud: Cloud, given: Given, route: str) -> None:
    foreign = given(done, tenant="umbrella")
    for job_id in (foreign.id, new_id(time.time()), "nonsense", "download-"):
        reply = api.send(request(route, job_id))
        assert (reply.status, reply.text) == (404, expected(NOT_FOUND, route, "failed"))
    assert cloud.store.get("umbrella", foreign.id) == foreign


@pytest.mark.parametrize("route", ON_THE_TABLE)
def test_what_aws_cannot_do_is_503_on_every_route(api: Api, given: Given, route: str) -> None:
    job = given(done)
    with contextlib.ExitStack() as faults:
        for operation in OPERATIONS:
            faults.enter_context(refused("dynamodb", operation))
        reply = api.send(request(route, job.id))
    assert (reply.status, reply.text) == (503, expected(UNAVAILABLE, route, "processing"))
    assert int(reply.headers["Retry-After"]) > 0


@pytest.mark.parametrize("route", ON_THE_TABLE)
def test_a_bug_is_500_without_a_word_about_itself_and_logged_once(
    api: Api, given: Given, route: str, caplog: pytest.LogCaptureFixture
) -> None:
    job = given(done)

    def crash(**_: object) -> None:
        raise RuntimeError("arn:aws:s3:::media is at 10.0.0.1")

    with contextlib.ExitStack() as faults:
        for operation in OPERATIONS:
            faults.enter_context(hooked("before-call", "dynamodb", operation, crash))
        reply = api.send(request(route, job.id))
    assert (reply.status, reply.text) == (500, expected(INTERNAL, route, "processing"))
    logged = [record for record in caplog.records if record.levelno >= logging.ERROR]
    assert [record.getMessage() for record in logged] == ["request_crashed"]


@pytest.mark.parametrize(
    "function", ["create_download", "get_status", "list_downloads", "retry_download", "delete_download"]
)
def test_a_route_that_a_function_does_not_have_is_404_in_the_same_form(api: Api, function: str) -> None:
    for method, path in (("GET", "/elsewhere"), ("PATCH", "/download"), ("OPTIONS", "/download")):
        reply = api.send(HttpRequest(method=method, path=path), function=function)
        assert (reply.status, reply.text) == (404, (
            '{"success":false,"message":"There is nothing at this address.",'
            '"detail":"There is nothing at this address.","code":"route.not_found"}'
        ))  # fmt: skip
        assert api.send(HttpRequest(method=method, path=path, tenant=""), function=function).status == 401


@pytest.mark.parametrize("route", WITH_ID)
def test_an_id_of_odd_characters_is_an_unknown_one_like_others(api: Api, route: str) -> None:
    odd = dataclasses.replace(request(route, "x"), path=route.split()[1].replace("{id}", "\x84;"), route=route)
    reply = api.send(odd, function=ROUTES[route])
    assert (reply.status, reply.text) == (404, expected(NOT_FOUND, route, "failed"))


@pytest.mark.parametrize("route", ON_THE_TABLE)
def test_no_route_logs_a_key_a_link_or_what_was_submitted(
    api: Api, cloud: Cloud, given: Given, route: str, caplog: pytest.LogCaptureFixture
) -> None:
    job = given(done, url="https://media.example/?token=hush")
    keys: dict[str, str | None] = {
        "x-access-token": "sk-hush", "authorization": "Bearer sk-hush", "idempotency-key": "hush",
    }  # fmt: skip
    api.send(dataclasses.replace(request(route, job.id), headers=keys))
    logged = str([vars(record) for record in caplog.records])
    for secret in ("hush", "X-Amz-Signature", cloud.link_key.secret, "media.example"):
        assert secret not in logged
