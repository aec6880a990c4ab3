"""The page is for everybody: with a keyboard, a screen reader, on a phone, in the dark, without motion."""

import json
from typing import Any

import pytest
from playwright.sync_api import Page, expect

from infra import npm
from infra.local.processes import ROOT
from tests.e2e.page.conftest import Opened
from tests.e2e.page.visit import box, button, fetch, row, rows, signed_in
from tests.e2e.running import Client, until
from tests.media import SourceServer

pytestmark = pytest.mark.e2e

PHONE: dict[str, Any] = {"viewport": {"width": 320, "height": 640}, "has_touch": True, "is_mobile": True}
# A row that has the focus shows it on the card in it.
_OUTLINE = "(each) => getComputedStyle(each.matches('li') ? each.firstElementChild : each).outlineStyle"
_SPACE_BELOW = """() => {
    const list = document.querySelector('.list');
    const ends = [...list.children].map((row) => row.getBoundingClientRect().bottom);
    return list.getBoundingClientRect().bottom - Math.max(...ends);
}"""
_RULES = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"]


@pytest.fixture(scope="session")
def axe() -> str:
    """The program that looks for violations, as npm has it."""
    return (npm.installed(ROOT / "tests/e2e/page/axe") / "axe-core" / "axe.min.js").read_text()


def violations(page: Page, axe: str) -> list[str]:
    """Run as a browser's own tools are, which the page's policy does not bind."""
    tools = page.context.new_cdp_session(page)
    options = json.dumps({"runOnly": _RULES, "resultTypes": ["violations"]})
    program = f"{axe};axe.run(document, {options}).then((found) => JSON.stringify(found.violations))"
    reply = tools.send("Runtime.evaluate", {"expression": program, "awaitPromise": True, "returnByValue": True})
    assert "exceptionDetails" not in reply, reply
    found = json.loads(reply["result"]["value"])
    return [f"{each['id']}: {node['html'][:200]}: {node['failureSummary']}" for each in found for node in each["nodes"]]


def states(page: Page, client: Client, source: SourceServer) -> None:
    """A list with something of each kind in it."""
    for path, name in (("clip.mp4", "Done"), ("status/404", "Failed"), ("feed/3", "List")):
        client.ended(client.create(source.url(path), name=name))
    client.create(source.url("slow/clip.mp4?rate=1500"), name="Slow")
    expect(row(page, "Slow")).to_contain_text("Fetching")
    expect(row(page, "Done").locator("img")).to_be_visible()


@pytest.mark.parametrize("options", [{}, {**PHONE, "color_scheme": "dark"}])
def test_axe_finds_nothing_in_any_state(
    opened: Opened, tenant: Client, source: SourceServer, axe: str, options: dict[str, Any]
) -> None:
    page = opened(reduced_motion="reduce", **options)
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("Enter your access key")
    assert violations(page, axe) == []

    signed_in(page, tenant)
    assert violations(page, axe) == []

    states(page, tenant, source)
    page.get_by_text("More options").click()
    page.get_by_label("Clip to").fill("never")
    fetch(page, "no address")
    button(row(page, "List"), "Show items").click()
    button(row(page, "Done"), "Play").click()
    expect(row(page, "Done").locator("video")).to_be_visible()
    assert violations(page, axe) == []

    button(row(page, "Failed"), "Delete").click()
    expect(page.get_by_role("dialog")).to_be_visible()
    assert violations(page, axe) == []


def test_axe_finds_what_there_is(opened: Opened, axe: str) -> None:
    page = opened()
    page.evaluate("document.querySelector('main').append(document.createElement('button'))")

    assert [found.partition(":")[0] for found in violations(page, axe)] == ["button-name"]


def test_phone_needs_no_scrolling_sideways_and_has_targets_for_fingers(
    opened: Opened, tenant: Client, source: SourceServer
) -> None:
    page = signed_in(opened(**PHONE), tenant)
    states(page, tenant, source)
    page.get_by_text("More options").click()
    button(row(page, "Done"), "Play").click()
    expect(row(page, "Done").locator("video")).to_be_visible()

    assert page.evaluate("document.documentElement.scrollWidth") == 320
    # The list ends where its last row does, once all of its rows have been measured.
    until(lambda: page.evaluate(_SPACE_BELOW), lambda space: abs(space) < 40, within_s=60)
    small = page.evaluate(
        """[...document.querySelectorAll('button, select, summary, textarea, input:not([type=radio]), .switch label')]
            .map((each) => [each.outerHTML.slice(0, 90), each.getBoundingClientRect()])
            .filter(([, box]) => box.height > 0 && (box.height < 44 || box.width < 44)).map(([html]) => html)"""
    )
    assert small == []


def test_everything_can_be_done_with_the_keyboard_alone(opened: Opened, tenant: Client, source: SourceServer) -> None:
    page = opened()
    page.keyboard.type(str(tenant.key))  # the field has the focus
    page.keyboard.press("Enter")
    expect(box(page)).to_be_focused()  # it goes on where the next thing is done, and not at the top of the page
    tab_to(page, box(page))
    page.keyboard.type(source.url("status/404"))
    page.keyboard.press("Control+Enter")
    expect(rows(page).first).to_contain_text("Failed")

    page.keyboard.press("Shift+Tab")
    tab_to(page, rows(page).first)
    tab_to(page, button(rows(page).first, "Delete"))
    page.keyboard.press("Enter")
    expect(page.get_by_role("dialog").get_by_role("button", name="Keep")).to_be_focused()
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")

    expect(rows(page)).to_have_count(0)
    expect(page.get_by_role("heading", name="Downloads")).to_be_focused()


def tab_to(page: Page, target: Any) -> None:
    for _ in range(40):
        if target.evaluate("(element) => element === document.activeElement"):
            assert target.evaluate(_OUTLINE) != "none"  # who cannot see where the focus is cannot use it
            return
        page.keyboard.press("Tab")
    raise AssertionError("Tab does not lead there.")


@pytest.mark.parametrize(("motion", "moves"), [("no-preference", True), ("reduce", False)])
def test_bar_of_a_job_that_waits_moves_but_for_who_wants_no_motion(
    opened: Opened, tenant: Client, source: SourceServer, *, motion: Any, moves: bool
) -> None:
    page = signed_in(opened(reduced_motion=motion), tenant)
    moved = _motions(page)
    fetch(page, source.url("slow/clip.mp4?rate=1500"))
    expect(rows(page).first).to_contain_text("Fetching")
    button(rows(page).first, "Cancel").click()
    expect(rows(page).first).to_contain_text("Cancelled")

    assert ("passing" in moved) == moves
    assert moves or moved == []


def _motions(page: Page) -> list[str]:
    """The names of all animations and transitions that begin from now on; a bar's own parts are told here alone."""
    moved: list[str] = []
    tools = page.context.new_cdp_session(page)
    tools.on("Animation.animationStarted", lambda event: moved.append(event["animation"]["name"]))
    tools.send("Animation.enable")
    return moved


def test_rows_tell_a_screen_reader_what_and_where_they_are(page: Page, tenant: Client, source: SourceServer) -> None:
    states(page, tenant, source)
    slow = row(page, "Slow")
    assert slow.get_attribute("aria-posinset") == "1"
    assert slow.get_attribute("aria-setsize") == str(rows(page).count())
    expect(page.get_by_role("listitem", name="Slow")).to_have_count(1)
    expect(page.get_by_role("progressbar", name="Slow")).to_have_count(1)
    names = [each.get_attribute("aria-label") for each in row(page, "Done").get_by_role("button").all()]
    assert names == [f"{what}: Done.mp4" for what in ("Play", "Download", "Copy link", "Delete")]
