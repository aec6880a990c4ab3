"""Links to files: as good as is said, and asked for anew where one is used up."""

from typing import Any

import pytest
from playwright.sync_api import Page, Route, expect

from tests.e2e.page.visit import button, row, said
from tests.e2e.running import Client
from tests.media import SourceServer

pytestmark = pytest.mark.e2e

_LISTEN = """(said) => {
    window.heard = false;
    const listen = () => { window.heard ||= said.textContent !== ''; };
    new MutationObserver(listen).observe(said, { childList: true, characterData: true, subtree: true });
}"""


@pytest.fixture
def job(page: Page, tenant: Client, source: SourceServer) -> str:
    """One that is done, with its image in sight."""
    made = tenant.create(source.url("clip.mp4"), name="Film")
    expect(row(page, "Film").locator("img")).to_be_visible()
    return made


def with_link(page: Page, job: str, links: list[str | None]) -> None:
    """Have the service name these links one after the other; `None` is its own. Once they are gone there is none."""

    def answer(route: Route) -> None:
        reply: dict[str, Any] = route.fetch().json()
        own = reply["data"].pop("download_url")
        if links:
            reply["data"]["download_url"] = links.pop(0) or own
        route.fulfill(json=reply)

    page.route(f"**/download/{job}", answer)


def test_link_that_is_copied_is_a_new_one_each_time(page: Page, job: str) -> None:
    page.context.grant_permissions(["clipboard-write"])
    for _ in range(2):
        said(page).evaluate(_LISTEN)
        with page.expect_request(f"**/download/{job}"):
            row(page, "Film").get_by_role("button", name="link").or_(
                row(page, "Film").get_by_role("button", name="Copied")
            ).click()
        expect(said(page)).to_contain_text("The link was copied")
        page.wait_for_function(
            "() => window.heard"
        )  # also for the second time: it has changed, else it would not be read out


def test_file_that_is_gone_meanwhile_is_told_wherever_it_is_wanted(page: Page, job: str) -> None:
    film, address = row(page, "Film"), page.url
    with_link(page, job, [])

    for wanted in ("Download", "Copy link"):
        button(film, wanted).click()
        expect(film).to_contain_text("no file to hand out")
        button(film, "Delete").click()  # what is told stays until something else is tried
        page.get_by_role("dialog").get_by_role("button", name="Keep").click()
    button(film, "Play").click()

    expect(film.get_by_role("alert")).to_contain_text("Retry fetches it again")
    expect(film).not_to_contain_text("Opening")
    assert page.url == address


def test_player_takes_another_link_before_it_gives_up(page: Page, job: str, tenant: Client) -> None:
    film = row(page, "Film")
    with_link(page, job, [f"{tenant.url}/nothing/at-all.mp4", None])

    button(film, "Play").click()

    video = film.locator("video")
    expect(video).to_have_js_property("videoWidth", 320)
    button(film, "Close the player").click()
    with_link(page, job, [f"{tenant.url}/nothing/at-all.mp4"] * 2)
    button(film, "Play").click()
    expect(film.get_by_role("alert")).to_contain_text("cannot play the file")


def test_player_goes_with_its_file(page: Page, job: str, tenant: Client) -> None:
    """And does not begin to play by itself once there is one again."""
    film = row(page, "Film")
    button(film, "Play").click()
    expect(film.locator("video")).to_be_visible()
    expired = {
        **tenant.job(job),
        "status": "error",
        "error_code": "file.expired",
        "error": "It is gone.",
    }
    expired.pop("download_url")
    page.route(f"**/download/{job}", lambda route: route.fulfill(json={"success": True, "data": expired}))

    button(film, "Download").click()

    expect(film).to_contain_text("No longer kept")
    expect(film.locator("video")).to_have_count(0)
    expect(button(film, "Play")).to_have_count(0)
    page.get_by_text("Failed", exact=True).click()
    expect(film).to_have_count(0)  # nothing went wrong with it
