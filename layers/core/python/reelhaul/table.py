"""The table in DynamoDB, below what it is used for: conditional writes that hold together, and queries.

botocore's errors are translated here, once: a condition that does not hold is `Conflict`, everything else
`ServiceUnavailable`. The keys of every item are `pk` and `sk`.
"""

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, TypeVar

from botocore.exceptions import ClientError

from reelhaul.aws import error_code, translated
from reelhaul.errors import Conflict, ServiceUnavailable
from reelhaul.items import Item, from_wire, to_wire

_MAX_TRIES = 8
_WAIT_S = 0.05  # up to this, doubled with each try, between two that write the same item at once
_BUSY = frozenset({"TransactionConflict", "ThrottlingError", "ProvisionedThroughputExceeded"})  # reasons to wait

Operation = dict[str, Any]  # a member of TransactItems
T = TypeVar("T")


class Table:
    """`client` is a boto3 DynamoDB client. In conditions `#name` and `:name` stand for an attribute and its value."""

    def __init__(self, client: Any, name: str) -> None:
        self._client = client
        self._name = name

    def read(self, partition: str, sort_key: str) -> Item:
        """The item as it is now, empty where there is none."""
        key = to_wire({"pk": partition, "sk": sort_key})
        with translated():
            reply = self._client.get_item(TableName=self._name, Key=key, ConsistentRead=True)
        return from_wire(reply.get("Item", {}))

    def snapshot(self, *places: tuple[str, str]) -> list[Item]:
        """The items at these partitions and sort keys as they are at one moment: of a transaction all is seen or none.

        That is more than one consistent read after the other, or a query, would give.
        """
        keys = [to_wire({"pk": partition, "sk": sort_key}) for partition, sort_key in places]
        gets = [{"Get": {"TableName": self._name, "Key": key}} for key in keys]
        reply = _patiently(lambda: self._client.transact_get_items(TransactItems=gets))
        return [from_wire(response.get("Item", {})) for response in reply["Responses"]]

    def query(self, query: Mapping[str, Any], *, page_size: int) -> Iterator[Item]:
        """Everything that `query` finds, read as it is consumed. Its expression's values are plain."""
        sent = {**query, "ExpressionAttributeValues": to_wire(query["ExpressionAttributeValues"])}
        paginator = self._client.get_paginator("query")
        pages = paginator.paginate(TableName=self._name, **sent, PaginationConfig={"PageSize": page_size})
        with translated():
            for page in pages:
                yield from map(from_wire, page["Items"])

    # --- writing: all operations of one call or none ------------------------------------------------------------------

    def write(self, *operations: Operation) -> None:
        """Raises `Conflict` for a condition that does not hold.

        Of two transactions that come to one item at once DynamoDB refuses one: that is waited out.
        """
        _patiently(lambda: self._carry_out(operations))

    def put(self, item: Item, condition: str = "", values: Item | None = None) -> Operation:
        """Store `item` in the place of what was there, if `condition` holds for that."""
        return {"Put": {"TableName": self._name, "Item": to_wire(item), **_conditioned(condition, values or {})}}

    def removal(self, partition: str, sort_key: str, condition: str = "", values: Item | None = None) -> Operation:
        key = to_wire({"pk": partition, "sk": sort_key})
        return {"Delete": {"TableName": self._name, "Key": key, **_conditioned(condition, values or {})}}

    def addition(
        self, partition: str, sort_key: str, steps: Mapping[str, int], *, dropped: Sequence[str] = ()
    ) -> Operation:
        """Add to numbers, which begin at 0 where there are none yet. The attributes in `dropped` go."""
        expression = "ADD " + ", ".join(f"#{name} :{name}" for name in steps)
        expressed = _expressed({f":{name}": step for name, step in steps.items()})
        if dropped:
            expression += " REMOVE " + ", ".join(f"#{name}" for name in dropped)
            expressed["ExpressionAttributeNames"] |= {f"#{name}": name for name in dropped}
        key = to_wire({"pk": partition, "sk": sort_key})
        return {"Update": {"TableName": self._name, "Key": key, "UpdateExpression": expression, **expressed}}

    def _carry_out(self, operations: tuple[Operation, ...]) -> None:
        if len(operations) > 1:
            self._client.transact_write_items(TransactItems=operations)
        elif "Put" in operations[0]:
            self._client.put_item(**operations[0]["Put"])  # half the price of a transaction
        else:
            self._client.delete_item(**operations[0]["Delete"])


def pause(attempt: int, *, most_s: float = 60) -> None:
    """Wait a little before another try, the `attempt`th, so that those who got in each other's way part."""
    time.sleep(random.uniform(0, min(most_s, _WAIT_S * 2**attempt)))  # noqa: S311 - spreads load, protects nothing


def _patiently(act: Callable[[], T]) -> T:
    for attempt in range(_MAX_TRIES):
        try:
            with _conditional():
                return act()
        except _Contention:
            pause(attempt)
    raise ServiceUnavailable


class _Contention(Exception):
    """Others write too much at once, or the same. The SDK does not wait that out for transactions."""


@contextmanager
def _conditional() -> Iterator[None]:
    with translated():
        try:
            yield
        except ClientError as error:
            reasons = [str(reason.get("Code")) for reason in error.response.get("CancellationReasons", [])]
            if error_code(error) == "ConditionalCheckFailedException" or "ConditionalCheckFailed" in reasons:
                raise Conflict from error
            if not _BUSY.isdisjoint(reasons) or error_code(error) == "TransactionConflictException":
                raise _Contention from error
            raise


def _conditioned(condition: str, values: Item) -> dict[str, Any]:
    return {"ConditionExpression": condition, **_expressed(values)} if condition else {}


def _expressed(values: Item) -> dict[str, Any]:
    """The names and values of an expression; each name is its value's, so that none is a reserved word."""
    if not values:
        return {}
    names = {f"#{name[1:]}": name[1:] for name in values}
    return {"ExpressionAttributeNames": names, "ExpressionAttributeValues": to_wire(values)}
