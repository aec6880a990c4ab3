"""Text from strangers, wherever it comes out: in replies, webhooks, events, headers, names, metrics and logs.

Whatever a fetcher is told by a source, and whatever a fetcher says that is a stranger's by now, goes through
`downloader.answers`. So each of its fields is filled with what could deceive a reader or break a line, and every place
is searched where a field may turn up.
"""

import itertools
import json
import urllib.parse
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from downloader.answers import Answer, Fetched, FetchRequest, FoundPlaylist
from downloader.content_types import CONTENT_TYPES
from downloader.events import Failed
from downloader.plausible import Implausible
from reelhaul import ids, items, jobs, names, steps
from reelhaul.contracts import downloads, info, offline
from reelhaul.errors import ExtractorBroken, SourceError, WorkerCrashed
from reelhaul.findings import Inspection
from reelhaul.jobs import Job, Playlist, PlaylistItem
from reelhaul.measures import Measures
from reelhaul.options import Options
from reelhaul.webhooks import events as announcements
from tests.jobs_in import NOW, done, extra, running
from tests.unit.downloader.fetching import Fetching, write_impostor

# C0, DEL, C1, line and paragraph separators, all bidirectional controls (UAX #9), invisible and tag characters, halves
# of surrogate pairs, and what ends or begins something in HTTP, JSON, HTML, ANSI terminals and logs.
HOSTILE = [
    *map(chr, itertools.chain(range(0x20), range(0x7F, 0xA0), (0x2028, 0x2029, 0x61C), range(0x200B, 0x2010))),
    *map(chr, itertools.chain(range(0x202A, 0x202F), range(0x2060, 0x2070), (0xFEFF, 0xFFF9))),
    "\U000e0001", "\U000e0041", "\ud800",
    '"', "\\", "'", "<", ">", "&", ";", "/", "..", "%0d%0a", "\r\nSet-Cookie: a=b\r\n", "\x1b[2J", "\u202egpj.exe",
]  # fmt: skip
HARMLESS_JOINERS = "\u200c\u200d"  # which file names and titles may keep, see `reelhaul.names`

pieces = st.one_of(st.sampled_from(HOSTILE), st.characters(), st.sampled_from(["a", "Ü", " "]))
texts = st.lists(pieces, max_size=30).map("".join)
addresses = st.one_of(texts, texts.map("http://example.com/".__add__), texts.map("https://".__add__))
extensions = st.sampled_from(sorted(CONTENT_TYPES))
LANGUAGES = ("en", "pt-BR")


def strings(value: object) -> Iterator[str]:
    """Every text in `value`, names of fields too."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            yield from strings(name)
            yield from strings(one)
    elif isinstance(value, list | tuple):
        for one in value:
            yield from strings(one)


def reads_as_it_is(text: str) -> bool:
    return all(char.isprintable() or char in HARMLESS_JOINERS for char in text)


def check(*sinks: object) -> None:
    """What a program gets is JSON of the text, and what a person reads is the text."""
    for sink in sinks:
        said = json.dumps(sink, ensure_ascii=False)
        said.encode()  # no half of a pair: it could not even be sent
        deceptive = [one for one in strings(json.loads(said)) if not reads_as_it_is(one)]
        assert deceptive == []


def check_header(value: str) -> None:
    assert value.isascii()
    assert value.isprintable()
    quoted = value.partition('filename="')[2].partition('"')[0]
    assert not set(quoted) & set('\\/<>"')
    assert reads_as_it_is(urllib.parse.unquote(value.partition("filename*=UTF-8''")[2], errors="strict"))


def check_job(job: Job) -> None:
    """Everywhere that a job is shown; and it is the same once it has been in the table."""
    assert items.from_item(items.from_wire(items.to_wire(items.to_item(job)))) == job
    row = downloads.view(job, None)
    check(
        row, downloads.async_response(job, row, "https://api.example/x"), downloads.accepted(job, "https://x.example")
    )
    check(offline.row(job), offline.accepted(job), announcements.snapshot(job))
    if job.state in (jobs.State.DONE, jobs.State.FAILED):
        check(announcements.bus_detail(job))
        check(announcements.payload(announcements.event_type(job), NOW, announcements.snapshot(job)))


def answer(*told: dict[str, Any], directory: Path, **asked: Any) -> Any:
    """What becomes of a fetcher's words. `None`: it was caught as one that does not speak like ours."""
    request = FetchRequest(url="http://example.com/", max_bytes=1, **asked)
    found = Answer(request, directory)
    try:
        for fields in told:
            found.take(json.dumps(fields).encode())
        return found.outcome()
    except (Implausible, WorkerCrashed):
        return None


@pytest.fixture(scope="module")
def directory(tmp_path_factory: pytest.TempPathFactory) -> Path:
    made = tmp_path_factory.mktemp("job").resolve()
    for name in ("media.mp4", "subtitles-0.vtt"):
        (made / name).write_bytes(b"media")
    return made


@given(title=texts, note=texts, thumbnail=addresses, extension=extensions, language=st.one_of(texts, st.just("en")))
def test_medium_is_shown_named_and_announced_without_what_deceives(
    directory: Path, title: str, note: str, thumbnail: str, extension: str, language: str
) -> None:
    fields = {
        "event": "finished", "path": f"{directory}/media.mp4", "title": title, "extension": extension,
        "content_type": CONTENT_TYPES[extension], "thumbnail": thumbnail, "format_note": note,
        "extras": [{
            "kind": "subtitles", "path": f"{directory}/subtitles-0.vtt", "extension": "vtt", "content_type": "text/vtt",
            "language": language,
        }],
    }  # fmt: skip
    found = answer(fields, directory=directory, options=Options(subtitles=LANGUAGES))
    if language not in LANGUAGES:
        assert found is None  # a language is never the source's word for it
        found = answer({**fields, "extras": []}, directory=directory, options=Options(subtitles=LANGUAGES))
    assert isinstance(found, Fetched)
    attempt = running()
    kept = [extra(attempt, "subtitles", language=str(one.language)) for one in found.extras]
    job = done(media=found.media, extras=tuple(kept))
    check_job(job)
    check(job.filename, names.safe_name(job.filename), [one.key for one in job.extras])
    check_header(names.content_disposition(jobs.filename_of(job, found.media)))
    for_curl = names.curl_disposition(job.filename)
    if for_curl is not None:
        assert reads_as_it_is(for_curl.encode("latin-1").decode())


@given(
    title=texts,
    entries=st.lists(
        st.tuples(texts, st.none() | addresses | st.just("http://example.com/v?x=1")), min_size=1, max_size=3
    ),
)
def test_playlist_and_its_items_are_shown_without_what_deceives(
    directory: Path, title: str, entries: list[tuple[str, str | None]]
) -> None:
    end = {"event": "playlist", "title": title, "truncated": False}
    told = [{"event": "entry", "number": 1, "title": own, "url": url} for own, url in entries]
    kept = [
        one for one in told if answer(one, end, directory=directory) is not None
    ]  # an address that is none is refused
    assert all(one in kept for one in told if one["url"] is None)
    listed = [{**one, "number": number} for number, one in enumerate(kept, 1)]
    found = answer(*listed, end, directory=directory)
    if not kept:
        assert found is None
        return
    assert isinstance(found, FoundPlaylist)
    assert len(found.entries) == len(kept)
    playlist = steps.expand(running(), Playlist(title=found.title, total=len(found.entries)), now=NOW)
    check_job(playlist)
    for index, entry in enumerate(found.entries, 1):
        place = PlaylistItem(parent_id=playlist.id, index=index, total=len(found.entries), entry=entry.entry)
        item = steps.new(
            job_id=ids.new_id(NOW), tenant="acme", url=entry.url, name=entry.title or None, options=Options(),
            retention_days=7, item=place, now=NOW,
        )  # fmt: skip
        check_job(item)
        check(downloads.detailed(playlist, lambda _: None, [item]))  # type: ignore[arg-type,return-value]


@given(short=texts, title=texts, address=addresses, languages=st.lists(texts, max_size=3))
def test_inspection_is_shown_without_what_deceives(
    directory: Path, short: str, title: str, address: str, languages: list[str]
) -> None:
    one = {
        "event": "format", "format_id": short, "extension": short, "format_note": short, "video_codec": short,
        "audio_codec": short, "has_video": True, "has_audio": False,
    }  # fmt: skip
    fields = {
        "event": "inspected", "title": title, "webpage_url": address, "uploader": short, "thumbnail": address,
        "is_live": False, "subtitles": languages, "is_playlist": False,
    }  # fmt: skip
    found = answer(one, fields, directory=directory, inspect=True)
    assert isinstance(found, Inspection)
    check(info.inspected(found))


@given(code=texts, detail=texts, extractor=texts)
def test_failure_is_told_without_what_deceives(directory: Path, code: str, detail: str, extractor: str) -> None:
    for told in (code, ExtractorBroken.code):
        found = answer({"event": "failed", "code": told, "detail": detail, "extractor": extractor}, directory=directory)
        assert isinstance(found, Failed)
        check(found.detail)
        check_job(steps.fail(running(), found.error, now=NOW))
        if isinstance(found.error, ExtractorBroken):
            check(found.error.extractor)


def test_metric_of_a_broken_extractor_is_one_line(capsys: pytest.CaptureFixture[str], directory: Path) -> None:
    for extractor in ("Good", "\u202eevil", "a\nb", '{"_aws":1}', "x" * 900):
        told = {"event": "failed", "code": ExtractorBroken.code, "detail": "", "extractor": extractor}
        found = answer(told, directory=directory)
        assert isinstance(found, Failed)
        assert isinstance(found.error, ExtractorBroken)
        Measures("Reelhaul").extractor_broken(running(), found.error.extractor)
    lines = capsys.readouterr().out.splitlines()
    assert [json.loads(line)["extractor"] for line in lines] == ["Good", "unknown", "unknown", "unknown", "unknown"]


# --- what is logged ---------------------------------------------------------------------------------------------------

ALL = "".join(HOSTILE).replace("\ud800", "")


@pytest.mark.parametrize("line", [
    json.dumps({"event": "failed", "code": "source.failed", "detail": ALL}),
    json.dumps({"event": ALL}),
    json.dumps({"event": "failed", "code": ALL, "detail": "", "extractor": ALL}),
    json.dumps({"event": "progress", "phase": ALL}),
    json.dumps({"event": "finished", "path": ALL, "title": ALL}),
    ALL,
])  # fmt: skip
def test_log_has_nothing_of_what_a_fetcher_says_that_deceives(fetching: Fetching, impostor: Path, line: str) -> None:
    (fetching.directory / "line").write_bytes(line.encode() + b"\n")
    (fetching.directory / "stderr").write_bytes(b"Traceback:\n  " + ALL.encode() + b"\xff\xfe\n" + b"the end")
    write_impostor(impostor, "cat stderr >&2; cat line")
    with pytest.raises(SourceError):
        fetching("clip.mp4")
    ((_, fields),) = fetching.logged
    check({name: str(value).split("\n") for name, value in fields.items()})


def test_last_words_of_a_dead_fetcher_are_logged_without_what_deceives(fetching: Fetching, impostor: Path) -> None:
    (fetching.directory / "stderr").write_bytes(b"Traceback:\n  " + ALL.encode() + b"\xff\xfe\n" + b"the end")
    write_impostor(impostor, "cat stderr >&2; kill -9 $$")
    with pytest.raises(WorkerCrashed):
        fetching("clip.mp4")
    ((event, fields),) = fetching.logged
    assert event == "fetcher_died"
    lines = fields["stderr"].split("\n")
    assert (lines[0], lines[-1]) == ("Traceback:", "the end")
    check(lines)
