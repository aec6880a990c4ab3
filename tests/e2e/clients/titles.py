"""Titles that have no business in a file name, and the name under which the file ends up."""

import dataclasses
import html

from tests.e2e.running import Client
from tests.media import SourceServer


@dataclasses.dataclass(frozen=True, slots=True)
class Title:
    """`name` is what `reelhaul.names` makes of `text`; `ascii_name` is for who reads no `filename*`."""

    text: str
    name: str
    ascii_name: str


TITLES = {
    "plain": Title("A plain title", "A plain title.mp4", "A plain title.mp4"),
    "unicode": Title(
        "Ünïcode “quotes” / slash 文字.mp4", "Ünïcode “quotes” _ slash 文字.mp4", "Unicode _quotes_ _ slash __.mp4"
    ),
    # No client, wget among them, shortens a name of 235 bytes or a header of 511 any more.
    "long": Title("long " + 295 * "x", "long " + 226 * "x" + ".mp4", "long " + 226 * "x" + ".mp4"),
    "long-unicode": Title(300 * "文", 47 * "文" + ".mp4", 38 * "_" + ".mp4"),
    "control": Title(
        "one\ttwo\x07three\x1b[31m \u202efour", "one two three [31m four.mp4", "one two three [31m four.mp4"
    ),
}


def of_its_own(client: Client, source: SourceServer, kind: str) -> str:
    """The id of a job whose medium is clip.mp4 and whose source calls it by that title. It has ended well."""
    return _ended(client, client.create(page_titled(source, kind)))


def given(client: Client, source: SourceServer, kind: str) -> str:
    """The id of a job with clip.mp4 which the user gave that title. It has ended well."""
    return _ended(client, client.create(source.url("clip.mp4"), name=TITLES[kind].text))


def page_titled(source: SourceServer, kind: str) -> str:
    """The URL of a page at `source` with that title and the medium clip.mp4."""
    # Of a <video> yt-dlp's generic extractor numbers the title, "... (1)", even where it is the only one.
    media = f'<meta property="og:video" content="{source.url("clip.mp4")}">'
    page = source.directory / f"titled-{kind}.html"
    head = f"<head><meta charset='utf-8'><title>{html.escape(TITLES[kind].text)}</title>{media}</head>"
    page.write_text(f"<!DOCTYPE html><html>{head}<body></body></html>", encoding="utf-8")
    return source.url(page.name)


def _ended(client: Client, job_id: str) -> str:
    job = client.ended(job_id)
    assert job["status"] == "done", job
    return job_id
