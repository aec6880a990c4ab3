"""Without the guard the known attacks do reach canaries, so the tests can fail; with any part of it, none does."""

from collections.abc import Callable
from pathlib import Path

import pytest

from downloader import kernel
from reelhaul.options import Options
from tests.hostile import summary
from tests.hostile.cases import dash, hls, pages
from tests.hostile.cases.codes import METADATA, PRIVATE, RUNTIME, SITE
from tests.hostile.running import Case, Service
from tests.hostile.servers import SECRET, Page, page, redirect
from tests.hostile.test_hostile import leaks
from tests.hostile.unguarded import Guard

# What was measured with yt-dlp alone before there was a guard.
KNOWN: dict[str, Page] = {
    "redirect": redirect(METADATA),
    "redirect to the runtime API": redirect(RUNTIME),
    "HLS segment": hls.media("#EXTINF:1,", "http://169.254.169.254/secret.ts"),
    "HLS key": hls.media('#EXT-X-KEY:METHOD=AES-128,URI="http://10.0.0.1/s.key"', "#EXTINF:1,", "/hls/180-0.ts"),
    "DASH BaseURL": page(dash.manifest(inner=f"<BaseURL>{PRIVATE}</BaseURL>"), "mpd"),
    "subtitles": hls.subtitled("http://10.0.0.1/en.vtt"),
    "JSON-LD": page(pages.json_ld(contentUrl=PRIVATE)),
}
URLS = {"decimal address": "http://2130706433/clip.mp4", "name of the inside": "http://metadata.example/clip.mp4"}
CASES = [
    *(
        Case(
            family="control",
            name=name,
            url=f"{SITE}/start",
            expected="",
            pages={"/start": start},
            options=Options(subtitles=("en",)),
        )
        for name, start in KNOWN.items()
    ),
    *(Case(family="control", name=name, url=url, expected="") for name, url in URLS.items()),
]
OFF = {
    "no guard at all": Guard(is_used=False, hook=False, kernel=False),
    "a proxy that does not judge": Guard(judges=False),
}
PARTS = {
    "proxy alone": Guard(hook=False, kernel=False),
    "audit hook alone": Guard(is_used=False, kernel=False),
    "kernel alone": Guard(is_used=False, hook=False),
}
NAMES = [case.name for case in CASES]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
@pytest.mark.parametrize("guard", OFF.values(), ids=OFF.keys())
def test_without_the_guard_a_known_attack_hits(
    case: Case,
    guard: Guard,
    service: Service,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    record_property: Callable[[str, object], None],
) -> None:
    guard.put_up(tmp_path, monkeypatch)
    outcome = service.run(case)
    record_property(summary.CONTROL, len(outcome.hits))
    assert outcome.hits != []


def test_without_the_guard_a_secret_is_found_where_it_got_to(
    service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Guard(is_used=False, hook=False, kernel=False).put_up(tmp_path, monkeypatch)
    case = Case(family="control", name="secret", url=f"{SITE}/start", expected="", pages={"/start": redirect(METADATA)})
    outcome = service.run(case)
    assert outcome.job.stored is not None, SECRET
    assert leaks(outcome) == [outcome.job.stored.key]


@pytest.mark.parametrize("case", CASES, ids=NAMES)
@pytest.mark.parametrize("guard", PARTS.values(), ids=PARTS.keys())
def test_any_part_of_the_guard_holds_alone(
    case: Case, guard: Guard, service: Service, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    if not (guard.is_used or guard.hook or kernel.support().landlock):
        pytest.skip("this kernel has no Landlock for TCP")
    guard.put_up(tmp_path, monkeypatch)
    outcome = service.run(case)
    assert outcome.hits == []
    assert leaks(outcome) == []
