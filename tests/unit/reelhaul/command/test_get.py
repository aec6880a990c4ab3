"""`reelhaul get` against a server in the contract's shapes; the real service is in tests/e2e/command."""

import io
import json
import os
import signal
import time
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from reelhaul.command.display import Bars
from reelhaul.command.get import clip
from tests.screen import screen
from tests.serving import (
    CONTENT,
    DONE,
    FAILED,
    JOB_ID,
    RUNNING,
    Asked,
    Said,
    Server,
    Storage,
    error,
    example,
    job,
    shown,
)
from tests.unit.reelhaul.command.conftest import KEY, Run

URL = "https://media.example/talk.mp4"
ITEM_IDS = [row["id"] for row in job("playlist")["items"]]


@pytest.fixture
def talk(server: Server) -> Server:
    """A service that has a talk for everybody."""
    server.tell("POST /download", Said(example("POST /download", "a file under a name")))
    server.tell(f"GET /async-response/{JOB_ID}", Said(example("GET /async-response/{id}", DONE)))
    server.tell_of_file(Storage())
    return server


def failing(server: Server) -> None:
    server.tell(f"GET /async-response/{JOB_ID}", Said(example("GET /async-response/{id}", FAILED)))
    server.tell(f"GET /download/{JOB_ID}", shown(FAILED))


def events(out: str) -> list[dict[str, object]]:
    return [json.loads(line) for line in out.splitlines()]


def test_file_is_there_and_said_where(run: Run, talk: Server, here: Path) -> None:
    code, out, err = run("get", URL)

    assert (code, err) == (0, "")
    assert out == f"submitted {JOB_ID} {URL}\nsaved a talk.mp4\n"
    assert (here / "a talk.mp4").read_bytes() == CONTENT


def test_json_is_an_object_a_line_with_stable_fields(run: Run, talk: Server) -> None:
    code, out, _ = run("get", URL, "--json")

    assert code == 0
    submitted, saved = events(out)
    assert submitted == {"event": "submitted", "asked": URL, "id": JOB_ID}
    assert saved == {
        "event": "saved", "asked": URL, "id": JOB_ID, "url": URL, "path": "a talk.mp4", "bytes": len(CONTENT),
        "sha256": Storage().sha256, "playlist_id": None, "subtitles_missing": [],
    }  # fmt: skip


def test_failed_job_is_told_with_its_reason_and_exit_code(run: Run, talk: Server, here: Path) -> None:
    failing(talk)
    code, _, err = run("get", URL)
    assert code == 4
    assert err == f"failed {URL}: The source says that this media does not exist (any more). (source.not_found)\n"
    assert list(here.iterdir()) == []


def test_failure_in_json_has_its_code(run: Run, talk: Server) -> None:
    failing(talk)
    code, out, _ = run("get", URL, "--json")
    assert code == 4
    assert events(out)[1] == {
        "event": "failed", "asked": URL, "id": JOB_ID, "url": URL, "code": "source.not_found",
        "message": "The source says that this media does not exist (any more).", "playlist_id": None,
    }  # fmt: skip


def test_what_can_be_done_about_a_failure_is_said(run: Run, talk: Server) -> None:
    failing(talk)
    login = {"error": "Only for users.", "error_code": "source.login_required"}
    talk.tell(f"GET /download/{JOB_ID}", shown(FAILED, **login))
    _, _, err = run("get", URL)
    assert "reelhaul sites set media.example" in err


def test_one_that_fails_does_not_keep_the_others(run: Run, talk: Server, here: Path) -> None:
    talk.tell(
        "POST /download", error(403, "source.site_not_allowed"), Said(example("POST /download", "a file under a name"))
    )
    code, out, err = run("get", URL, "https://media.example/other.mp4", "--at-once", "1")
    assert code == 4
    assert "saved a talk.mp4" in out
    assert "source.site_not_allowed" in err


@pytest.mark.parametrize(
    ("arguments", "asked"),
    [
        (["--quality", "720p", "--name", "mine"], {"quality": "720p", "name": "mine"}),
        (["--audio"], {"download_type": "audio", "audio_format": "best"}),
        (["--audio", "mp3"], {"download_type": "audio", "audio_format": "mp3"}),
        (["--clip", "1:30-2:00.5", "--container", "mkv"], {"clip": {"start": 90, "end": 120.5}, "container": "mkv"}),
        (["--subtitles", "en, pt-BR"], {"subtitles": ["en", "pt-BR"]}),
        (["--no-playlist", "--retention-days", "2"], {"playlist": "false", "retention_days": 2}),
        (["--playlist", "--playlist-limit", "3"], {"playlist": "true", "playlist_limit": 3}),
    ],
)
def test_options_become_those_of_the_contract(run: Run, talk: Server, arguments: list[str], asked: object) -> None:
    assert run("get", *arguments, "--", URL)[0] == 0
    assert talk.asked[0].body == {"stream_link": URL, **asked}  # type: ignore[dict-item]


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("5-10", (5, 10)), ("-10", (None, 10)), ("1:02:03-", (3723, None)), ("0.5-0:01.25", (0.5, 1.25))],
)
def test_clip_is_read_as_people_write_it(text: str, seconds: tuple[float | None, float | None]) -> None:
    assert (clip(text).get("start"), clip(text).get("end")) == seconds


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["talk.example/a.mp4"], "Did you mean https://talk.example/a.mp4?"),
        ([""], "cannot be fetched"),
        (["ftp://a.example/b"], "it must be an http or https URL"),
        ([URL, "https://user:pw@a.example/"], "user name or password"),
        ([URL, "--clip", "20-10"], "clip.end must lie after clip.start"),
        ([URL, "--clip", "x"], "is not START-END"),
        ([URL, "--audio", "mp3", "--container", "mkv"], "container is for video"),
        ([URL, "--quality", "999p"], "invalid choice"),
        ([URL, "--at-once", "0"], "not a whole number"),
        ([URL, f"{URL}?2", "--name", "x"], "--name is for a single URL."),
        ([URL, f"{URL}?2", "-o", "one.mp4"], "is no directory"),
        ([], "required: URL"),
        (["--", "-x"], "cannot be fetched"),
        ([JOB_ID, "--no-wait"], "--no-wait is for URLs"),
        ([URL, JOB_ID, "--audio"], "leave out what is wanted (audio_format, download_type)"),
        ([JOB_ID, "--name", "x"], "as it was asked for"),
        ([URL, "--name", "\udcff"], "is not UTF-8"),
        ([f"{URL}?\udcff"], "is not UTF-8"),
    ],
)
def test_what_makes_no_sense_is_refused_before_anything_begins(
    run: Run, talk: Server, arguments: list[str], sentence: str
) -> None:
    code, out, err = run("get", *arguments)
    assert code == 2
    assert out == ""
    assert sentence in err
    assert talk.asked == []


def test_every_senseless_url_of_several_is_named(run: Run, talk: Server) -> None:
    _, _, err = run("get", "one", URL, "two")
    assert "'one'" in err
    assert "'two'" in err
    assert "Nothing was begun." in err


def given(monkeypatch: pytest.MonkeyPatch, said: bytes) -> None:
    """What standard input says."""
    monkeypatch.setattr("sys.stdin", io.TextIOWrapper(io.BytesIO(said), encoding="utf-8"))


@pytest.mark.parametrize("said", [f"# M\xe4rz\n{URL}\n".encode("latin-1"), f"{URL}\n".encode("utf-16")])
def test_list_that_is_not_utf_8_is_said_as_such(
    run: Run, talk: Server, monkeypatch: pytest.MonkeyPatch, said: bytes
) -> None:
    given(monkeypatch, said)
    code, _, err = run("get", "-")
    assert code == 2
    assert "is not UTF-8" in err
    assert talk.asked == []


def test_urls_are_read_from_standard_input(run: Run, talk: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    given(monkeypatch, f"\ufeff# my list\r\n{URL}\r\n\r\n{URL}\r\n".encode())
    code, out, _ = run("get", "-")
    assert code == 0
    assert out.count("submitted") == 1


def test_output_is_a_directory_or_the_file_itself(run: Run, talk: Server, here: Path) -> None:
    assert run("get", URL, "-o", "talks/")[1].endswith("saved talks/a talk.mp4\n")
    assert run("get", URL, "-o", "mine.mp4")[1].endswith("saved mine.mp4\n")
    assert (here / "mine.mp4").read_bytes() == (here / "talks" / "a talk.mp4").read_bytes() == CONTENT


def test_id_stands_for_a_job_that_is_there(run: Run, talk: Server) -> None:
    code, out, _ = run("get", JOB_ID)
    assert (code, out) == (0, "saved a talk.mp4\n")
    assert not any(asked.method == "POST" for asked in talk.asked)


def test_without_waiting_it_is_only_submitted(run: Run, talk: Server) -> None:
    code, out, _ = run("get", URL, "--no-wait")
    assert (code, out) == (0, f"submitted {JOB_ID} {URL}\n")
    assert talk.paths() == ["POST /download"]


def test_limit_of_jobs_at_a_time_is_waited_for(run: Run, talk: Server) -> None:
    full = error(429, "limit.concurrent_jobs", Retry_After="0")
    talk.tell("POST /download", full, Said(example("POST /download", "a file under a name")))
    code, out, err = run("get", URL)
    assert code == 0
    assert "saved" in out
    assert "Waiting until one of them has ended." in err


def test_limit_of_a_day_is_a_failure(run: Run, talk: Server) -> None:
    talk.tell("POST /download", error(429, "limit.jobs_per_day", Retry_After="3000"))
    code, _, err = run("get", URL)
    assert code == 4
    assert "midnight UTC" in err


def playlist(server: Server, **of_second: object) -> None:
    """Of two items, the second of which has failed unless something else is said of it."""
    first, second = ITEM_IDS
    known = {"filesize": len(CONTENT), "checksum_sha256": Storage().sha256, "playlist_id": JOB_ID}
    item = {"name": "first.mp4", "download_url": f"{server.url}/file", **known}
    server.tell(f"GET /download/{JOB_ID}", shown("playlist", status="done", name="All/talks"))
    server.tell(f"GET /download/{first}", shown(DONE, **{**item, "id": first}))
    failed = shown(FAILED, id=second, playlist_id=JOB_ID, error_code="source.blocked", url="https://item.example/2")
    server.tell(f"GET /download/{second}", shown(DONE, **{**item, "id": second, **of_second}) if of_second else failed)


def test_playlist_becomes_a_directory_of_its_items(run: Run, talk: Server, here: Path) -> None:
    failed = ITEM_IDS[1]
    playlist(talk)

    code, out, err = run("get", URL)

    assert code == 4
    assert out.count("saved All_talks/first.mp4") == 1
    assert f"failed {failed}" in err
    assert (here / "All_talks" / "first.mp4").read_bytes() == CONTENT


def test_subtitles_are_saved_beside_the_file(run: Run, talk: Server, here: Path) -> None:
    row = {"language": "en", "format": "vtt", "filesize": 7, "url": f"{talk.url}/subtitles"}
    talk.tell_of_file(Storage(), subtitles=[row])
    talk.tell("GET /subtitles", Storage(b"WEBVTT\n"))
    assert run("get", URL, "--subtitles", "en")[0] == 0
    assert (here / "a talk.en.vtt").read_bytes() == b"WEBVTT\n"


def test_remote_title_can_give_the_terminal_no_orders(run: Run, talk: Server, here: Path) -> None:
    talk.tell_of_file(Storage(), name="a\x1b]0;owned\x07\x1b[2J.mp4")
    _, out, err = run("get", URL)
    assert "\x1b" not in out + err
    assert "\x1b" not in "".join(path.name for path in here.iterdir())


def test_error_of_the_service_can_give_the_terminal_no_orders(run: Run, talk: Server) -> None:
    failing(talk)
    talk.tell(f"GET /download/{JOB_ID}", shown(FAILED, error="\x1b[2Jbad\x07"))
    assert "\x1b" not in run("get", URL)[2]


def test_disk_that_takes_nothing_is_our_failure_and_not_the_jobs(run: Run, talk: Server, here: Path) -> None:
    (here / "file").touch()
    code, _, err = run("get", URL, "-o", "file/")
    assert code == 1
    assert "client.disk" in err


@pytest.mark.parametrize(
    ("said", "sentence"),
    [(error(401, "auth.unauthorized"), "reelhaul login"), (Said(b"<html></html>"), "Is it another one?")],
)
def test_service_that_cannot_be_used_ends_everything_with_3(run: Run, talk: Server, said: Said, sentence: str) -> None:
    talk.tell("POST /download", said)
    code, out, err = run("get", *(f"{URL}?{number}" for number in range(9)))
    assert code == 3
    assert out == ""
    assert sentence in err
    assert len(talk.asked) <= 4


def test_nobody_there_is_3(run: Run) -> None:
    code, _, err = run("get", URL, "--url", "http://127.0.0.1:9", "--key", KEY)
    assert code == 3
    assert "does not answer" in err


def test_running_job_that_is_asked_for_by_id_is_waited_for(run: Run, talk: Server) -> None:
    done = {"name": "a talk.mp4", "download_url": f"{talk.url}/file", "filesize": len(CONTENT)}
    done["checksum_sha256"] = Storage().sha256
    talk.tell(f"GET /download/{JOB_ID}", shown(RUNNING), shown(DONE, **done))
    assert run("get", JOB_ID)[0] == 0
    assert f"GET /async-response/{JOB_ID}" in talk.paths()


def test_items_name_their_playlist_which_has_an_end(run: Run, talk: Server) -> None:
    playlist(talk)
    code, out, _ = run("get", URL, "--json")
    assert code == 4
    by_id = {event["id"]: event for event in events(out) if event["event"] in {"saved", "failed"}}
    assert [by_id[item]["playlist_id"] for item in ITEM_IDS] == [JOB_ID, JOB_ID]
    assert events(out)[-1] == {
        "event": "playlist", "asked": URL, "id": JOB_ID, "url": URL, "path": "All_talks", "saved": 1, "failed": 1,
    }  # fmt: skip


def test_each_item_is_asked_for_once_and_not_all_at_a_time(run: Run, talk: Server) -> None:
    playlist(talk)
    run("get", URL, "--at-once", "1")
    assert [path for path in talk.paths() if path != "POST /download"] == [
        f"GET /async-response/{JOB_ID}", f"GET /download/{JOB_ID}", f"GET /download/{ITEM_IDS[0]}", "GET /file",
        f"GET /download/{ITEM_IDS[1]}",
    ]  # fmt: skip


def test_advice_for_an_item_names_its_own_site(run: Run, talk: Server) -> None:
    playlist(talk)
    assert "sites set item.example" in run("get", URL)[2]


def test_overwriting_loses_no_item_of_the_same_title(run: Run, talk: Server, here: Path) -> None:
    other = Storage(b"x" * 1000)
    playlist(talk, filesize=1000, checksum_sha256=other.sha256, download_url=f"{talk.url}/other")
    talk.tell("GET /other", other)
    (here / "All_talks").mkdir()
    (here / "All_talks" / "first.mp4").write_bytes(b"old")
    assert run("get", URL, "--overwrite")[0] == 0
    found = sorted(path.read_bytes() for path in (here / "All_talks").iterdir())
    assert found == sorted([CONTENT, other.content])


def test_missing_subtitles_are_said(run: Run, talk: Server) -> None:
    talk.tell_of_file(Storage(), subtitles_missing=["pt-BR"])
    assert "a talk.mp4: there are no subtitles in pt-BR." in run("get", URL, "--subtitles", "pt-BR")[2]
    out = run("get", URL, "--subtitles", "pt-BR", "--json")[1]
    assert events(out)[-1]["subtitles_missing"] == ["pt-BR"]


def test_overwriting_is_for_subtitles_as_well(run: Run, talk: Server, here: Path) -> None:
    row = {"language": "en", "format": "vtt", "filesize": 7, "url": f"{talk.url}/subtitles"}
    talk.tell_of_file(Storage(), subtitles=[row])
    talk.tell("GET /subtitles", Storage(b"WEBVTT\n"))
    (here / "a talk.en.vtt").write_bytes(b"old")
    assert run("get", URL, "--subtitles", "en", "--overwrite")[0] == 0
    assert (here / "a talk.en.vtt").read_bytes() == b"WEBVTT\n"


@pytest.mark.parametrize("target", ["file/", "dir/"])
def test_failure_that_may_pass_says_how_to_go_on_with_its_job(
    run: Run, talk: Server, here: Path, target: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelhaul.client.tries.PAUSES_S", (0.0,) * 7)
    (here / "file").touch()
    talk.tell("GET /file", Said(b"", 500))
    err = run("get", URL, "-o", target)[2]
    assert f"reelhaul get {JOB_ID}" in err
    assert events(run("get", URL, "-o", target, "--json")[1])[-1]["id"] == JOB_ID


def test_refusal_of_a_job_has_its_id(run: Run, talk: Server) -> None:
    talk.tell(f"GET /download/{JOB_ID}", error(404, "job.not_found"))
    assert events(run("get", JOB_ID, "--json")[1])[-1]["id"] == JOB_ID


def test_what_ends_everything_says_what_is_left(run: Run, talk: Server) -> None:
    talk.tell(f"GET /async-response/{JOB_ID}", error(401, "auth.unauthorized"))
    code, _, err = run("get", URL, f"{URL}?2", "--at-once", "1")
    assert code == 3
    assert f"reelhaul get {JOB_ID}" in err
    assert "Not begun: 1 URL." in err


@pytest.fixture
def bars(monkeypatch: pytest.MonkeyPatch) -> io.StringIO:
    """A terminal that the command shows its bars on."""
    terminal = io.StringIO()
    console = Console(file=terminal, force_terminal=True, width=160, highlight=False, legacy_windows=False)
    monkeypatch.setattr("reelhaul.command.get.display", lambda **_: Bars(console))
    return terminal


def left_on(terminal: io.StringIO) -> str:
    return Text.from_ansi(screen(terminal.getvalue())).plain


def test_without_waiting_the_terminal_keeps_the_id(run: Run, talk: Server, bars: io.StringIO) -> None:
    assert run("get", URL, "--no-wait")[0] == 0
    assert f"submitted {JOB_ID} {URL}" in left_on(bars)


def test_network_that_is_gone_for_seconds_ends_no_wait_at_a_terminal(
    run: Run, talk: Server, bars: io.StringIO, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("reelhaul.client.calls.PATIENT_WAITS_S", (0.0,) * 7)
    done = {"name": "a talk.mp4", "download_url": f"{talk.url}/file", "filesize": len(CONTENT)}
    gone = [Said(b"x", cut=0)] * 5
    talk.tell(f"GET /download/{JOB_ID}", shown(RUNNING), *gone, shown(DONE, checksum_sha256=Storage().sha256, **done))
    assert run("get", JOB_ID)[0] == 0
    assert "saved a talk.mp4" in left_on(bars)


def test_job_that_is_made_in_the_moment_of_an_interrupt_is_told(run: Run, talk: Server) -> None:
    def interrupted(_: Asked) -> Said:
        os.kill(os.getpid(), signal.SIGINT)
        time.sleep(0.3)  # the answer comes after the interrupt
        return Said(example("POST /download", "a file under a name"))

    talk.tell("POST /download", interrupted)
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        code, _, err = run("get", URL, f"{URL}?2", f"{URL}?3", "--at-once", "1")
    finally:
        signal.signal(signal.SIGINT, before)
    assert code == 130
    assert f"reelhaul get {JOB_ID}" in err
    assert "Not begun: 2 URLs." in err
