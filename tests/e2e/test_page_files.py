"""The page's files and its news over HTTP, as a browser asks for them."""

import gzip
import re
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from tests.e2e.running import KEY, Reply, Service, request, until
from tests.media import SourceServer

pytestmark = pytest.mark.e2e

BROWSER = {"accept-encoding": "gzip, deflate, br", "sec-fetch-mode": "navigate"}


@pytest.fixture(scope="module")
def page(service: Service) -> Reply:
    return request("GET", f"{service.url}/")


def assets(page: Reply) -> list[str]:
    return re.findall(r'"(assets/[^"]+)"', page.body.decode())


def test_page_is_there_without_a_key_and_all_that_it_names(service: Service, page: Reply) -> None:
    assert (page.status, page.headers["Content-Type"]) == (200, "text/html; charset=utf-8")
    found = {name: request("GET", f"{service.url}/{name}") for name in assets(page)}
    assert {reply.status for reply in found.values()} == {200}
    assert {reply.headers["Cache-Control"] for reply in found.values()} == {"public, max-age=31536000, immutable"}
    assert len(found) == 4


def test_page_may_show_what_links_lead_to_and_nothing_of_others(service: Service, page: Reply) -> None:
    policy = dict(directive.split(" ", 1) for directive in page.headers["Content-Security-Policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    assert policy["img-src"] == policy["media-src"] == f"'self' {service.url}"


def test_files_are_compressed_and_come_once(service: Service, page: Reply) -> None:
    (script,) = (f"{service.url}/{name}" for name in assets(page) if name.endswith(".js"))
    plain, packed = request("GET", script), request("GET", script, headers={"accept-encoding": "gzip"})
    assert packed.headers["Content-Encoding"] == "gzip"
    assert gzip.decompress(packed.body) == plain.body
    assert request("GET", script, headers=BROWSER).headers["Content-Encoding"] == "br"
    again = request("GET", script, headers={"if-none-match": plain.headers["ETag"]})
    assert (again.status, again.body) == (304, b"")


def test_headers_alone_can_be_asked_for(service: Service, page: Reply) -> None:
    head = request("HEAD", f"{service.url}/")
    assert (head.status, head.body) == (200, b"")
    assert head.headers["ETag"] == page.headers["ETag"]
    assert head.headers["Content-Security-Policy"] == page.headers["Content-Security-Policy"]


def test_what_is_no_file_of_the_page_has_the_one_shape_of_errors(service: Service) -> None:
    reply = request("GET", f"{service.url}/assets/nothing.js")
    assert (reply.status, reply.json["code"]) == (404, "route.not_found")
    assert request("POST", f"{service.url}/").headers["Allow"] == "GET, HEAD"


# --- news ------------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="module")
def asking() -> Iterator[ThreadPoolExecutor]:
    with ThreadPoolExecutor(1) as executor:
        yield executor


def updates(service: Service, *, known: str | None = None, wait: int = 20) -> Reply:
    headers = {"x-access-token": KEY} | ({} if known is None else {"if-none-match": known})
    return request("GET", f"{service.url}/updates?wait={wait}", headers=headers)


def settled(service: Service) -> Reply:
    """The news once there is no more: what earlier tests have begun has come to an end."""
    seen = [updates(service)]

    def is_over() -> bool:
        seen.append(updates(service, known=seen[-1].headers["ETag"], wait=1))
        return seen[-1].status == 304

    until(is_over, bool, within_s=120)
    return seen[-1]


def test_who_knows_it_all_hears_nothing(service: Service) -> None:
    reply = settled(service)
    assert (reply.status, reply.body) == (304, b"")
    assert reply.headers["ETag"] == updates(service).headers["ETag"]


def test_news_comes_as_soon_as_there_is_some(
    service: Service, source: SourceServer, asking: ThreadPoolExecutor
) -> None:
    known = settled(service).headers["ETag"]
    reply = asking.submit(updates, service, known=known)
    time.sleep(1)  # it is held by then, or comes later and is answered at once
    job_id = service.client().create(source.url("clip.mp4"))
    news = reply.result(35)
    assert news.status == 200
    assert news.json["data"]["downloads"][0]["id"] == job_id
    assert news.headers["ETag"] != known
    service.client().ended(job_id)


def test_end_of_a_job_is_news_to_who_follows_them(service: Service, source: SourceServer) -> None:
    job_id = service.client().create(source.url("clip.mp4"))
    deadline, known, statuses = time.monotonic() + 120, None, list[str]()
    while statuses[-1:] != ["done"]:
        assert time.monotonic() < deadline, statuses
        reply = updates(service, known=known)
        if reply.status == 200:
            known = reply.headers["ETag"]
            statuses += [row["status"] for row in reply.json["data"]["downloads"] if row["id"] == job_id]
    assert statuses == ["processing"] * (len(statuses) - 1) + ["done"]


def test_news_are_for_who_has_a_key(service: Service) -> None:
    reply = request("GET", f"{service.url}/updates")
    assert (reply.status, reply.json["code"]) == (401, "auth.unauthorized")
