"""The command on the running service: from an address to a file on the disk, and whatever comes between."""

import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.e2e.clients.titles import TITLES, page_titled
from tests.e2e.command.running import INTERRUPTIBLE, Command
from tests.e2e.command.slow_proxy import SlowProxy
from tests.e2e.running import KEY, Client, Service, until
from tests.media import SourceServer, probed

pytestmark = pytest.mark.e2e


@pytest.fixture
def command(service: Service, tmp_path: Path) -> Command:
    (tmp_path / "here").mkdir()
    return Command(service.url, tmp_path / "here")


@pytest.fixture(scope="module")
def done(service: Service, source: SourceServer) -> str:
    """The id of a job with clip.mp4 that has ended well."""
    client = service.client()
    return str(client.ended(client.create(source.url("clip.mp4")))["id"])


def clip(source: SourceServer) -> bytes:
    return (source.directory / "clip.mp4").read_bytes()


def events(out: str) -> list[dict[str, str]]:
    return [json.loads(line) for line in out.splitlines()]


# --- get --------------------------------------------------------------------------------------------------------------


def test_file_is_saved_under_its_title(command: Command, source: SourceServer) -> None:
    """One that could order a terminal about, and is no name for a file."""
    ended = command("get", page_titled(source, "control"))

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.endswith(f"saved {TITLES['control'].name}\n")
    assert (command.directory / TITLES["control"].name).read_bytes() == clip(source)


def test_several_at_once_are_told_as_json_with_their_options(command: Command, source: SourceServer) -> None:
    urls = [source.url("clip.mp4"), source.url("other/clip.mp4"), source.url("status/404")]

    ended = command("get", *urls, "--audio", "mp3", "--clip", "0-1", "--json")

    assert ended.returncode == 4, ended.stderr
    saved = [event for event in events(ended.stdout) if event["event"] == "saved"]
    assert {event["asked"] for event in saved} == set(urls[:2])
    for event in saved:
        path = command.directory / event["path"]
        assert hashlib.sha256(path.read_bytes()).hexdigest() == event["sha256"]
        assert probed(path)["codecs"] == ["mp3"]
        assert probed(path)["duration_s"] == pytest.approx(1, abs=0.2)
    assert {path.name for path in command.directory.iterdir()} == {"clip.mp3", "clip (2).mp3"}
    [failed] = [event for event in events(ended.stdout) if event["event"] == "failed"]
    assert (failed["asked"], failed["code"]) == (urls[2], "source.not_found")


def test_playlist_becomes_a_directory_and_says_which_item_failed(command: Command, source: SourceServer) -> None:
    ended = command("get", source.url("feed/4"), "--name", "my list")

    assert ended.returncode == 4
    assert "(source.not_found)" in ended.stderr
    files = sorted((command.directory / "my list").iterdir())
    assert len(files) == 3
    assert [file.read_bytes() for file in files].count(clip(source)) == 2


def test_bars_come_along_and_leave_a_line_for_the_file(command: Command, source: SourceServer) -> None:
    with command.in_terminal("get", source.url("slow/clip.mp4?rate=20000"), "--name", "my video") as terminal:
        terminal.shows("fetching")
        terminal.shows("saved my video.mp4")
        assert terminal.ended() == 0
    assert "kB/s" in terminal.text
    assert (command.directory / "my video.mp4").read_bytes() == clip(source)


@pytest.mark.parametrize(("answer", "status"), [("y", "error"), ("n", "processing")])
def test_ctrl_c_asks_whether_the_service_is_to_stop_too(
    command: Command, client: Client, source: SourceServer, answer: str, status: str
) -> None:
    with command.in_terminal("get", source.url("slow/clip.mp4?rate=2000")) as terminal:
        terminal.shows("fetching")
        terminal.press("\x03")
        terminal.shows("[y/N]")
        terminal.press(f"{answer}\n")
        assert terminal.ended() == 130
    assert "Traceback" not in terminal.text
    newest = client.call("GET", "/download?count=1").json["data"]["downloads"][0]
    assert newest["status"] == status
    if status == "processing":
        assert f"reelhaul get {newest['id']}" in terminal.text
        client.call("DELETE", f"/download/{newest['id']}")


def test_without_a_terminal_an_interrupt_says_how_to_go_on(
    command: Command, client: Client, source: SourceServer
) -> None:
    process = subprocess.Popen(
        [*INTERRUPTIBLE, "get", source.url("slow/clip.mp4?rate=2000")], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        text=True, cwd=command.directory, env=command.environment(), stdin=subprocess.DEVNULL,
    )  # fmt: skip
    assert process.stdout is not None
    job_id = process.stdout.readline().split()[1]

    process.send_signal(2)
    _, err = process.communicate(timeout=60)

    assert process.returncode == 130
    assert f"reelhaul get {job_id}" in err
    assert client.job(job_id)["status"] == "processing"
    client.call("DELETE", f"/download/{job_id}")


def test_killed_in_the_middle_it_goes_on_there_the_next_time(command: Command, done: str, source: SourceServer) -> None:
    with SlowProxy(bytes_per_s=60_000) as proxy:
        process = command.begun("get", done, HTTP_PROXY=proxy.url, NO_PROXY="")
        until(lambda: _part(command), lambda part: part > 0, within_s=60)
        process.kill()
        process.wait()
        had = _part(command)
        assert 0 < had < len(clip(source))
        proxy.bytes_per_s, before = 1e9, len(proxy.ranges)

        ended = command("get", done, HTTP_PROXY=proxy.url, NO_PROXY="")

    assert ended.returncode == 0, ended.stderr
    assert [asked for asked in proxy.ranges[before:] if asked] == [f"bytes={had}-"]
    [path] = command.directory.iterdir()
    assert path.read_bytes() == clip(source)


def _part(command: Command) -> int:
    return sum(path.stat().st_size for path in command.directory.glob("*.part"))


# --- who is called, and with what -------------------------------------------------------------------------------------


def test_wrong_key_is_said_and_ends_with_3(command: Command, source: SourceServer) -> None:
    ended = command("get", source.url("clip.mp4"), REELHAUL_KEY="sk-of-another-service")
    assert ended.returncode == 3
    assert "reelhaul login" in ended.stderr


def test_server_that_is_not_ours_is_recognised(command: Command, source: SourceServer) -> None:
    ended = command("login", "--url", f"http://{source.origin}", "--key-from-stdin", stdin=f"{KEY}\n")
    assert ended.returncode == 3
    assert "not how Reelhaul does" in ended.stderr
    assert not (command.directory.parent / ".config").exists()


def test_after_a_login_nothing_has_to_be_named(command: Command, done: str) -> None:
    with command.in_terminal("login", "--url", command.url) as terminal:
        terminal.shows("Access key")
        terminal.press(f"{KEY}\n")
        assert terminal.ended() == 0

    listed = command("list", "--json", REELHAUL_URL="", REELHAUL_KEY="")

    assert listed.returncode == 0, listed.stderr
    assert done in [row["id"] for row in events(listed.stdout)]


# --- jobs that are there ----------------------------------------------------------------------------------------------


def test_job_is_cancelled_retried_and_removed_by_its_id(command: Command, client: Client, source: SourceServer) -> None:
    job_id = command("get", source.url("slow/clip.mp4?rate=2000"), "--no-wait").stdout.split()[1]
    assert command("retry", job_id).returncode == 1  # it is under way
    assert command("cancel", job_id).returncode == 0
    assert "cancelled" in command("status", job_id).stdout
    assert command("retry", job_id).returncode == 0
    assert client.job(job_id)["status"] == "processing"
    assert command("rm", job_id).returncode == 0
    assert command("status", job_id).returncode == 1


def test_link_is_opened_in_the_browser(command: Command, done: str) -> None:
    script = command.directory / "browser"
    script.write_text('#!/bin/sh\necho "$1" > opened\n')
    script.chmod(0o755)
    assert command("open", done, BROWSER=f"{script} %s").returncode == 0
    assert (command.directory / "opened").read_text().startswith("http://127.0.0.1:")


# --- doctor and shells ------------------------------------------------------------------------------------------------


def test_doctor_finds_nothing_wrong_with_a_service_that_is_well(command: Command, source: SourceServer) -> None:
    ended = command("doctor", "--source", source.url("clip.mp4"), "--local", command.url)

    assert ended.returncode == 0, ended.stdout + ended.stderr
    found = [line.split()[:2] for line in ended.stdout.splitlines()]
    assert [state for state, _ in found] == ["ok"] * 10
    assert [what for _, what in found] == [
        "config", "service", "clock", "key", "download", "credentials", "stack", "queue", "dead", "worker",
    ]  # fmt: skip


def test_doctor_says_what_to_do_where_nothing_runs(command: Command) -> None:
    ended = command("doctor", "--local", "http://127.0.0.1:9", REELHAUL_URL="http://127.0.0.1:9")
    assert ended.returncode == 1
    assert "-> Start it: reelhaul serve" in ended.stdout


def test_shell_completes_commands_and_options(command: Command) -> None:
    for line, wanted in (("reelhaul st", {"status"}), ("reelhaul get --quality 14", {"1440p", "144p"})):
        asked = {"_ARGCOMPLETE": "1", "COMP_LINE": line, "COMP_POINT": str(len(line)), "_ARGCOMPLETE_IFS": "\n"}
        answer = command.directory / "answer"
        command(**asked, _ARGCOMPLETE_STDOUT_FILENAME=str(answer))
        assert {word.strip() for word in answer.read_text().splitlines()} == wanted


def test_bash_takes_what_it_is_told(command: Command) -> None:
    script = 'eval "$(reelhaul completion bash)" && complete -p reelhaul'
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    shell = subprocess.run(
        ["bash", "-c", script], capture_output=True, text=True, check=False, env=command.environment(PATH=path)
    )
    assert shell.returncode == 0, shell.stderr
    assert "reelhaul" in shell.stdout
