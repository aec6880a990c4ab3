"""Who may use the page, and what it says to those who may not yet."""

import re

import pytest
from playwright.sync_api import Page, Route, expect

from reelhaul.limits import Limits
from tests.e2e.page.conftest import Opened
from tests.e2e.page.filling import Cloud, fill
from tests.e2e.page.visit import box, row, signed_in
from tests.e2e.running import Client, Service
from tests.media import SourceServer

pytestmark = pytest.mark.e2e


def test_key_is_kept_over_a_reload_and_for_this_tab_alone(opened: Opened, tenant: Client, service: Service) -> None:
    page = signed_in(opened(), tenant)
    page.reload()
    expect(page.get_by_role("heading", name="Downloads")).to_be_visible()

    other = page.context.new_page()
    other.goto(service.url)

    expect(other.get_by_label("Access key")).to_be_visible()
    kept = other.evaluate("JSON.stringify({ ...localStorage, cookie: document.cookie })")
    assert kept == '{"cookie":""}'
    page.get_by_role("button", name="Sign out").click()
    page.reload()
    expect(page.get_by_label("Access key")).to_be_focused()


@pytest.mark.parametrize(
    ("key", "sentence"),
    [
        ("", "It begins with sk-"),
        ("AKIAIOSFODNN7EXAMPLE", "looks like an access key of AWS"),
        ("ghp_0123456789abcdef", "looks like a token of GitHub"),
        ("sk-0123 456789", "no spaces"),
        ("sk-0", "Was all of it copied?"),
        ("sk-unknown-0123456789abcdef", "does not know the key"),
    ],
)
def test_wrong_key_gets_a_sentence_and_stays_to_be_mended(opened: Opened, key: str, sentence: str) -> None:
    page = opened()
    page.get_by_label("Access key").fill(key)

    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_contain_text(sentence)
    expect(page.get_by_label("Access key")).to_have_value(key)
    expect(page.get_by_label("Access key")).to_have_attribute("aria-invalid", "true")


def _portal(route: Route) -> None:
    route.fulfill(status=200, content_type="text/html", body="<html><h1>Welcome to our hotel</h1></html>")


def _other_api(route: Route) -> None:
    route.fulfill(status=404, content_type="application/json", body='{"error": "no such resource"}')


@pytest.mark.parametrize("answers", [_portal, _other_api])
def test_server_that_is_not_ours_is_told_as_such(opened: Opened, answers: object, tenant: Client) -> None:
    """As where a network has its own sign-in page answer everything, until somebody has signed in there."""
    page = opened()
    page.route("**/download?*", answers)  # type: ignore[arg-type]  # one of the two above
    page.get_by_label("Access key").fill(str(tenant.key))
    page.get_by_role("button", name="Sign in").click()
    expect(page.get_by_role("alert")).to_contain_text("is not Reelhaul")

    page.unroute("**/download?*")
    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("heading", name="Downloads")).to_be_visible()


def test_what_stands_before_the_service_is_quoted_as_a_sentence(opened: Opened) -> None:
    page = opened()
    page.route("**/download?*", lambda route: route.fulfill(status=429, json={"message": "Too Many Requests"}))
    page.get_by_label("Access key").fill("sk-0123456789abcdef")

    page.get_by_role("button", name="Sign in").click()

    expect(page.get_by_role("alert")).to_have_text("Too Many Requests. Wait a moment and try again; nothing is lost.")


def test_key_that_is_revoked_meanwhile_ends_the_visit_and_loses_nothing_that_was_typed(
    page: Page, service: Service
) -> None:
    box(page).fill("https://example.com/half-typ")

    page.route(
        "**/updates?*",
        lambda route: route.continue_(headers=route.request.headers | {"x-access-token": "sk-no-longer"}),
    )
    page.reload()

    expect(page.get_by_role("alert")).to_contain_text("revoked")
    page.unroute("**/updates?*")
    signed_in(page, service.client())
    expect(box(page)).to_have_value("https://example.com/half-typ")


@pytest.mark.parametrize(("ahead_s", "said"), [(3 * 3600, "3 h ahead of"), (-40 * 60, "40 min behind")])
def test_clock_that_is_off_is_told_and_the_services_is_used(
    opened: Opened, cloud: Cloud, service: Service, ahead_s: int, said: str
) -> None:
    name = f"clock{ahead_s}"
    fill(cloud, name, 8)  # the first of them seven minutes ago
    page = opened()
    page.add_init_script(f"const real = Date.now; Date.now = () => real() + {ahead_s * 1000};")
    page.reload()
    signed_in(page, service.client(cloud.new_key(name, Limits())))

    expect(page.get_by_text(said)).to_be_visible()
    # And neither hours ago nor, as what is yet to come, just now.
    expect(row(page, "Number 1.mp4")).to_contain_text(re.compile(r"(?<!\d)([7-9]|[12]\d) minutes ago"))


def test_page_that_stays_open_says_how_long_ago_things_are_by_then(
    opened: Opened, tenant: Client, source: SourceServer
) -> None:
    page = opened()
    page.clock.install()
    page.reload()
    signed_in(page, tenant)
    tenant.create(source.url("status/404"), name="Old")
    expect(row(page, "Old")).to_contain_text("Failed")
    expect(row(page, "Old")).to_contain_text("just now")
    page.context.set_offline(True)  # else the service would tell that no time has passed

    page.clock.fast_forward("10:00")

    expect(row(page, "Old")).to_contain_text("10 minutes ago")
