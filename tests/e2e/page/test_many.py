"""A list of 5,000 downloads."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Locator, Page, expect

from tests.e2e import chromium
from tests.e2e.page.conftest import Opened
from tests.e2e.page.visit import button, is_focused_within, resting, row, rows, signed_in
from tests.e2e.running import Client, until
from tests.media import SourceServer

pytestmark = pytest.mark.e2e

MOST_ROWS = 60  # in the document, of all that there are


@pytest.fixture
def page(opened: Opened, many: Client) -> Page:
    return signed_in(opened(viewport={"width": 1100, "height": 900}), many)


def test_only_rows_in_sight_are_in_the_document_and_the_last_can_be_reached(page: Page) -> None:
    expect(page.get_by_text("5,000 downloads")).to_be_visible()
    expect(row(page, "Number 5000")).to_be_visible()
    assert rows(page).count() < MOST_ROWS

    rows(page).first.focus()
    last = row(page, "Number 1.mp4")
    until(lambda: again(page, last, lambda: page.keyboard.press("End")), bool, within_s=chromium.WAIT_MS / 1000)

    expect(last).to_be_focused()
    expect(last).to_be_in_viewport()
    expect(last).to_have_attribute("aria-posinset", "5000")
    expect(last).to_have_attribute("aria-setsize", "5000")
    assert rows(page).count() < MOST_ROWS
    page.keyboard.press("Home")
    expect(row(page, "Number 5000")).to_be_focused()
    page.keyboard.press("ArrowDown")
    expect(row(page, "Number 4999")).to_be_focused()


def again(page: Page, target: Locator, move: Callable[[], object]) -> bool:
    """Whether `target` is in the document by now; else `move` is done once more."""
    if target.count() == 0:
        move()
        page.wait_for_timeout(100)
    return target.count() > 0


def test_search_finds_what_is_on_no_page_yet(page: Page) -> None:
    page.get_by_label("Search").fill("number 1234")

    expect(page.get_by_text("1 found", exact=True)).to_be_visible()
    expect(rows(page)).to_have_count(1)
    expect(row(page, "Number 1234")).to_be_visible()

    page.get_by_label("Search").fill("number 12345")
    expect(page.get_by_text("Nothing here is like that")).to_be_visible()


def test_who_reads_further_down_is_not_moved_by_news_and_keeps_the_focus(
    page: Page, many: Client, source: SourceServer
) -> None:
    expect(row(page, "Number 5000")).to_be_visible()
    held = row(page, "Number 4950")
    until(lambda: again(page, held, lambda: page.mouse.wheel(0, 500)), bool, within_s=chromium.WAIT_MS / 1000)
    held.scroll_into_view_if_needed()
    button(held, "Copy link").focus()
    before = resting(held)

    new = [many.create(source.url(f"status/404?{number}"), name="New") for number in range(3)]
    try:
        expect(page.get_by_text("5,003 downloads")).to_be_visible()

        assert abs(resting(held)["y"] - before["y"]) < 3
        assert is_focused_within(held)
        page.mouse.wheel(0, 30_000)
        expect(held).not_to_be_in_viewport()
        assert is_focused_within(held)  # out of sight, and still where Tab goes on from
    finally:
        for job in new:
            many.call("DELETE", f"/download/{job}")
