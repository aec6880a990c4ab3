"""What the page does while it waits for news, and when it cannot reach the service."""

from collections.abc import Callable

import pytest
from playwright.sync_api import Page, Request, Route, expect

from tests.e2e.page.conftest import Opened
from tests.e2e.page.visit import box, fetch, row, rows, said, signed_in
from tests.e2e.running import Client, until
from tests.media import SourceServer

pytestmark = pytest.mark.e2e


def hide(page: Page) -> None:
    _set_hidden(page, "true")


def show(page: Page) -> None:
    _set_hidden(page, "false")


def _set_hidden(page: Page, hidden: str) -> None:
    """As if another tab were in front; a headless browser shows all of them."""
    page.evaluate(f"""() => {{
        Object.defineProperty(document, 'hidden', {{ configurable: true, get: () => {hidden} }});
        document.dispatchEvent(new Event('visibilitychange'));
    }}""")


@pytest.fixture
def asked(page: Page) -> Callable[[], int]:
    """How often the page has asked for news since the test began."""
    requests: list[str] = []

    def note(request: Request) -> None:
        if "/updates" in request.url:
            requests.append(request.url)

    page.on("request", note)
    return lambda: len(requests)


def test_news_come_to_a_page_that_waits_and_does_not_ask_again_and_again(
    page: Page, tenant: Client, source: SourceServer, asked: Callable[[], int]
) -> None:
    page.wait_for_timeout(3_000)
    assert asked() <= 2  # one that is held, and the one that showed that there is something to wait for

    job = tenant.create(source.url("clip.mp4"), name="Made elsewhere")
    expect(row(page, "Made elsewhere")).to_contain_text("Done")

    tenant.call("DELETE", f"/download/{job}")
    expect(rows(page)).to_have_count(0)


def test_page_that_nobody_sees_asks_for_nothing_and_catches_up_when_it_is_seen(
    page: Page, tenant: Client, source: SourceServer, asked: Callable[[], int]
) -> None:
    hide(page)
    page.wait_for_timeout(500)
    before = asked()
    job = tenant.create(source.url("clip.mp4"), name="Meanwhile")
    tenant.ended(job)
    page.wait_for_timeout(2_000)
    assert asked() == before
    expect(rows(page)).to_have_count(0)

    show(page)

    expect(row(page, "Meanwhile")).to_contain_text("Done")


def test_lost_connection_is_told_and_the_page_recovers_by_itself(
    page: Page, tenant: Client, source: SourceServer
) -> None:
    page.context.set_offline(True)
    hide(page)  # whatever was held is let go, as when a device sleeps
    show(page)
    expect(page.get_by_text("The service cannot be reached")).to_be_visible()
    expect(said(page)).to_contain_text("lost")
    tenant.ended(tenant.create(source.url("clip.mp4"), name="While it was away"))  # no news of it are said, then

    page.context.set_offline(False)

    expect(row(page, "While it was away")).to_be_visible()
    expect(page.get_by_text("The service cannot be reached")).to_have_count(0)
    expect(said(page)).to_contain_text("Connected again")


def test_page_that_is_back_says_so_though_there_is_no_news(page: Page) -> None:
    page.context.set_offline(True)
    hide(page)
    show(page)
    page.get_by_role("button", name="Try now").focus()

    with page.expect_response(lambda reply: reply.url.endswith("/updates?wait=0")):
        page.context.set_offline(False)

    expect(page.get_by_text("The service cannot be reached")).to_have_count(0)
    expect(said(page)).to_contain_text("Connected again")
    expect(page.get_by_role("heading", name="Downloads")).to_be_focused()  # the button that had the focus is gone


def _take_but_lose_the_reply(route: Route) -> None:
    route.fetch()
    route.abort("connectionreset")


def test_lost_connection_never_makes_two_jobs_of_one_address(page: Page, tenant: Client, source: SourceServer) -> None:
    addresses = [source.url("clip.mp4"), source.url("other/clip.mp4")]

    page.route("**/download", _take_but_lose_the_reply, times=1)
    fetch(page, *addresses)
    expect(page.get_by_role("alert")).to_contain_text("press Fetch again")
    expect(box(page)).to_have_value("\n".join(addresses))
    until(lambda: tenant.call("GET", "/download").json["data"]["total"], lambda total: total == 1, within_s=60)

    page.reload()
    page.get_by_role("button", name="Fetch", exact=True).click()

    expect(box(page)).to_have_value("")
    expect(rows(page)).to_have_count(2)
    assert tenant.call("GET", "/download").json["data"]["total"] == 2


def test_address_whose_answer_was_lost_shows_the_job_as_it_is_by_now(
    page: Page, tenant: Client, source: SourceServer
) -> None:
    """The service answers the second request as it did the first, with a job that waits, however long ago it ended."""
    page.route("**/download", _take_but_lose_the_reply, times=1)
    fetch(page, source.url("clip.mp4"))
    expect(rows(page).first).to_contain_text("Done")

    page.get_by_role("button", name="Fetch", exact=True).click()

    expect(box(page)).to_have_value("")
    expect(rows(page).first).to_contain_text("Done")
    expect(rows(page)).to_have_count(1)


def test_what_cannot_be_done_for_lack_of_a_connection_is_told_where_it_was_tried(
    page: Page, tenant: Client, source: SourceServer
) -> None:
    job = tenant.create(source.url("status/404"), name="Gone")
    before = tenant.ended(job)["completed_at"]
    failed = row(page, "Gone")
    expect(failed).to_contain_text("Failed")
    page.route(f"**/download/{job}", lambda route: route.abort("connectionrefused"))

    failed.get_by_role("button", name="Retry").click()

    expect(failed).to_contain_text("cannot be reached")
    page.unroute(f"**/download/{job}")
    failed.get_by_role("button", name="Retry").click()
    expect(failed).not_to_contain_text("cannot be reached")
    until(lambda: tenant.job(job)["completed_at"], lambda ended: ended not in {None, before}, within_s=120)


def test_limit_that_is_reached_leaves_the_rest_in_the_box_and_says_what_to_do(
    opened: Opened, new_tenant: Callable[..., Client], source: SourceServer
) -> None:
    page = signed_in(opened(), new_tenant("limited", max_jobs_per_day=1))

    fetch(page, source.url("clip.mp4"), source.url("silent.mp4"), source.url("clip.webm"))

    expect(page.get_by_role("alert")).to_contain_text("limit of 1 downloads a day is reached")
    expect(page.get_by_role("alert")).to_contain_text("ask whoever runs the service")
    expect(box(page)).to_have_value(f"{source.url('silent.mp4')}\n{source.url('clip.webm')}")
    expect(rows(page)).to_have_count(1)
