"""Whose key is it?"""

from typing import Any

import pytest

from authorizer.handler import lambda_handler
from reelhaul import aws
from reelhaul.keys import KeyStore, pepper_from
from reelhaul.limits import Limits
from tests.conftest import Cloud
from tests.events import Context, HttpRequest
from tests.faults import refused

NOBODY = {"isAuthorized": True, "context": {"tenant": ""}}


@pytest.fixture
def keys(cloud: Cloud) -> KeyStore:
    pepper = pepper_from(aws.client("secretsmanager"), cloud.pepper_secret)
    return KeyStore(aws.client("dynamodb"), cloud.table, pepper)


def said_of(headers: dict[str, str]) -> dict[str, Any]:
    request = HttpRequest(method="GET", path="/download", headers=headers)
    return lambda_handler(request.authorizer_event(), Context())


@pytest.mark.parametrize(
    "form",
    [
        {"x-access-token": "{}"},
        {"X-Access-Token": "{}"},
        {"x-access-token": " {} "},
        {"authorization": "Bearer {}"},
        {"Authorization": "bearer   {}"},
        {"authorization": "BEARER {}"},
        {"x-access-token": "{}", "authorization": "Bearer {}"},
        {"x-access-token": "{}", "authorization": "Basic dTpw"},
        {"x-access-token": "", "authorization": "Bearer {}"},
    ],
)
def test_a_valid_key_tells_its_tenant(keys: KeyStore, form: dict[str, str]) -> None:
    text, record = keys.issue("acme")
    assert said_of({name: value.replace("{}", text) for name, value in form.items()}) == {
        "isAuthorized": True, "context": {"tenant": "acme", "key_id": record.id},
    }  # fmt: skip


def test_a_keys_limits_are_handed_on_as_texts(keys: KeyStore) -> None:
    text, record = keys.issue("acme", limits=Limits(max_concurrent_jobs=5, max_bytes_per_day=10**10))
    assert said_of({"x-access-token": text})["context"] == {
        "tenant": "acme", "key_id": record.id, "max_concurrent_jobs": "5", "max_bytes_per_day": "10000000000",
    }  # fmt: skip


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"x-access-token": ""},
        {"x-access-token": "sk-unknown"},
        {"x-access-token": "x" * 9_000},
        {"authorization": "Bearer"},
        {"authorization": "Bearer "},
        {"authorization": "sk-unknown"},
        {"authorization": "Basic sk-unknown"},
    ],
)
def test_everybody_else_is_let_through_as_nobody(keys: KeyStore, headers: dict[str, str]) -> None:
    """The functions answer 401: what the HTTP API says itself is a 403, in another form."""
    assert said_of(headers) == NOBODY


def test_two_different_keys_are_nobodys_even_if_both_are_valid(keys: KeyStore) -> None:
    first, second = keys.issue("acme")[0], keys.issue("acme")[0]
    assert said_of({"x-access-token": first, "authorization": f"Bearer {second}"}) == NOBODY


def test_a_key_under_another_scheme_is_nobodys(keys: KeyStore) -> None:
    text, _ = keys.issue("acme")
    assert said_of({"authorization": f"Basic {text}"}) == NOBODY
    assert said_of({"authorization": text}) == NOBODY


def test_a_revoked_key_is_nobodys_with_the_next_request(keys: KeyStore) -> None:
    text, record = keys.issue("acme")
    assert said_of({"x-access-token": text})["context"]["tenant"] == "acme"
    keys.revoke(record.id)
    assert said_of({"x-access-token": text}) == NOBODY


@pytest.mark.parametrize(("service", "operation"), [("dynamodb", "GetItem"), ("secretsmanager", "GetSecretValue")])
def test_an_outage_of_ours_is_no_wrong_key(keys: KeyStore, service: str, operation: str) -> None:
    text, _ = keys.issue("acme")
    with refused(service, operation):
        said = said_of({"x-access-token": text})
    assert said == {"isAuthorized": True, "context": {"tenant": "", "unavailable": "true"}}


def test_the_log_names_the_key_and_never_shows_it(keys: KeyStore, caplog: pytest.LogCaptureFixture) -> None:
    text, record = keys.issue("acme")
    said_of({"x-access-token": text})
    said_of({"x-access-token": text + "wrong"})
    assert [vars(logged)["key_id"] for logged in caplog.records] == [record.id]
    assert text not in str([vars(logged) for logged in caplog.records])
