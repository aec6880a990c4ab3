import hashlib
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, Playwright

from reelhaul.limits import Limits
from tests.e2e import chromium
from tests.e2e.page.filling import Cloud, fill
from tests.e2e.page.visit import Visit, signed_in
from tests.e2e.running import Client, Service

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


@pytest.fixture(scope="session")
def cloud(service: Service) -> Cloud:
    return Cloud(service)


@pytest.fixture
def new_tenant(cloud: Cloud, service: Service) -> Callable[..., Client]:
    """Makes somebody with an empty list, and the limits that are given."""

    def make(name: str, **limits: int) -> Client:
        return service.client(cloud.new_key(name, Limits(**limits)))

    return make


@pytest.fixture
def tenant(new_tenant: Callable[..., Client], request: pytest.FixtureRequest) -> Client:
    """Of this test alone: none sees what another one has made."""
    return new_tenant(f"t{hashlib.sha256(request.node.name.encode()).hexdigest()[:16]}")


@pytest.fixture
def page(opened: Opened, tenant: Client) -> Page:
    """Of `tenant`, signed in."""
    return signed_in(opened(), tenant)


@pytest.fixture(scope="session")
def many(cloud: Cloud, service: Service) -> Client:
    """Somebody with 5,000 downloads."""
    fill(cloud, "many", 5_000)
    return service.client(cloud.new_key("many", Limits()))
