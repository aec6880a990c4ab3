"""The second contract in a web page: `fetch` from another origin, as its example does it, in headless Chromium."""

from pathlib import Path

import pytest
from playwright.sync_api import Page

from tests.e2e.clients.titles import TITLES, given, page_titled
from tests.e2e.running import KEY, Client, Service, until
from tests.media import SourceServer

pytestmark = pytest.mark.e2e


def the_file(directory: Path) -> Path:
    """The one file in `directory`, once the browser has written it whole."""

    def whole() -> list[Path]:
        return [path for path in directory.iterdir() if path.suffix != ".crdownload" and path.stat().st_size]

    (file,) = until(whole, lambda files: len(files) == len(list(directory.iterdir())) == 1, within_s=60)
    return file


@pytest.mark.parametrize("kind", TITLES)
def test_page_saves_the_file_under_its_own_title(
    kind: str, page: Page, saved: Path, service: Service, source: SourceServer
) -> None:
    wanted = {"url": page_titled(source, kind)}

    seen = page.evaluate("([api, key, wanted]) => download(api, key, wanted)", [service.url, KEY, wanted])

    assert seen["redirected"]
    file = the_file(saved)
    assert file.name == TITLES[kind].name
    assert file.read_bytes() == (source.directory / "clip.mp4").read_bytes()


@pytest.mark.parametrize("kind", TITLES)
def test_link_in_a_page_saves_the_file_under_the_name_that_was_given(
    kind: str, page: Page, saved: Path, client: Client, source: SourceServer
) -> None:
    link = client.job(given(client, source, kind))["download_url"]

    page.evaluate("(link) => { location.href = link }", link)

    file = the_file(saved)
    assert file.name == TITLES[kind].name
    assert file.read_bytes() == (source.directory / "clip.mp4").read_bytes()


def test_page_can_read_why_it_was_refused(page: Page, service: Service) -> None:
    refused = page.evaluate(
        "([api, key]) => seen(`${api}/api/downloads`, { headers: { 'x-access-token': key } })",
        [service.url, "sk-wrong-0123456789abcdef"],
    )
    bad = page.evaluate(
        """([api, key]) => seen(`${api}/api/download`, {
            method: 'POST',
            headers: { 'Authorization': `Bearer ${key}`, 'Content-Type': 'application/json', 'Idempotency-Key': 'one' },
            body: '{}',
        })""",
        [service.url, KEY],
    )

    assert refused["status"] == 401
    assert (bad["status"], bad["body"]["success"]) == (400, False)
    assert "url" in bad["body"]["detail"]
