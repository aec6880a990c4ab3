"""What a key allows: from the authorizer to 429, through the functions that begin jobs."""

import json
import time
from collections.abc import Callable
from typing import Any

import pytest

from authorizer.handler import lambda_handler as authorize
from reelhaul import aws, submit
from reelhaul.jobs import Job
from reelhaul.keys import KeyStore, pepper_from
from reelhaul.limits import Limits
from tests.conftest import Cloud
from tests.events import Context, HttpRequest
from tests.faults import refused
from tests.integration.conftest import Api, Reply
from tests.jobs_in import NOW, done, failed, queued, running

Given = Callable[..., Job]
URL = "https://media.example/a.mp4"
CREATE = [("/download", {"stream_link": URL}), ("/api/download", {"url": URL})]


class Caller:
    """Sends requests with a key through the authorizer, as API Gateway would."""

    def __init__(self, api: Api, key: str) -> None:
        self._api = api
        self._headers = {"x-access-token": key}

    def __call__(self, method: str, path: str, body: Any = None, **headers: str) -> Reply:
        request = HttpRequest(
            method=method,
            path=path,
            body=None if body is None else json.dumps(body),
            headers=self._headers | {name.replace("_", "-"): value for name, value in headers.items()},
        )
        said = authorize(request.authorizer_event(), Context())["context"]
        return self._api(method, path, body=request.body, headers=request.headers, tenant=said.pop("tenant"), said=said)

    def create(self, **headers: str) -> Reply:
        return self("POST", "/download", {"stream_link": URL}, **headers)


@pytest.fixture
def keys(cloud: Cloud) -> KeyStore:
    pepper = pepper_from(aws.client("secretsmanager"), cloud.pepper_secret)
    return KeyStore(aws.client("dynamodb"), cloud.table, pepper)


@pytest.fixture
def caller(api: Api, keys: KeyStore) -> Callable[..., Caller]:
    """A caller of tenant acme with a key of these limits."""
    return lambda **limits: Caller(api, keys.issue("acme", limits=Limits(**limits))[0])


def records(cloud: Cloud) -> list[Any]:
    return sorted(map(str, aws.client("dynamodb").scan(TableName=cloud.table)["Items"]))


@pytest.mark.parametrize(("path", "body"), CREATE)
def test_over_the_limit_of_jobs_at_a_time_it_is_429_and_nothing_is_changed(
    caller: Callable[..., Caller], cloud: Cloud, path: str, body: dict[str, str]
) -> None:
    call = caller(max_concurrent_jobs=2)
    assert [call("POST", path, body).status for _ in range(2)] == [200, 200]
    before, _ = records(cloud), cloud.messages()

    reply = call("POST", path, body)

    sentence = "The limit of 2 downloads at a time is reached."
    assert (reply.status, reply.body) == (429, {
        "success": False, "message": sentence, "detail": sentence, "code": "limit.concurrent_jobs",
    })  # fmt: skip
    assert 1 <= int(reply.headers["Retry-After"]) <= 60
    assert (records(cloud), cloud.messages()) == (before, [])


def test_there_is_room_again_when_a_job_has_ended(caller: Callable[..., Caller], cloud: Cloud) -> None:
    call = caller(max_concurrent_jobs=1)
    job_id = call.create().body["download_id"]
    assert call.create().status == 429
    call("DELETE", f"/api/downloads/{job_id}")
    assert call.create().status == 200


def test_over_the_limit_of_the_day_it_is_429_until_midnight_utc(
    caller: Callable[..., Caller], cloud: Cloud, monkeypatch: pytest.MonkeyPatch
) -> None:
    at = at_time(monkeypatch)
    call = caller(max_jobs_per_day=2)
    at(NOW + 3600)
    assert [call.create().status for _ in range(2)] == [200, 200]

    at(NOW + 86_400 - 100)
    reply = call.create()
    assert (reply.status, reply.body["code"]) == (429, "limit.jobs_per_day")
    assert int(reply.headers["Retry-After"]) == 100

    at(NOW + 86_400)
    assert [call.create().status for _ in range(3)] == [200, 200, 429]


def at_time(monkeypatch: pytest.MonkeyPatch) -> Callable[[float], None]:
    """Sets the time at which jobs are asked for."""
    clock = {"now": NOW}
    for use_case in (submit.submit, submit.retry):
        defaults = use_case.__kwdefaults__
        assert defaults is not None
        monkeypatch.setitem(defaults, "clock", lambda: clock["now"])
    return lambda now: clock.update(now=now)


def test_deleting_does_not_give_the_day_back(caller: Callable[..., Caller]) -> None:
    call = caller(max_jobs_per_day=1)
    job_id = call.create().body["download_id"]
    assert call("DELETE", f"/download/{job_id}").status == 200
    assert call.create().body["code"] == "limit.jobs_per_day"


def test_once_the_days_bytes_are_stored_it_is_429(caller: Callable[..., Caller], given: Given) -> None:
    call = caller(max_bytes_per_day=1000)
    given(running)
    assert call.create().status == 200
    given(done)  # stores 1,000 bytes

    reply = call.create()

    assert (reply.status, reply.body["code"]) == (429, "limit.bytes_per_day")
    assert 1 <= int(reply.headers["Retry-After"]) <= 86_400


@pytest.mark.parametrize(
    ("limits", "code"),
    [({"max_concurrent_jobs": 1}, "limit.concurrent_jobs"), ({"max_jobs_per_day": 2}, "limit.jobs_per_day")],
)
def test_a_retry_over_the_limit_is_429_and_the_job_stays_as_it_was(
    caller: Callable[..., Caller], cloud: Cloud, given: Given, limits: dict[str, int], code: str
) -> None:
    job = given(failed)
    given(queued)
    before = records(cloud)
    call = caller(**limits)
    known = records(cloud)

    reply = call("POST", f"/download/{job.id}")

    assert (reply.status, reply.body["code"]) == (429, code)
    assert int(reply.headers["Retry-After"]) >= 1
    assert cloud.store.get("acme", job.id) == job
    assert cloud.messages() == []
    assert records(cloud) == known != before


def test_a_retry_counts_and_takes_on_the_limits_of_its_key(
    caller: Callable[..., Caller], cloud: Cloud, given: Given
) -> None:
    job = given(failed)
    call = caller(max_jobs_per_day=2)
    assert call("POST", f"/download/{job.id}").status == 200
    assert cloud.store.get("acme", job.id).limits == Limits(max_jobs_per_day=2)
    assert call.create().status == 429


@pytest.mark.parametrize(("make", "status"), [(running, 409), (None, 404)])
def test_what_cannot_be_retried_at_all_is_said_before_any_limit(
    caller: Callable[..., Caller], given: Given, make: Any, status: int
) -> None:
    other = given(queued)
    job_id = given(make).id if make else other.id[:-4] + "0000"
    assert caller(max_concurrent_jobs=1)("POST", f"/download/{job_id}").status == status


def test_an_accepted_request_that_is_repeated_is_neither_counted_nor_429(
    caller: Callable[..., Caller], cloud: Cloud
) -> None:
    call = caller(max_jobs_per_day=1, max_concurrent_jobs=1)
    first = call.create(idempotency_key="order-1")
    again = [call.create(idempotency_key="order-1") for _ in range(2)]
    assert [(reply.status, reply.body) for reply in again] == [(200, first.body)] * 2
    assert call.create(idempotency_key="order-2").status == 429
    assert call("POST", "/download", {"url": URL}, idempotency_key="order-1").status == 422
    assert cloud.store.usage("acme", now=time.time()).jobs_today == 1


def test_a_request_that_was_refused_may_be_repeated_when_there_is_room(caller: Callable[..., Caller]) -> None:
    call = caller(max_concurrent_jobs=1)
    job_id = call.create().body["download_id"]
    assert call.create(idempotency_key="order-1").status == 429
    call("DELETE", f"/download/{job_id}")
    reply = call.create(idempotency_key="order-1")
    assert (reply.status, reply.body["download_id"] != job_id) == (200, True)


def test_bad_input_is_400_over_a_limit_too(caller: Callable[..., Caller], given: Given) -> None:
    given(queued)
    reply = caller(max_concurrent_jobs=1)("POST", "/download", {"stream_link": "ftp://media.example/"})
    assert reply.status == 400


def test_a_key_without_limits_is_held_to_none(caller: Callable[..., Caller], given: Given) -> None:
    for _ in range(3):
        given(queued)
    assert caller().create().status == 200


@pytest.mark.parametrize("said", [{"max_jobs_per_day": "many"}, {"max_jobs_per_day": "0"}, {"max_bytes_per_day": 1.5}])
@pytest.mark.parametrize("path", ["/download", "/download/{id}"])
def test_limits_that_cannot_be_read_are_not_taken_for_none(
    api: Api, cloud: Cloud, given: Given, said: dict[str, Any], path: str
) -> None:
    job = given(failed)
    before = records(cloud)
    body = None if "{id}" in path else {"stream_link": URL}
    reply = api("POST", path.replace("{id}", job.id), json_body=body, said=said)
    assert (reply.status, reply.body["code"]) == (503, "service.unavailable")
    assert (records(cloud), cloud.messages()) == (before, [])


def test_counters_that_cannot_be_read_are_not_taken_for_nothing_used(
    caller: Callable[..., Caller], cloud: Cloud
) -> None:
    call = caller(max_concurrent_jobs=1)
    with refused("dynamodb", "TransactGetItems"):
        assert call.create().status == 503
    assert cloud.store.total("acme") == 0
