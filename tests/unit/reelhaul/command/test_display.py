"""What is on a terminal while downloads are under way, and after an interrupt."""

import io
from pathlib import Path

import pytest
from rich.console import Console
from rich.text import Text

from reelhaul.client import Job
from reelhaul.command import get
from reelhaul.command.access import Access
from reelhaul.command.display import Bars, JsonLines, Lines
from tests.screen import screen
from tests.serving import JOB_ID, RUNNING, Said, Server, job

URL = "https://media.example/a/rather/long/way/down/to/talk.mp4"


def shown(*, width: int = 100) -> tuple[Bars, io.StringIO]:
    """Bars, and the terminal that they are on."""
    terminal = io.StringIO()
    return Bars(
        Console(file=terminal, force_terminal=True, width=width, highlight=False, legacy_windows=False)
    ), terminal


def test_bar_tells_how_far_it_has_come_and_how_long_it_takes() -> None:
    bars, terminal = shown()
    with bars:
        bars.submitted(URL, Job.of(job(RUNNING)))
        bars.fetching(URL, Job.of(job(RUNNING)))
        last = screen(terminal.getvalue()).splitlines()[-1]
    for part in ("fetching", "…", "to/talk.mp4", "42%", "3.2 MB/s", "2:00"):
        assert part in last


def test_name_that_looks_like_an_order_is_shown_as_it_reads() -> None:
    bars, terminal = shown()
    with bars:
        bars.saving(URL, "[red]a\x1b[2J\nb", 50, 100)
        last = screen(terminal.getvalue()).splitlines()[-1]
    assert "[red]a [2J b" in last
    assert "50%" in last


def test_what_has_ended_leaves_a_line_and_no_bar(tmp_path: Path) -> None:
    bars, terminal = shown()
    with bars:
        bars.fetching(URL, Job.of(job(RUNNING)))
        bars.fetching("other", Job.of(job(RUNNING)))
        bars.saved(URL, Job.of(job("done")), tmp_path / "talk.mp4")
        bars.failed("other", JOB_ID, "source.timed_out", "Too slow.")
    text = Text.from_ansi(screen(terminal.getvalue())).plain
    assert f"saved {tmp_path}/talk.mp4" in text
    assert "failed other: Too slow. (source.timed_out)" in text
    assert f"reelhaul retry {JOB_ID}" in text
    assert "%" not in text


def test_bar_of_a_playlist_goes_with_its_last_item() -> None:
    bars, terminal = shown()
    with bars:
        bars.submitted(URL, Job.of(job("playlist")))
        assert "%" in screen(terminal.getvalue())
        bars.ended(URL, Job.of(job("playlist")), Path("All"), saved=1)
        assert "%" not in screen(terminal.getvalue())


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """Somebody sits there, and says yes to everything."""
    answers = io.StringIO("y\n")
    monkeypatch.setattr(answers, "isatty", lambda: True)
    monkeypatch.setattr("sys.stdin", answers)


@pytest.fixture
def server() -> "Server":
    return Server()


def test_interrupt_cancels_what_still_runs_and_keeps_what_is_done(
    server: Server, terminal: None, capsys: pytest.CaptureFixture[str]
) -> None:
    server.tell(f"DELETE /api/downloads/{JOB_ID}", Said({"message": "Download cancelled"}))
    with server:
        code = get.interrupted(
            Access(url=server.url, key="sk-a", origin=""), Lines(), {JOB_ID: True, "download-2": False}
        )
    assert code == 130
    assert server.paths() == [f"DELETE /api/downloads/{JOB_ID}"]
    told = capsys.readouterr().err
    assert f"{JOB_ID} is cancelled." in told
    assert told.endswith("reelhaul get download-2\n")


def test_interrupt_says_so_where_it_could_not_be_cancelled(
    server: Server, terminal: None, capsys: pytest.CaptureFixture[str]
) -> None:
    with server:
        get.interrupted(Access(url=server.url, key="sk-a", origin=""), Lines(), {JOB_ID: True})
    assert f"{JOB_ID} could not be cancelled" in capsys.readouterr().err


def test_nobody_is_asked_anything_in_json(server: Server, terminal: None, capsys: pytest.CaptureFixture[str]) -> None:
    with server:
        get.interrupted(Access(url=server.url, key="sk-a", origin=""), JsonLines(), {JOB_ID: True})
    assert server.asked == []
    assert f"reelhaul get {JOB_ID}" in capsys.readouterr().err
