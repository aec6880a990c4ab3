"""`/docs` in headless Chromium: Swagger UI with the whole document, and nothing of it from anywhere else."""

import pytest
from playwright.sync_api import BrowserContext

from tests.e2e.running import Client, Service

pytestmark = pytest.mark.e2e


def test_docs_show_every_operation_and_load_from_this_service_alone(
    chromium: BrowserContext, service: Service, client: Client
) -> None:
    paths = client.call("GET", "/openapi.json").json["paths"]
    page = chromium.new_page()
    asked: list[str] = []
    complaints: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    page.on("console", lambda message: complaints.append(message.text) if message.type == "error" else None)
    page.on("pageerror", lambda error: complaints.append(str(error)))

    page.goto(f"{service.url}/docs")
    page.wait_for_selector(".opblock")

    assert page.locator(".opblock").count() == sum(len(methods) for methods in paths.values())
    assert [url for url in asked if not url.startswith((f"{service.url}/", "data:"))] == []
    assert {f"{service.url}/docs", f"{service.url}/openapi.json"} <= set(asked)
    assert complaints == []  # a browser says here what the page's policy did not let it load
    page.close()


def test_docs_can_be_tried_out(chromium: BrowserContext, service: Service) -> None:
    page = chromium.new_page()
    page.goto(f"{service.url}/docs")
    health = page.locator(".opblock", has_text="/health")
    health.locator(".opblock-summary-control").click()
    health.locator("button.try-out__btn").click()
    health.locator("button.execute").click()
    reply = health.locator(".live-responses-table tbody .response-col_status").first
    reply.wait_for()
    assert reply.inner_text().strip().startswith("200")
    page.close()
