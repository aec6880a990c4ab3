"""What a visitor of the page does, in the words of the page."""

import re

from playwright.sync_api import ConsoleMessage, Error, FloatRect, Locator, Page, Request, Route, expect

from tests.e2e import chromium
from tests.e2e.running import Client, until

expect.set_options(timeout=chromium.WAIT_MS)
# A browser reports every reply with an error and every lost connection, which tests bring about.
_EXPECTED = re.compile(r"Failed to load resource: (the server responded with a status of 4|net::ERR_)")


class Visit:
    """What came up while the page was visited: what the console complained of, and addresses of other hosts."""

    def __init__(self, origin: str) -> None:
        self.complaints: list[str] = []
        self.elsewhere: list[str] = []
        self._origin = origin

    def watch(self, page: Page) -> None:
        page.on("console", self._console)
        page.on("pageerror", self._error)
        page.on("request", self._request)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type == "error" and not _EXPECTED.match(message.text):
            self.complaints.append(message.text)

    def _error(self, error: Error) -> None:
        self.complaints.append(f"{error}\n{error.stack}")

    def _request(self, request: Request) -> None:
        if not request.url.startswith((f"{self._origin}/", "data:", "blob:")):
            self.elsewhere.append(request.url)


def signed_in(page: Page, client: Client) -> Page:
    page.get_by_label("Access key").fill(str(client.key))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("heading", name="Downloads")).to_be_visible()
    return page


def fetch(page: Page, *addresses: str) -> None:
    """Submit these addresses."""
    box(page).fill("\n".join(addresses))
    page.get_by_role("button", name="Fetch", exact=True).click()


def box(page: Page) -> Locator:
    return page.get_by_label("Addresses to fetch")


def rows(page: Page) -> Locator:
    return page.get_by_role("list", name="Downloads").get_by_role("listitem")


def row(page: Page, title: str) -> Locator:
    """The row with this in its title."""
    return rows(page).filter(has=page.get_by_role("heading", name=title))


def button(row: Locator, name: str) -> Locator:
    return row.get_by_role("button", name=re.compile(f"^{name}: "))


def resting(row: Locator) -> FloatRect:
    """Where it is once it moves no more: scrolling goes on for a while, and so does what comes of it."""

    def twice() -> tuple[FloatRect | None, FloatRect | None]:
        first = row.bounding_box()
        row.page.wait_for_timeout(100)
        return first, row.bounding_box()

    place, _ = until(twice, lambda seen: seen[0] == seen[1] is not None, within_s=chromium.WAIT_MS / 1000)
    assert place is not None
    return place


def holding(page: Page, *addresses: str, method: str | None = None) -> list[Route]:
    """The requests to these that come from now on. They are not answered, but by who finds them here."""
    held: list[Route] = []

    def hold(route: Route) -> None:
        if method in {None, route.request.method}:
            held.append(route)
        else:
            route.continue_()

    page.evaluate(
        "() => { AbortSignal.timeout = () => new AbortController().signal; }"
    )  # the page waits as long as it takes
    for address in addresses:
        page.route(address, hold)
    return held


def said(page: Page) -> Locator:
    """What a screen reader is given to say."""
    return page.locator("[aria-live=polite]")


def is_focused_within(row: Locator) -> bool:
    return bool(row.evaluate("(row) => row.contains(document.activeElement)"))
