"""More downloads under way than the service tells of by itself."""

import itertools
from typing import Any

import pytest
from playwright.sync_api import Route, expect

from tests.e2e.page.conftest import Opened
from tests.e2e.page.visit import holding, row, signed_in
from tests.e2e.running import Client

pytestmark = pytest.mark.e2e

TOLD = 200
ALL = 600


def _row(number: int, progress: float = 0) -> dict[str, Any]:
    return {
        "id": f"download-{number:026}", "name": f"Number {number}", "status": "processing", "url": "https://a.example/",
        "created_at": "2026-01-01T00:00:00Z", "progress": progress, "downloaded_bytes": 0, "attempts": 0,
    }  # fmt: skip


def _list(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"success": True, "data": {"downloads": rows, "total": ALL, "next_token": None}}


def _newest_first(count: int) -> range:
    return range(ALL, ALL - count, -1)


def test_those_that_are_not_told_of_are_not_all_asked_about_at_each_news(opened: Opened, tenant: Client) -> None:
    page, asked, ticks = opened(), list[str](), itertools.count(1)

    def news(route: Route) -> None:
        tick = next(ticks)
        rows = [_row(number, progress=min(tick, 9)) for number in _newest_first(TOLD)]
        route.fulfill(json=_list(rows), headers={"ETag": f'"{tick}"'})

    def detail(route: Route) -> None:
        asked.append(route.request.url)
        number = int(route.request.url[-26:])
        route.fulfill(json={"success": True, "data": _row(number, progress=77)})

    everything = _list([_row(number) for number in _newest_first(ALL)])
    page.route("**/download?*", lambda route: route.fulfill(json=everything))
    page.route("**/updates?*", news)
    page.route("**/download/*", detail)

    signed_in(page, tenant)
    expect(row(page, f"Number {ALL}")).to_contain_text("9 %")

    assert 0 < len(asked) < TOLD / 4  # they are looked at, and one after the other
    assert len(set(asked)) == len(asked)
    page.unroute_all(behavior="ignoreErrors")


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Waiting for its turn"),
        ({"attempts": 1}, "Fetching"),
        ({"attempts": 1, "progress": 99, "downloaded_bytes": 995, "filesize": 1000, "speed": 1, "eta": 5}, "5 s left"),
        (
            {"attempts": 1, "progress": 99, "downloaded_bytes": 1000, "filesize": 1000, "speed": 1, "eta": 0},
            "Finishing",
        ),
        ({"attempts": 1, "progress": 99, "downloaded_bytes": 995, "filesize": 1000}, "Finishing"),
    ],
)
def test_row_says_what_is_done_with_it_at_the_moment(
    opened: Opened, tenant: Client, fields: dict[str, Any], words: str
) -> None:
    page = opened()
    everything = _list([_row(1) | fields])
    page.route("**/download?*", lambda route: route.fulfill(json=everything))
    holding(page, "**/updates?*")

    signed_in(page, tenant)

    expect(row(page, "Number 1")).to_contain_text(words)
    page.unroute_all(behavior="ignoreErrors")
