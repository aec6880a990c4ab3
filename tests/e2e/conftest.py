from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Playwright, sync_playwright

from tests.e2e.running import Client, Service, serve
from tests.media import SourceServer, make_media


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SourceServer]:
    """A source on this machine that the service may fetch from."""
    with SourceServer(make_media(tmp_path_factory.mktemp("media"))) as server:
        yield server


@pytest.fixture(scope="session")
def service(source: SourceServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    data: Path = tmp_path_factory.mktemp("service") / "data"
    with serve(data, "--allow-origin", source.origin) as running:
        yield running


@pytest.fixture
def client(service: Service) -> Client:
    return service.client()


@pytest.fixture(scope="session")
def playwright() -> Iterator[Playwright]:
    """One for all: a thread cannot have two."""
    with sync_playwright() as started:
        yield started
