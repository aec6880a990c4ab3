"""Between the code and moto: every call to AWS passes here, where faults happen to it and others learn of it.

botocore's clients are real, and so are moto's answers. Calls to DynamoDB are handed to moto as they are rather than as
HTTP, which makes them six times as fast: a model is worth as much as the cases it can look at.
"""

import collections
import copy
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore import xform_name
from botocore.awsrequest import AWSPreparedRequest, AWSResponse
from botocore.compat import HTTPHeaders
from botocore.exceptions import ClientError, EndpointConnectionError
from moto.core.exceptions import ServiceException
from moto.core.models import DEFAULT_ACCOUNT_ID, botocore_stubber
from moto.dynamodb.models import DynamoDBBackend, dynamodb_backends
from moto.dynamodb.models.dynamo_type import Item, LimitedSizeDict
from moto.dynamodb.models.table import Table
from moto.dynamodb.responses import DynamoHandler
from werkzeug.exceptions import HTTPException

from reelhaul import aws
from tests.conftest import REGION
from tests.model.fibers import Fault, Scheduler

_SERVICES = ("dynamodb", "s3", "sqs", "events", "secretsmanager")
_WRITES = ("PutItem", "DeleteItem", "TransactWriteItems")

Wire = dict[str, dict[str, str]]
OnChange = Callable[[Wire | None, Wire | None], None]
OnCall = Callable[[dict[str, Any], dict[str, Any]], None]  # what was asked, what was answered


class Wiring:
    """`on_change` is told of each change of the table, with the item before and after. `on_calls` of other successes.

    `on_visibility(receipt handle, seconds)` stands for SQS's ChangeMessageVisibility, which moto cannot do for messages
    that it did not hand out itself.
    """

    def __init__(
        self,
        scheduler: Scheduler,
        *,
        on_change: OnChange,
        on_calls: dict[str, OnCall],
        on_visibility: Callable[[str, int], None],
    ) -> None:
        self._scheduler = scheduler
        self._on_change = on_change
        self._on_calls = on_calls
        self._on_visibility = on_visibility
        self._pending: dict[int, tuple[Any, Fault | None, list[tuple[Wire, Wire | None]]]] = {}
        self._twice = False

    @contextmanager
    def connected(self) -> Iterator[None]:
        hooks = [("before-call", self._before), ("after-call", self._after), ("before-send", self._again)]
        emitters = [aws.client(service).meta.events for service in _SERVICES]
        for emitter in emitters:
            for name, hook in hooks:
                emitter.register_first(name, hook)
        try:
            yield
        finally:
            for emitter in emitters:
                for name, hook in hooks:
                    emitter.unregister(name, hook)

    # --- hooks of botocore ------------------------------------------------------------------------------------------

    def _before(self, model: Any, params: dict[str, Any], context: dict[str, Any], **_: Any) -> Any:
        fiber, fault = self._scheduler.current, None
        if fiber is not None:
            fault = fiber.before(model.name)
            if fault is Fault.REFUSED:
                raise ClientError({"Error": {"Code": "InternalError", "Message": "not today"}}, model.name)
        asked = _asked(params)
        context["model"] = (asked, fault, [(key, _item(asked, key)) for key in _keys(model.name, asked)])
        if model.name == "ChangeMessageVisibility":
            self._on_visibility(asked["ReceiptHandle"], asked["VisibilityTimeout"])
            return AWSResponse("", 200, HTTPHeaders(), None), {}
        if fault is Fault.SENT_TWICE:
            self._twice = True
            return None
        return _straight(model, asked) if model.service_model.service_name == "dynamodb" else None

    def _after(self, model: Any, http_response: Any, parsed: dict[str, Any], context: dict[str, Any], **_: Any) -> None:
        asked, fault, images = context.pop("model")
        _as_s3_has_it(parsed)
        for key, before in images:
            after = _item(asked, key)
            if before != after:
                self._on_change(before, after)
        if http_response.status_code < 300 and model.name in self._on_calls:
            for _time in range(2 if fault is Fault.SENT_TWICE else 1):
                self._on_calls[model.name](asked, parsed)
        fiber = self._scheduler.current
        if fiber is not None and fault in {Fault.CRASH_AFTER, Fault.PAUSE_AND_CRASH}:
            fiber.die()
        if fault is Fault.REPLY_LOST:
            raise EndpointConnectionError(endpoint_url=f"https://{model.service_model.service_name}")

    def _again(self, request: AWSPreparedRequest, event_name: str, **_: Any) -> None:
        if self._twice:
            self._twice = False
            botocore_stubber(event_name, request)


def _as_s3_has_it(parsed: dict[str, Any]) -> None:
    """S3 shows the checksum of an object that came in parts with their number; moto leaves that out."""
    parts = parsed.get("ETag", "").strip('"').partition("-")[2]
    if parts and "ChecksumSHA256" in parsed:
        parsed["ChecksumSHA256"] += f"-{parts}"


def _asked(params: dict[str, Any]) -> dict[str, Any]:
    """The request, where it is JSON."""
    asked: dict[str, Any] = json.loads(params["body"]) if "X-Amz-Target" in params["headers"] else {}
    return asked


def _keys(operation: str, asked: dict[str, Any]) -> list[Wire]:
    if operation not in _WRITES:
        return []
    transaction = asked.get("TransactItems")
    operations = [asked] if transaction is None else [next(iter(each.values())) for each in transaction]
    found = [each.get("Key") or each["Item"] for each in operations]
    return [{"pk": key["pk"], "sk": key["sk"]} for key in found]


def contents(table: str) -> list[Wire]:
    """Every item of a table. A scan says the same, and takes a hundred times as long."""
    return [item.to_json()["Attributes"] for item in _backend().get_table(table).all_items()]


def _backend() -> DynamoDBBackend:
    return dynamodb_backends[DEFAULT_ACCOUNT_ID][REGION]


def quick_copy(table: Table, _memo: object) -> Table:
    """moto copies its tables for each transaction, and in depth, which takes longer than everything else it does.

    What a transaction changes in place is the attributes of an item.
    """
    copied = copy.copy(table)
    copied.items = collections.defaultdict(dict)
    for partition, found in table.items.items():
        copied.items[partition] = {key: _copied(item) for key, item in found.items()}
    return copied


def _copied(item: Item) -> Item:
    copied = copy.copy(item)
    copied.attrs = LimitedSizeDict()
    copied.attrs.update(item.attrs)
    return copied


def _item(asked: dict[str, Any], key: Wire) -> Wire | None:
    table = asked.get("TableName") or next(iter(asked["TransactItems"][0].values()))["TableName"]
    item = _backend().get_item(table, key)
    return None if item is None else item.to_json()["Attributes"]


def _straight(model: Any, asked: dict[str, Any]) -> Any:
    """moto's answer, or `None` for the usual way: also for an error, whose form is made there. It changes nothing."""
    handler = DynamoHandler()
    handler.region, handler.current_account = REGION, DEFAULT_ACCOUNT_ID
    handler.body = handler.params = asked
    handler.headers, handler.response_headers = {}, {}
    try:
        answer = getattr(handler, xform_name(model.name))()
    except (ServiceException, HTTPException):
        return None
    return AWSResponse("", 200, HTTPHeaders(), None), dict(answer.result)
