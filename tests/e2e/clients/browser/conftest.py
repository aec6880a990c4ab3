import http.server
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import BrowserContext, Page, Playwright

from tests.e2e import chromium as debians

PAGE = Path(__file__).with_name("page.html")


@pytest.fixture(scope="session")
def chromium(playwright: Playwright, tmp_path_factory: pytest.TempPathFactory) -> Iterator[BrowserContext]:
    """With a profile of its own."""
    context = playwright.chromium.launch_persistent_context(
        tmp_path_factory.mktemp("profile"), executable_path=debians.program(), args=debians.ARGUMENTS
    )
    context.set_default_timeout(debians.WAIT_MS)
    yield context
    context.close()


@pytest.fixture(scope="session")
def page_origin() -> Iterator[str]:
    """A web server with nothing but the page, so that the API is on another origin."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _PageHandler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}"
        server.shutdown()
        thread.join()


class _PageHandler(http.server.BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        body = PAGE.read_bytes()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Say nothing."""


@pytest.fixture
def page(chromium: BrowserContext, page_origin: str) -> Iterator[Page]:
    page = chromium.new_page()
    page.goto(page_origin)
    yield page
    page.close()


@pytest.fixture
def saved(chromium: BrowserContext, page: Page, tmp_path: Path) -> Path:
    """Where the browser puts what `page` saves, under the names that it has for them."""
    directory = tmp_path / "saved"
    directory.mkdir()
    behaviour = {"behavior": "allow", "downloadPath": str(directory)}
    chromium.new_cdp_session(page).send("Browser.setDownloadBehavior", behaviour)
    return directory
