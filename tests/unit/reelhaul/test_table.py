"""The table, below what it is used for: what a refusal of DynamoDB means."""

from typing import Any

import pytest
from botocore.exceptions import ClientError

from reelhaul import aws
from reelhaul.errors import Conflict, ServiceUnavailable
from reelhaul.items import Item
from reelhaul.table import Table
from tests.conftest import Cloud
from tests.faults import hooked

HERE = {"pk": "TENANT#acme", "sk": "here"}
THERE = {"pk": "TENANT#acme", "sk": "there"}


@pytest.fixture
def table(cloud: Cloud) -> Table:
    return Table(aws.client("dynamodb"), cloud.table)


def read(table: Table, key: Item) -> Item:
    return table.read(key["pk"], key["sk"])


def cancelled_transaction(*codes: str) -> ClientError:
    reasons = [{"Code": code} for code in codes]
    response: Any = {"Error": {"Code": "TransactionCanceledException"}, "CancellationReasons": reasons}
    return ClientError(response, "TransactWriteItems")


def test_what_is_written_together_is_there_together_or_not_at_all(table: Table) -> None:
    table.write(table.put(HERE | {"n": 1}), table.addition("TENANT#acme", "there", {"n": 5}))
    assert (read(table, HERE)["n"], read(table, THERE)["n"]) == (1, 5)
    with pytest.raises(Conflict):
        table.write(table.put(HERE | {"n": 2}, "#n = :n", {":n": 7}), table.addition("TENANT#acme", "there", {"n": 5}))
    assert (read(table, HERE)["n"], read(table, THERE)["n"]) == (1, 5)


@pytest.mark.parametrize("number", [1, 2])
def test_a_condition_that_does_not_hold_is_a_conflict_alone_and_in_company(table: Table, number: int) -> None:
    table.write(table.put(HERE))
    others = [table.put(THERE)][: number - 1]
    with pytest.raises(Conflict):
        table.write(table.put(HERE, "attribute_not_exists(pk)"), *others)
    with pytest.raises(Conflict):
        table.write(table.removal(HERE["pk"], HERE["sk"], "#n = :n", {":n": 7}), *others)
    assert read(table, HERE) == HERE


def test_names_that_dynamodb_reserves_do_no_harm(table: Table) -> None:
    table.write(table.put(HERE | {"state": "A", "ttl": 1}))
    table.write(table.put(HERE | {"state": "B"}, "#state = :state AND #ttl = :ttl", {":state": "A", ":ttl": 1}))
    assert read(table, HERE) == HERE | {"state": "B"}


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"])
def test_who_comes_at_the_same_time_as_others_waits(table: Table, code: str) -> None:
    tries: list[int] = []

    def busy_twice(**_: Any) -> None:
        tries.append(1)
        if len(tries) <= 2:
            raise cancelled_transaction("None", code)

    with hooked("before-call", "dynamodb", "TransactWriteItems", busy_twice):
        table.write(table.put(HERE), table.put(THERE))
    assert len(tries) == 3
    assert read(table, THERE) == THERE


@pytest.mark.parametrize("code", ["TransactionConflict", "ThrottlingError", "ValidationError"])
def test_a_transaction_that_is_never_let_through_is_no_conflict(table: Table, code: str) -> None:
    def never(**_: Any) -> None:
        raise cancelled_transaction("None", code)

    with hooked("before-call", "dynamodb", "TransactWriteItems", never), pytest.raises(ServiceUnavailable):
        table.write(table.put(HERE), table.put(THERE))
    assert read(table, HERE) == {}
