"""One tab, and one person after the other: what is of the one is nothing to the next."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, expect

from tests.e2e.page.visit import box, button, fetch, holding, row, rows, said, signed_in
from tests.e2e.running import Client, Service
from tests.media import SourceServer

pytestmark = pytest.mark.e2e


def sign_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out").click()
    expect(page.get_by_label("Access key")).to_be_focused()


def test_next_user_sees_nothing_of_what_the_last_one_did(page: Page, service: Service) -> None:
    page.get_by_text("More options").click()
    page.get_by_label("Name of the file").fill("A secret")
    box(page).fill("https://example.com/half-typ")
    page.get_by_label("Search").fill("my search")
    page.get_by_text("Failed", exact=True).click()
    expect(said(page)).to_contain_text("0 found")

    sign_out(page)

    expect(page.get_by_text("What you had typed is kept")).to_have_count(0)
    assert page.evaluate("JSON.stringify(sessionStorage)") == "{}"
    signed_in(page, service.client())
    expect(box(page)).to_have_value("")
    expect(page.get_by_label("Search")).to_have_value("")
    expect(page.get_by_label("All", exact=True)).to_be_checked()
    expect(said(page)).to_have_text("")
    page.get_by_text("More options").click()
    expect(page.get_by_label("Name of the file")).to_have_value("")


def test_answer_that_comes_after_its_user_has_left_is_nobodys(
    page: Page, tenant: Client, new_tenant: Callable[..., Client], source: SourceServer
) -> None:
    """It neither adds to the list of the next one nor ends that one's visit."""
    tenant.ended(tenant.create(source.url("status/404"), name="Theirs"))
    expect(row(page, "Theirs")).to_contain_text("Failed")
    held = holding(page, "**/download", "**/download/*")
    with page.expect_request("**/download/*"):
        button(row(page, "Theirs"), "Retry").click()
    with page.expect_request("**/download"):
        fetch(page, source.url("clip.mp4"))

    sign_out(page)
    signed_in(page, new_tenant("next"))
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    job = tenant.call("GET", "/download").json["data"]["downloads"][0]
    for route, status in zip(held, (401, 200), strict=True):
        with page.expect_response(route.request.url):
            route.fulfill(status=status, json={"success": status == 200, "message": "", "data": job})

    page.get_by_label("Search").fill("no such download")  # the page has gone on since, and drawn what it had to
    expect(page.get_by_text("0 found")).to_be_visible()
    page.get_by_label("Search").fill("")
    expect(page.get_by_text("Nothing here yet")).to_be_visible()
    expect(rows(page)).to_have_count(0)


def test_reply_that_was_overtaken_by_news_changes_nothing(page: Page, tenant: Client, source: SourceServer) -> None:
    job = tenant.create(source.url("slow/clip.mp4?rate=1500"), name="Twice")
    twice = row(page, "Twice")
    expect(twice).to_contain_text("Fetching")
    button(twice, "Cancel").click()
    expect(twice).to_contain_text("Cancelled")
    held = holding(page, f"**/download/{job}", method="GET")

    button(twice, "Retry").click()
    expect(twice.get_by_role("progressbar")).to_be_visible()  # so much the news have told
    outdated = tenant.job(job)
    tenant.call("DELETE", f"/api/downloads/{job}")
    expect(twice).to_contain_text("Cancelled")
    (late,) = held
    late.fulfill(json={"success": True, "data": outdated})

    expect(said(page)).to_contain_text("Twice is fetched again.")  # the reply has been read
    expect(twice).to_contain_text("Cancelled")
    expect(twice.get_by_role("progressbar")).to_have_count(0)
