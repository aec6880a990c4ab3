import re
import subprocess
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright

from tests.e2e import chromium
from tests.e2e.page.filling import fill
from tests.e2e.page.visit import Visit, signed_in
from tests.e2e.running import REELHAUL, Client, Service

Opened = Callable[..., Page]


@pytest.fixture(scope="session")
def browser(playwright: Playwright) -> Iterator[Browser]:
    browser = playwright.chromium.launch(executable_path=chromium.program(), args=chromium.ARGUMENTS)
    yield browser
    browser.close()


@pytest.fixture
def opened(browser: Browser, service: Service) -> Iterator[Opened]:
    """Opens the page in a window of its own, with what Playwright calls the context's options.

    At the end nothing of it may have been refused by the page's own policy, and nothing come from elsewhere.
    """
    contexts = []
    visit = Visit(service.url)

    def open_page(**options: Any) -> Page:
        context = browser.new_context(**options)
        context.set_default_timeout(chromium.WAIT_MS)
        contexts.append(context)
        context.on("page", visit.watch)
        page = context.new_page()
        page.goto(service.url)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert visit.complaints == []
    assert visit.elsewhere == []


@pytest.fixture
def tenant(service: Service, request: pytest.FixtureRequest) -> Client:
    """Somebody with an empty list: no test sees what another one has made."""
    name = re.sub(r"[^a-z0-9]+", "-", request.node.name.removeprefix("test_").lower())[:40].strip("-")
    return new_tenant(service, name)


def new_tenant(service: Service, name: str, *limits: str) -> Client:
    command = [REELHAUL, "keys", "create", "--tenant", name, *limits, "--local", service.url]
    return service.client(subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip())


@pytest.fixture
def page(opened: Opened, tenant: Client) -> Page:
    """Of `tenant`, signed in."""
    return signed_in(opened(), tenant)


@pytest.fixture(scope="session")
def many(service: Service) -> Client:
    """Somebody with 5,000 downloads."""
    client = new_tenant(service, "many")
    fill(service, "many", 5_000)
    return client
