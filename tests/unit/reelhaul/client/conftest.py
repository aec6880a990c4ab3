import asyncio
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from reelhaul.client import AsyncClient, Client
from tests import canaries
from tests.serving import Server

KEY = f"sk-{canaries.MARK}-0123456789"
Call = Callable[[Callable[[Any], Any]], Any]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture(params=["sync", "async"])
def call(request: pytest.FixtureRequest, server: Server) -> Call:
    """Calls a client at `server`, of one kind and of the other, as in `call(lambda client: client.job(id))`."""

    def synchronous(what: Callable[[Any], Any]) -> Any:
        with Client(server.url, KEY) as client:
            return what(client)

    def asynchronous(what: Callable[[Any], Any]) -> Any:
        async def run() -> Any:
            async with AsyncClient(server.url, KEY) as client:
                return await what(client)

        return asyncio.run(run())

    return synchronous if request.param == "sync" else asynchronous
