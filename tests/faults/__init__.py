"""Faults of AWS, injected from outside the code under test, as hooks of botocore."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from botocore.awsrequest import AWSPreparedRequest
from botocore.exceptions import ClientError, ConnectionClosedError, EndpointConnectionError
from moto.core.models import botocore_stubber

from reelhaul import aws


@contextmanager
def hooked(when: str, service: str, operation: str, act: Callable[..., object]) -> Iterator[None]:
    events, name = aws.client(service).meta.events, f"{when}.{service}.{operation}"
    events.register(name, act)
    try:
        yield
    finally:
        events.unregister(name, act)


@contextmanager
def refused(service: str, operation: str, *, times: int = 1_000) -> Iterator[list[str]]:
    """The first `times` calls are not carried out. Yields a list that grows with every refusal."""
    refusals: list[str] = []

    def refuse(**_: Any) -> None:
        if len(refusals) < times:
            refusals.append(operation)
            raise ClientError({"Error": {"Code": "InternalError", "Message": "not today"}}, operation)

    with hooked("before-call", service, operation, refuse):
        yield refusals


@contextmanager
def reply_lost(service: str, operation: str) -> Iterator[list[str]]:
    """The first call is carried out, and fails all the same on its way back."""
    lost: list[str] = []

    def lose(**_: Any) -> None:
        if not lost:
            lost.append(operation)
            raise EndpointConnectionError(endpoint_url=f"https://{service}")

    with hooked("after-call", service, operation, lose):
        yield lost


@contextmanager
def connection_lost(service: str, operation: str) -> Iterator[list[str]]:
    """The first call is carried out, its connection breaks before the reply, and the SDK sends the very same again."""
    lost: list[str] = []
    events, name = aws.client(service).meta.events, f"before-send.{service}.{operation}"

    def lose(request: AWSPreparedRequest, event_name: str, **_: Any) -> None:
        if not lost:
            lost.append(operation)
            botocore_stubber(event_name, request)
            raise ConnectionClosedError(endpoint_url=request.url)

    events.register_first(name, lose)
    try:
        yield lost
    finally:
        events.unregister(name, lose)


@contextmanager
def meanwhile(service: str, operation: str, act: Callable[[], object]) -> Iterator[None]:
    """Somebody else's `act` comes just before the first call is carried out."""
    acted: list[bool] = []

    def before(**_: Any) -> None:
        if not acted:
            acted.append(True)
            act()

    with hooked("before-call", service, operation, before):
        yield
