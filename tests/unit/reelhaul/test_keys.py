"""Access keys: issue, verify, revoke."""

import dataclasses
import functools
import hmac
from contextlib import suppress
from typing import Any

import boto3
import pytest

from reelhaul import aws
from reelhaul.errors import InvalidRequest, KeyNotFound, ServiceUnavailable, Unauthorized
from reelhaul.keys import KeyStore, pepper_from
from reelhaul.limits import Limits
from tests.canaries import PEPPER
from tests.conftest import Cloud
from tests.faults import hooked, meanwhile, refused


class Clock:
    now = 1_000_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def keys(cloud: Cloud, clock: Clock) -> KeyStore:
    return KeyStore(aws.client("dynamodb"), cloud.table, lambda: b"pepper", clock=clock)


def test_an_issued_key_tells_its_tenant(keys: KeyStore) -> None:
    text, record = keys.issue("acme", label="laptop")
    assert text.startswith("sk-")
    assert keys.verify(text) == record
    assert (record.tenant, record.label) == ("acme", "laptop")


def test_two_keys_of_one_tenant_differ(keys: KeyStore) -> None:
    assert keys.issue("acme")[0] != keys.issue("acme")[0]


@pytest.mark.parametrize("key", ["", "sk-unknown", "x" * 10_000, "ключ", "sk-\ud800", "sk-a\r\nb", "sk- "])
def test_an_unknown_key_is_unauthorized(keys: KeyStore, key: str) -> None:
    with pytest.raises(Unauthorized):
        keys.verify(key)


def test_a_revoked_key_is_unauthorized_from_the_next_request_on(keys: KeyStore) -> None:
    text, record = keys.issue("acme")
    keys.revoke(record.id)
    with pytest.raises(Unauthorized):
        keys.verify(text)


class Steps:
    """Counts what a look at a key does. `hmac` is what `reelhaul.keys` calls by that name."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    def new(self, *arguments: Any) -> Any:
        self.taken.append("hash")
        return hmac.new(*arguments)

    def compare_digest(self, *arguments: Any) -> bool:
        self.taken.append("compare")
        return hmac.compare_digest(*arguments)


def test_an_unknown_key_takes_the_same_steps_as_a_known_one(
    keys: KeyStore, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, unknown = keys.issue("acme")[0], "sk-" + "x" * 43
    (revoked, record), (expired, _) = keys.issue("acme"), keys.issue("acme", expires_at=int(clock.now) - 1)
    keys.revoke(record.id)
    steps: dict[str, list[str]] = {}
    for key in (known, unknown, revoked, expired):
        counted = Steps()
        monkeypatch.setattr("reelhaul.keys.hmac", counted)
        read = functools.partial(counted.taken.append, "read")
        with hooked("before-call", "dynamodb", "GetItem", lambda read=read, **_: read()), suppress(Unauthorized):
            keys.verify(key)
        steps[key] = counted.taken
    assert set(map(tuple, steps.values())) == {("hash", "read", "compare")}


def test_a_record_that_is_another_keys_opens_nothing(keys: KeyStore, cloud: Cloud) -> None:
    """Whatever has put it in that place: the place alone proves nothing."""
    text, record = keys.issue("acme")
    aws.client("dynamodb").update_item(
        TableName=cloud.table, Key={"pk": {"S": f"KEY#{record.hash}"}, "sk": {"S": "KEY"}},
        UpdateExpression="SET #hash = :other", ExpressionAttributeNames={"#hash": "hash"},
        ExpressionAttributeValues={":other": {"S": "f" * 64}},
    )  # fmt: skip
    with pytest.raises(Unauthorized):
        keys.verify(text)


def test_revoking_twice_keeps_the_first_time(keys: KeyStore, clock: Clock) -> None:
    _, record = keys.issue("acme")
    first = keys.revoke(record.id)
    clock.now += 100
    assert keys.revoke(record.id) == first


def test_a_revoked_key_does_not_come_back(keys: KeyStore) -> None:
    _, record = keys.issue("acme", key="sk-test-0123456789")
    keys.revoke(record.id)
    with pytest.raises(InvalidRequest, match="revoked"):
        keys.issue("acme", key="sk-test-0123456789")
    with pytest.raises(Unauthorized):
        keys.verify("sk-test-0123456789")


def test_an_unknown_key_cannot_be_revoked(keys: KeyStore) -> None:
    with pytest.raises(KeyNotFound):
        keys.revoke("key-unknown")


def test_a_key_expires_to_the_second(keys: KeyStore, clock: Clock) -> None:
    text, _ = keys.issue("acme", expires_at=int(clock.now) + 10)
    clock.now += 9
    keys.verify(text)
    clock.now += 1
    with pytest.raises(Unauthorized):
        keys.verify(text)


def test_a_key_brought_along_works_and_can_be_issued_again(keys: KeyStore) -> None:
    first = keys.issue("acme", key="sk-test-0123456789")[1]
    again = keys.issue("acme", key="sk-test-0123456789", label="again")[1]
    assert first.id == again.id
    assert keys.verify("sk-test-0123456789").label == "again"
    assert len(keys.list()) == 1


def test_a_key_belongs_to_one_tenant(keys: KeyStore) -> None:
    keys.issue("acme", key="sk-test-0123456789")
    with pytest.raises(InvalidRequest) as caught:
        keys.issue("umbrella", key="sk-test-0123456789")
    assert caught.value.field == "key"


@pytest.mark.parametrize("label", ["x" * 101, "red\x1b[31m"])
def test_a_label_that_would_spoil_the_list_is_refused(keys: KeyStore, label: str) -> None:
    with pytest.raises(InvalidRequest) as refused_with:
        keys.issue("acme", label=label)
    assert refused_with.value.field == "label"


@pytest.mark.parametrize(
    "key", ["short", "sk-with space-0123456789", "sk-ключ-0123456789", "x" * 201, "sk-\n0123456789abc"]
)
def test_a_key_of_the_wrong_form_is_refused(keys: KeyStore, key: str) -> None:
    with pytest.raises(InvalidRequest):
        keys.issue("acme", key=key)


@pytest.mark.parametrize("tenant", ["", "Acme", "a/b", "-acme", "a" * 41, "acme#done", "ä"])
def test_a_tenant_of_the_wrong_form_is_refused(keys: KeyStore, tenant: str) -> None:
    """It becomes part of partition keys and object keys."""
    with pytest.raises(InvalidRequest) as caught:
        keys.issue(tenant)
    assert caught.value.field == "tenant"


def test_the_list_is_oldest_first_and_keeps_revoked_keys(keys: KeyStore, clock: Clock) -> None:
    first = keys.issue("acme")[1]
    clock.now += 1
    second = keys.issue("umbrella")[1]
    keys.revoke(first.id)
    assert [(record.id, record.revoked_at is not None) for record in keys.list()] == [
        (first.id, True), (second.id, False),
    ]  # fmt: skip


def test_the_table_holds_no_key(keys: KeyStore, cloud: Cloud) -> None:
    text, _ = keys.issue("acme")
    everything = boto3.client("dynamodb").scan(TableName=cloud.table)
    assert text not in str(everything)
    assert text.removeprefix("sk-") not in str(everything)


def test_another_pepper_knows_no_key(keys: KeyStore, cloud: Cloud) -> None:
    text, _ = keys.issue("acme")
    with pytest.raises(Unauthorized):
        KeyStore(aws.client("dynamodb"), cloud.table, lambda: b"another").verify(text)


def test_a_table_that_cannot_be_read_is_not_mistaken_for_a_wrong_key(keys: KeyStore) -> None:
    text, _ = keys.issue("acme")
    with refused("dynamodb", "GetItem"), pytest.raises(ServiceUnavailable):
        keys.verify(text)


def test_the_pepper_is_read_once(cloud: Cloud) -> None:
    reads: list[str] = []
    pepper = pepper_from(aws.client("secretsmanager"), cloud.pepper_secret)
    with hooked("before-call", "secretsmanager", "GetSecretValue", lambda **_: reads.append("read")):
        assert pepper() == pepper() == PEPPER.encode()
    assert reads == ["read"]


# --- what a key allows -----------------------------------------------------------------------------------------------

ALL = Limits(max_concurrent_jobs=5, max_jobs_per_day=100, max_bytes_per_day=10**10)


def test_a_keys_limits_are_known_with_it(keys: KeyStore) -> None:
    text, record = keys.issue("acme", limits=ALL)
    assert keys.verify(text).limits == ALL
    assert [known.limits for known in keys.list()] == [ALL]
    assert keys.revoke(record.id).limits == ALL


def test_a_key_made_without_limits_has_none(keys: KeyStore) -> None:
    assert not keys.verify(keys.issue("acme")[0]).limits


def test_the_same_key_made_anew_keeps_its_limits_unless_there_are_others(keys: KeyStore) -> None:
    keys.issue("acme", key="sk-chosen-1", limits=ALL)
    assert keys.issue("acme", key="sk-chosen-1")[1].limits == ALL
    assert keys.issue("acme", key="sk-chosen-1", limits=Limits(max_jobs_per_day=1))[1].limits.max_jobs_per_day == 1
    assert not keys.issue("acme", key="sk-chosen-1", limits=Limits())[1].limits


def test_limits_are_changed_from_the_next_request_on(keys: KeyStore) -> None:
    text, record = keys.issue("acme", label="laptop", limits=ALL)
    changed = keys.limit(record.id, lambda limits: dataclasses.replace(limits, max_jobs_per_day=None))
    assert changed == dataclasses.replace(record, limits=dataclasses.replace(ALL, max_jobs_per_day=None))
    assert keys.verify(text) == changed
    assert keys.list() == [changed]


def test_limits_of_no_key_cannot_be_changed(keys: KeyStore) -> None:
    with pytest.raises(KeyNotFound):
        keys.limit("key-0123456789ab", lambda _: ALL)


def test_a_revoked_key_is_not_limited_back_to_life(keys: KeyStore) -> None:
    text, record = keys.issue("acme")
    with (
        meanwhile("dynamodb", "TransactWriteItems", lambda: keys.revoke(record.id)),
        pytest.raises(InvalidRequest, match="revoked"),
    ):
        keys.limit(record.id, lambda _: ALL)
    with pytest.raises(Unauthorized):
        keys.verify(text)


def test_limits_out_of_range_change_nothing(keys: KeyStore) -> None:
    text, record = keys.issue("acme", limits=ALL)
    with pytest.raises(InvalidRequest, match="max_jobs_per_day"):
        keys.limit(record.id, lambda _: Limits(max_jobs_per_day=0))
    with pytest.raises(InvalidRequest, match="max_jobs_per_day"):
        keys.issue("acme", limits=Limits(max_jobs_per_day=0))
    assert keys.list() == [keys.verify(text)] == [record]


def test_what_a_newer_version_says_of_a_key_is_left_out(keys: KeyStore, cloud: Cloud) -> None:
    text, record = keys.issue("acme", limits=ALL)
    aws.client("dynamodb").update_item(
        TableName=cloud.table, Key={"pk": {"S": f"KEY#{record.hash}"}, "sk": {"S": "KEY"}},
        UpdateExpression="SET max_colours = :seven", ExpressionAttributeValues={":seven": {"N": "7"}},
    )  # fmt: skip
    assert keys.verify(text) == record
