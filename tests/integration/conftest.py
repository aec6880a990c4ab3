"""The API's functions behind the routes of the template."""

import dataclasses
import importlib
import json
import re
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from infra import openapi
from infra import page as infra_page
from reelhaul.jobs import Job
from tests import canaries
from tests.conftest import Cloud
from tests.events import Context, HttpRequest
from tests.routes import ROUTES


@dataclasses.dataclass(frozen=True)
class Reply:
    status: int
    headers: dict[str, str]
    text: str

    @property
    def body(self) -> Any:
        return json.loads(self.text)


class Api:
    """Calls the function that the template routes a request to."""

    def __call__(self, method: str, path: str, *, json_body: Any = None, **request: Any) -> Reply:
        if json_body is not None:
            request["body"] = json.dumps(json_body)
        return self.send(HttpRequest(method=method, path=path, **request))

    def send(self, request: HttpRequest, *, function: str | None = None, remaining_ms: int = 30_000) -> Reply:
        """`function` sends the request there whatever the routes say."""
        handler = importlib.import_module(f"{function or function_for(request)}.handler").lambda_handler
        reply = handler(request.event(), Context(remaining_ms=remaining_ms))
        assert json.loads(json.dumps(reply)) == reply, "Lambda would change it on its way"
        canaries.assert_none(reply, where=f"the reply to {request.method} {request.path}")
        return Reply(reply["statusCode"], reply["headers"], reply["body"])


def function_for(request: HttpRequest) -> str:
    for route, function in ROUTES.items():
        if re.fullmatch(re.sub(r"\{id\}", "[^/]+", route), f"{request.method} {request.path}"):
            return function
    raise LookupError(f"no route for {request.method} {request.path}")


@pytest.fixture
def api(cloud: Cloud) -> Api:
    return Api()


@pytest.fixture
def given(cloud: Cloud) -> Callable[..., Job]:
    """Stores a job, with its object where it has one: `given(done, name="mine")`."""

    def give(make: Callable[..., Job], **fields: Any) -> Job:
        job = make(**({"now": round(time.time(), 3)} | fields))
        cloud.store.create(job)
        if job.stored is not None:
            cloud.put_object(job.stored.key)
        return job

    return give


class Time:
    """A clock that only sleeping moves on."""

    def __init__(self) -> None:
        self.now, self.naps = 0.0, list[float]()
        self.on_nap: Callable[[], object] = lambda: None

    def clock(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.naps.append(seconds)
        self.now += seconds
        self.on_nap()


Docs = Callable[..., dict[str, Any]]
LINK_ORIGIN = "https://media.example"


@pytest.fixture(scope="module")
def docs(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docs]:
    """The function as it is deployed: with the document beside its handler."""
    folder = tmp_path_factory.mktemp("asset")
    openapi.put_together(folder, max_retention_days=30)
    with _deployed(folder, "docs") as function:
        yield function


@pytest.fixture(scope="module")
def page(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Docs]:
    """The function as it is deployed: with the page's files beside its handler. Links lead to `LINK_ORIGIN`."""
    folder = tmp_path_factory.mktemp("asset")
    infra_page.put_together(folder)
    with _deployed(folder, "page", LINK_ORIGIN=LINK_ORIGIN) as function:
        yield function


@contextmanager
def _deployed(folder: Path, name: str, **env: str) -> Iterator[Docs]:
    with pytest.MonkeyPatch.context() as patch:
        patch.syspath_prepend(str(folder))
        patch.delenv("AWS_ENDPOINT_URL", raising=False)
        for variable, value in env.items():
            patch.setenv(variable, value)
        for module in [module for module in sys.modules if module.partition(".")[0] == name]:
            patch.delitem(sys.modules, module)
        handler = importlib.import_module(f"{name}.handler")
        assert str(folder) in str(handler.__file__)
        yield lambda method, path, **request: dict(
            handler.lambda_handler(HttpRequest(method=method, path=path, tenant=None, **request).event(), Context())
        )
        for module in [module for module in sys.modules if module.partition(".")[0] == name]:
            del sys.modules[module]
