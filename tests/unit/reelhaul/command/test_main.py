"""The command as a whole: its parts, its words, and what it loads."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from reelhaul import cli, errors
from reelhaul.client import ClientError
from reelhaul.command import advice, exits, words
from reelhaul.command.exits import Exit
from reelhaul.command.main import OPERATING
from tests.named import ROOT
from tests.serving import DONE, Said, Server, example, job
from tests.unit.reelhaul.command.conftest import Run


def known_codes() -> set[str]:
    """Of all errors, the service's and the client's."""
    left: list[type[errors.ReelhaulError] | type[ClientError]] = [errors.ReelhaulError, ClientError]
    found = {"job.cancelled", "client.disk"}  # none of an error of ours: see `steps`, and of an OSError
    while left:
        cls = left.pop()
        found.add(cls.code)
        left += cls.__subclasses__()
    return found


def test_help_tells_every_exit_code(run: Run) -> None:
    _, out, _ = run("--help")
    assert {int(code) for code in re.findall(r"^  (\d+) ", out, re.MULTILINE)} == set(Exit)


def test_whoever_runs_it_has_the_commands_that_help_names(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        cli.main(["--help"])
    shown = set(re.findall(r"^    (\w+) ", capsys.readouterr().out, re.MULTILINE))
    assert shown == set(OPERATING)


@pytest.mark.parametrize("command", OPERATING)
def test_commands_of_whoever_runs_it_are_handed_over(run: Run, command: str) -> None:
    code, out, _ = run(command, "--help")
    assert code == 0
    assert out.startswith(f"usage: reelhaul {command}")


def test_files_are_fetched_without_the_sdk_of_aws() -> None:
    code = "import reelhaul.command.main, reelhaul.client, sys; print(*sys.modules)"
    loaded = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
    assert "httpx2" in loaded
    assert {"boto3", "botocore", "infra", "aws_lambda_powertools", "pydantic"}.isdisjoint(loaded)


def test_what_a_stranger_installs_is_what_is_tested() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    assert project["project"]["dependencies"] == project["dependency-groups"]["command"]


def test_advice_is_about_errors_that_there_are() -> None:
    assert not advice.CODES - known_codes()
    assert len(advice.CODES) > 20


def test_advice_names_the_job_and_the_site_that_it_is_about() -> None:
    assert advice.on("job.crashed", job_id="download-1") == "It may work later: reelhaul retry download-1"
    assert "sites set media.example" in str(advice.on("source.blocked", url="https://media.example/x"))
    assert advice.on("job.crashed") is None
    assert "sites set example.com" in str(advice.on("source.blocked", url="http://[::1"))


@pytest.mark.parametrize(
    "arguments", [("list",), ("completion", "bash"), ("get", "https://media.example/a", "--no-wait")]
)
def test_reader_that_goes_away_is_no_news(run: Run, server: Server, arguments: tuple[str, ...], here: Path) -> None:
    server.tell("POST /download", Said(example("POST /download", "a file under a name")))
    server.tell("GET /download", Said({"success": True, "data": {"downloads": [job(DONE)], "total": 1}}))
    ours, theirs = os.pipe()
    os.close(ours)
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONUNBUFFERED"}
    code = "import sys; from reelhaul.command.main import main; sys.exit(main())"
    with os.fdopen(theirs, "wb") as gone:
        ended = subprocess.run(
            [sys.executable, "-c", code, *arguments], stdout=gone, stderr=subprocess.PIPE, text=True, check=False,
            env=environment,
        )  # fmt: skip
    assert (ended.returncode, ended.stderr) == (1, "")
    assert advice.on("never.heard.of", job_id="a", url="b") is None


@pytest.mark.parametrize(
    ("codes", "code"),
    [([], 0), ([Exit.OK], 0), ([Exit.JOBS_FAILED, Exit.OK], 4), ([Exit.JOBS_FAILED, Exit.FAILED], 1),
     ([Exit.FAILED, Exit.NO_SERVICE, Exit.JOBS_FAILED], 3)],
)  # fmt: skip
def test_worst_end_of_a_part_is_the_end_of_all(codes: list[Exit], code: int) -> None:
    assert exits.worst(codes) == code


@pytest.mark.parametrize(
    ("count", "said"),
    [(0, "0 B"), (999, "999 B"), (1000, "1.0 kB"), (3_240_000, "3.2 MB"), (2e15, "2000 TB"), (None, "?")],
)
def test_sizes_are_said_as_people_read_them(count: float | None, said: str) -> None:
    assert words.size(count) == said


@pytest.mark.parametrize(("seconds", "said"), [(0, "0:00"), (62.4, "1:02"), (3723, "1:02:03"), (None, "")])
def test_durations_are_said_as_people_read_them(seconds: float | None, said: str) -> None:
    assert words.duration(seconds) == said


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_each_shell_is_told_how_to_complete(run: Run, shell: str) -> None:
    code, out, _ = run("completion", shell)
    assert code == 0
    assert "reelhaul" in out


def test_nothing_typed_is_the_usage(run: Run) -> None:
    code, _, err = run()
    assert code == 2
    assert err.startswith("usage: reelhaul")
