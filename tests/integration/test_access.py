"""Every route of the document, asked by everybody: the real authorizer before the real handler.

A route that is new and has no expectation here fails `test_every_documented_route_has_an_expectation`.
"""

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from authorizer.handler import lambda_handler as authorize
from inspect_source import handler as inspect_handler
from reelhaul import aws
from reelhaul.documentation.operations import OPERATIONS
from reelhaul.ids import new_id
from reelhaul.jobs import Job
from reelhaul.keys import KeyStore, pepper_from
from tests.conftest import Cloud
from tests.events import Context, HttpRequest
from tests.integration.conftest import Api, Docs, Reply
from tests.jobs_in import done, extra, failed
from tests.routes import OPEN_ROUTES, ROUTES

Given = Callable[..., Job]
SOURCE = '{"url": "https://media.example/a.mp4"}'
INSIDE = '{"url": "http://127.0.0.1:9/a.mp4"}'  # the guard connects to nothing there


def with_image(**fields: Any) -> Job:
    job = done(**fields)
    return dataclasses.replace(job, extras=(extra(job),))


@dataclasses.dataclass(frozen=True)
class Expected:
    """What a route answers its own tenant, and another one who names that tenant's job; 401 is for everybody else."""

    own: int
    other: int
    body: str | None = None
    make: Callable[..., Job] = done


EXPECTED = {
    "POST /download": Expected(200, 200, SOURCE),
    "POST /api/download": Expected(200, 200, SOURCE),
    "GET /download/{id}": Expected(200, 404),
    "GET /async-response/{id}": Expected(200, 404),
    "GET /api/download/{id}/file": Expected(307, 404),
    "GET /api/thumbnails/{id}": Expected(307, 404, make=with_image),
    "GET /updates": Expected(200, 200),
    "GET /download": Expected(200, 200),
    "GET /api/downloads": Expected(200, 200),
    "POST /download/{id}": Expected(200, 404, make=failed),
    "DELETE /download/{id}": Expected(200, 404),
    "DELETE /download": Expected(200, 404),
    "DELETE /api/downloads/{id}": Expected(200, 404),
    "DELETE /api/downloads/{id}/remove": Expected(200, 404),
    "POST /api/info": Expected(422, 422, INSIDE),
}
OPEN = {
    "GET /openapi.json": 200, "GET /docs": 200, "GET /docs/{file}": 200, "GET /health": 200,
    "GET /": 200, "HEAD /": 200, "GET /assets/{file}": 404, "HEAD /assets/{file}": 404,
}  # fmt: skip
ASKING_FOR_KEYS = sorted(route for route, operation in OPERATIONS.items() if operation["security"])
OPEN_TO_ALL = sorted(route for route, operation in OPERATIONS.items() if not operation["security"])


def test_every_documented_route_has_an_expectation() -> None:
    """The document has the template's routes and no others: `test_document_has_the_routes_of_the_template...`."""
    assert set(ASKING_FOR_KEYS) == set(EXPECTED) == set(ROUTES)
    assert set(OPEN_TO_ALL) == set(OPEN) == set(OPEN_ROUTES) - {"$default"}


@dataclasses.dataclass(frozen=True)
class Keys:
    """Headers to come with."""

    own: dict[str, str]
    other: dict[str, str]
    strangers: dict[str, dict[str, str]]


@pytest.fixture
def keys(cloud: Cloud) -> Keys:
    store = KeyStore(
        aws.client("dynamodb"), cloud.table, pepper_from(aws.client("secretsmanager"), cloud.pepper_secret)
    )
    (own, _), (other, _) = store.issue("acme"), store.issue("umbrella")
    revoked, record = store.issue("acme")
    store.revoke(record.id)
    expired, _ = store.issue("acme", expires_at=int(time.time()) - 1)
    strangers = {
        "none": {},
        "revoked": {"x-access-token": revoked},
        "expired": {"x-access-token": expired},
        "wrong": {"x-access-token": "sk-wrong-0123456789abcdef"},
        "shortened": {"x-access-token": own[:-1]},
        "overlong": {"x-access-token": own + "x" * 9_000},
        "of the wrong scheme": {"authorization": f"Basic {own}"},
        "two at once": {"x-access-token": own, "authorization": f"Bearer {other}"},
        "the id of a key": {"x-access-token": record.id},
        "the name of a tenant": {"x-access-token": "acme", "x-tenant": "acme", "tenant": "acme"},
        "empty": {"x-access-token": "", "authorization": "Bearer "},
    }
    return Keys({"x-access-token": own}, {"authorization": f"Bearer {other}"}, strangers)


@pytest.fixture
def stored(cloud: Cloud, given: Given) -> Given:
    """Stores a job with all its objects."""

    def store(make: Callable[..., Job]) -> Job:
        job = given(make)
        for kept in job.extras:
            cloud.put_object(kept.key)
        return job

    return store


@pytest.fixture(autouse=True)
def _inspector(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setenv("WORK_DIRECTORY", str(tmp_path))
    monkeypatch.setattr("signal.signal", lambda *_: None)  # it would keep the test run's SIGTERM
    inspect_handler.settings.cache_clear()
    yield
    inspect_handler.settings.cache_clear()


def asked(api: Api, route: str, job_id: str, headers: dict[str, str]) -> Reply:
    """What API Gateway does: the authorizer first, and the function with what that has said."""
    method, path = route.replace("{id}", job_id).split()
    request = HttpRequest(
        method=method,
        path=path,
        query={"download_id": job_id} if route == "DELETE /download" else {},
        body=EXPECTED[route].body,
        headers=headers,
        tenant="",
    )
    said = authorize(request.authorizer_event(), Context())
    assert said["isAuthorized"], "API Gateway would answer 403 in words of its own"
    return api.send(dataclasses.replace(request, said=said["context"]), function=ROUTES[route])


def everything(cloud: Cloud) -> tuple[str, list[str], int]:
    """All that the service keeps, but for messages, of which there is the number."""
    items = aws.client("dynamodb").scan(TableName=cloud.table)["Items"]
    jobs = [json.dumps(item, sort_keys=True) for item in items]
    queue = aws.client("sqs").get_queue_attributes(
        QueueUrl=cloud.queue_url, AttributeNames=["ApproximateNumberOfMessages"]
    )
    return "\n".join(sorted(jobs)), cloud.object_keys(), int(queue["Attributes"]["ApproximateNumberOfMessages"])


@pytest.mark.parametrize("route", ASKING_FOR_KEYS)
def test_a_key_opens_the_route_for_its_own_tenant(api: Api, stored: Given, keys: Keys, route: str) -> None:
    expected = EXPECTED[route]
    job = stored(expected.make)
    assert asked(api, route, job.id, keys.own).status == expected.own


@pytest.mark.parametrize("route", ASKING_FOR_KEYS)
def test_another_tenants_key_reaches_nothing_of_it(
    api: Api, cloud: Cloud, stored: Given, keys: Keys, route: str
) -> None:
    expected = EXPECTED[route]
    job = stored(expected.make)
    reply = asked(api, route, job.id, keys.other)
    assert reply.status == expected.other
    assert job.id not in reply.text
    assert cloud.store.get("acme", job.id) == job
    if job.stored is not None:
        assert job.stored.key in cloud.object_keys()
    if expected.other == 404:
        unknown = asked(api, route, new_id(time.time()), keys.other)
        assert (unknown.status, unknown.text, unknown.headers) == (reply.status, reply.text, reply.headers)


@pytest.mark.parametrize("route", ASKING_FOR_KEYS)
def test_nobody_else_gets_past_and_nothing_happens(
    api: Api, cloud: Cloud, stored: Given, keys: Keys, route: str
) -> None:
    job = stored(EXPECTED[route].make)
    before = everything(cloud)
    replies = {who: asked(api, route, job.id, headers) for who, headers in keys.strangers.items()}
    assert {who: reply.status for who, reply in replies.items()} == dict.fromkeys(keys.strangers, 401)
    assert len({(reply.text, str(reply.headers)) for reply in replies.values()}) == 1, "one can tell them apart"
    assert everything(cloud) == before


@pytest.mark.parametrize("route", OPEN_TO_ALL)
def test_open_routes_answer_the_same_with_any_key_and_none(docs: Docs, page: Docs, route: str) -> None:
    method, path = route.replace("{file}", "start.js").split()
    function = {"docs": docs, "page": page}[OPEN_ROUTES[route]]
    replies = [function(method, path, headers=headers) for headers in ({}, {"x-access-token": "sk-wrong-0123456789"})]
    assert replies[0]["statusCode"] == OPEN[route]
    assert replies[0] == replies[1]


# --- a tenant is what the key says ------------------------------------------------------------------------------------

_WITH_BODY = ["POST /download", "POST /api/download", "POST /download/{id}", "DELETE /download", "POST /api/info"]


@pytest.mark.parametrize("route", _WITH_BODY)
@pytest.mark.parametrize("field", ["tenant", "tenant_id", "key_id", "pk", "owner"])
def test_a_tenant_in_the_body_is_refused_by_name(api: Api, cloud: Cloud, stored: Given, route: str, field: str) -> None:
    job = stored(EXPECTED[route].make)
    before = everything(cloud)
    fields = {"download_id": job.id} if route == "DELETE /download" else json.loads(EXPECTED[route].body or "{}")
    method, path = route.replace("{id}", job.id).split()
    reply = api.send(
        HttpRequest(method=method, path=path, body=json.dumps(fields | {field: "acme"}), tenant="umbrella")
    )
    assert (reply.status, reply.body["field"]) == (400, field)
    assert everything(cloud) == before


@pytest.mark.parametrize("route", ASKING_FOR_KEYS)
def test_a_tenant_in_headers_or_query_changes_nothing(
    api: Api, cloud: Cloud, stored: Given, keys: Keys, route: str
) -> None:
    job = stored(EXPECTED[route].make)
    pretending = {"x-tenant": "acme", "x-reelhaul-tenant": "acme", "x-amzn-tenant": "acme", "cookie": "tenant=acme"}
    assert asked(api, route, job.id, keys.other | pretending).status == EXPECTED[route].other
    method, path = route.replace("{id}", job.id).split()
    query = {"tenant": "acme", **({"download_id": job.id} if route == "DELETE /download" else {})}
    api.send(HttpRequest(method=method, path=path, query=query, body=EXPECTED[route].body, tenant="umbrella"))
    assert cloud.store.get("acme", job.id) == job


# --- headers of every reply -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("route", ASKING_FOR_KEYS)
@pytest.mark.parametrize("who", ["own", "other", "nobody"])
def test_every_reply_is_kept_by_nobody_guessed_at_by_nobody_and_asks_for_tls(
    api: Api, stored: Given, keys: Keys, route: str, who: str
) -> None:
    headers = {"own": keys.own, "other": keys.other, "nobody": {}}[who]
    reply = asked(api, route, stored(EXPECTED[route].make).id, headers)
    _assert_headers(reply.headers)


@pytest.mark.parametrize("path", ["/nowhere", "/assets", "/docs/nothing.js", "/health", "/download"])
@pytest.mark.parametrize("method", ["GET", "PATCH", "OPTIONS", "HEAD"])
def test_what_no_route_is_for_is_answered_with_the_same_headers(docs: Docs, method: str, path: str) -> None:
    _assert_headers(docs(method, path)["headers"])


@pytest.mark.parametrize("path", ["/docs", "/docs/start.js", "/docs/swagger-ui.js", "/openapi.json"])
def test_what_may_be_kept_is_for_everybody_and_guessed_at_by_nobody(docs: Docs, path: str) -> None:
    headers = docs("GET", path)["headers"]
    assert headers["Cache-Control"] in {"no-cache", "public, max-age=86400"}
    _assert_headers(headers | {"Cache-Control": "no-store"})


def test_plain_http_is_not_told_of_tls(api: Api) -> None:
    """Which only the local engine speaks; RFC 6797, section 7.2."""
    reply = api("GET", "/download", headers={"x-forwarded-proto": "http"})
    assert reply.status == 200
    assert "Strict-Transport-Security" not in reply.headers


def _assert_headers(headers: dict[str, str]) -> None:
    assert headers["Cache-Control"] == "no-store"
    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Strict-Transport-Security"] == "max-age=31536000"
