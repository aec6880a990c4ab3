"""The README's pictures of the page, taken of a real service with media that are made here: `make pictures`."""

import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from playwright.sync_api import Browser, Page, expect, sync_playwright

from infra.local.media import ffmpeg
from tests.e2e import chromium
from tests.e2e.page.visit import box, button, row, signed_in
from tests.e2e.running import ROOT, Client, serve
from tests.media import SourceServer

FOLDER = ROOT / ".github" / "pictures"
_DESKTOP: dict[str, Any] = {"viewport": {"width": 1100, "height": 1010}}
_PHONE: dict[str, Any] = {"viewport": {"width": 390, "height": 844}, "has_touch": True, "is_mobile": True}
_FILMS = {  # what ffmpeg draws by itself
    "dunes": "gradients=size=640x360:rate=25:c0=0xf2c891:c1=0x9c5a3c:c2=0x2d3a55:n=3:seed=7:duration={s}",
    "sea": "gradients=size=640x360:rate=25:c0=0x0d3b4f:c1=0x3d9aa3:c2=0xe9efe2:n=3:seed=3:duration={s}",
    "fractal": "mandelbrot=size=640x360:rate=25:start_scale=0.6:end_scale=0.2:start_x=-0.7435:start_y=0.1314",
}
_SECONDS = 24


def main() -> None:
    if shutil.which("chromium") is None:
        sys.exit("There is no chromium here.")
    FOLDER.mkdir(exist_ok=True)
    with _scene() as (client, browser):
        _desktop(browser, client, "light")
        _desktop(browser, client, "dark")
        _phone(browser, client)
        _playing(browser, client)


@contextmanager
def _scene() -> Iterator[tuple[Client, Browser]]:
    """A service that has something of each kind to show, and a browser."""
    with (
        tempfile.TemporaryDirectory() as name,
        SourceServer(_media(Path(name) / "media")) as source,
        serve(Path(name) / "service", "--allow-origin", source.origin) as service,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium.program(), args=chromium.ARGUMENTS)
        _submit(service.client(), source)
        yield service.client(), browser
        browser.close()


def _media(folder: Path) -> Path:
    folder.mkdir()
    tone = f"sine=frequency=330:duration={_SECONDS}"
    for name, drawing in _FILMS.items():
        picture = ["-f", "lavfi", "-i", drawing.format(s=_SECONDS), "-f", "lavfi", "-i", tone, "-t", str(_SECONDS)]
        ffmpeg(
            *picture,
            "-c:v",
            "libx264",
            "-preset",
            "ultrafast",
            "-pix_fmt",
            "yuv420p",
            "-c:a",
            "aac",
            "-shortest",
            str(folder / f"{name}.mp4"),
        )
    shutil.copy(folder / "sea.mp4", folder / "clip.mp4")  # what the source's feeds lead to
    (folder / "other").mkdir()
    shutil.copy(folder / "dunes.mp4", folder / "other" / "clip.mp4")
    return folder


def _submit(client: Client, source: SourceServer) -> None:
    """The last stands first in the list."""
    client.ended(client.create(source.url("feed/3"), name="Evening lectures, autumn term"))
    client.ended(client.create(source.url("status/401"), name="Members only: the making of"))
    client.ended(
        client.create(source.url("sea.mp4"), name="Larks over the marsh, field recording", download_type="audio")
    )
    client.ended(client.create(source.url("dunes.mp4"), name="Dunes at first light"))
    client.ended(client.create(source.url("fractal.mp4"), name="A walk along the coast of a fractal"))
    size = (source.directory / "sea.mp4").stat().st_size
    client.create(source.url(f"slow/sea.mp4?rate={size // 400}"), name="The long way round the island")


def _visit(browser: Browser, client: Client, **options: Any) -> Page:
    page = browser.new_context(reduced_motion="reduce", **options).new_page()
    page.goto(client.url)
    signed_in(page, client)
    expect(row(page, "fractal").locator("img")).to_be_visible()
    expect(row(page, "Dunes").locator("img")).to_be_visible()
    expect(row(page, "long way")).to_contain_text("left")
    return page


def _take(page: Page, name: str) -> None:
    page.wait_for_function("[...document.images].every((image) => image.complete)")
    page.screenshot(path=FOLDER / f"page-{name}.png")
    page.context.close()


def _desktop(browser: Browser, client: Client, scheme: str) -> None:
    page = _visit(browser, client, color_scheme=scheme, **_DESKTOP)
    box(page).fill("https://media.example/watch?v=first\nhttps://media.example/watch?v=second")
    button(row(page, "Evening lectures"), "Show items").click()
    expect(row(page, "Episode 2").locator("img")).to_be_attached()
    page.mouse.move(0, 0)
    _take(page, scheme)


def _phone(browser: Browser, client: Client) -> None:
    page = _visit(browser, client, **_PHONE)
    row(page, "long way").evaluate("(row) => window.scrollTo(0, row.getBoundingClientRect().top - 12)")
    _take(page, "phone")


def _playing(browser: Browser, client: Client) -> None:
    page = _visit(browser, client, **_DESKTOP)
    button(row(page, "Dunes"), "Play").click()
    video = row(page, "Dunes").locator("video").element_handle()
    page.wait_for_function("(video) => video.currentTime > 1", arg=video)
    row(page, "Dunes").evaluate("(row) => window.scrollTo(0, row.getBoundingClientRect().top - 120)")
    _take(page, "playing")


if __name__ == "__main__":
    main()
