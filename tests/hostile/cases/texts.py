"""What strangers write where people and programs will read it: names, titles, extensions, languages."""

import json
import re
from collections.abc import Iterator
from pathlib import Path

from reelhaul.options import Options
from tests.hostile.cases import pages
from tests.hostile.cases.codes import SITE
from tests.hostile.running import DONE, Case, Outcome
from tests.hostile.servers import Page, Request, page

_TITLES = {
    "path upwards": "../../../../etc/cron.d/owned",
    "absolute path": "/etc/passwd",
    "path of Windows": "..\\..\\C:\\Windows\\owned",
    "template of yt-dlp": "%(id)s %(epoch)s %(url)s ${HOME} {0.__class__}",
    "option of a command": "-rf --exec=evil",
    "reversed": "harmless\u202e4pm.exe",
    "control characters": "a\x00b\x1b[31mc\x07d\x7fe\x9bf",
    "lines": "a\r\nX-Evil: 1\r\n\r\n<html>\u2028b\u2029c",
    "quotes": '"; filename="evil.exe"; x="\'`$(id)`',
    "ten thousand characters": "x" * 10_000,
    "many bytes": "\U0001f4a9" * 500,
    "surrogates": "\ud800 lone",
    "nothing": "",
}
_NAMES = {
    "upwards": "/..%2f..%2f..%2fetc%2fpasswd",
    "with an ending that is run": "/clip.exe",
    "ending upwards": "/clip.mp4/..%2f..%2fowned",
    "ending that is long": "/clip." + "x" * 300,
    "ending with a NUL": "/clip.mp4%00.exe",
    "ending with directions": "/clip.%e2%80%ae4pm",
}
_LANGUAGES = ("../../../../tmp/owned", "en/../../x", "en\x00", "en-\u202e", "en-" + "x" * 5000)
_DISPOSITIONS = (
    'attachment; filename="../../evil.sh"',
    "attachment; filename*=UTF-8''%2e%2e%2fevil.sh",
    'inline; filename="' + "x" * 9000 + '"',
)


def _is_filed_under_our_names(outcome: Outcome) -> None:
    headers = json.loads(outcome.texts["headers"])
    for key in outcome.objects:
        assert outcome.job.id in key.rpartition("/")[0]
        assert ".." not in key
        assert key.rpartition(".")[2] in {"mp4", "jpg", "vtt"}
        disposition = headers[key]["content-disposition"]
        assert disposition.startswith("attachment; ")
        assert disposition.isprintable()
        assert not re.search(r"[/\\]|%2f|%5c|%0|%1", disposition, re.IGNORECASE)
    assert not Path("/tmp/owned").exists()  # noqa: S108 - where it would be


def _titled(name: str, title: str) -> Case:
    return _case(f"title: {name}", "/start", page(pages.json_ld(name=title, contentUrl=f"{SITE}/clip.mp4")))


def _case(name: str, path: str, start: Page) -> Case:
    return Case(
        family="text", name=name, url=f"{SITE}{path}", expected=DONE, pages={path: start},
        check=_is_filed_under_our_names,
    )  # fmt: skip


def _subtitled(language: str) -> Case:
    tracks = json.dumps({"src": "/en.vtt", "kind": "subtitles", "language": language, "label": language})
    source = '[{"src": "/clip.mp4", "type": "video/mp4"}]'
    player = f'var p = videojs("x"); p.src({source}); p.addRemoteTextTrack({tracks}, true);'
    body = f"<html><script>{player}</script></html>"
    vtt = page("WEBVTT\n\n00:00.000 --> 00:01.000\nHello\n", "vtt")
    return Case(
        family="text", name=f"language of subtitles: {language!r:.30}", url=f"{SITE}/start", expected=DONE,
        pages={"/start": page(body), "/en.vtt": vtt}, options=Options(subtitles=("en",)),
        check=_is_filed_under_our_names,
    )  # fmt: skip


def _clip(*fields: str) -> Page:
    def send(request: Request) -> Iterator[bytes]:
        yield page((request.media / "clip.mp4").read_bytes(), "mp4", *fields)

    return send


CASES: list[Case] = [
    *(_case(f"path: {name}", path, _clip()) for name, path in _NAMES.items()),
    *(
        _case(f"Content-Disposition: {value[:40]}", "/clip.mp4", _clip(f"Content-Disposition: {value}"))
        for value in _DISPOSITIONS
    ),
    *(_titled(name, title) for name, title in _TITLES.items()),
    *(_subtitled(language) for language in _LANGUAGES),
]
