"""The workflows of GitHub, as far as they can be looked at from here."""

import re
import stat
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml  # type: ignore[import-untyped]  # it ships none

from infra.assets import ROOT

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
TARGETS = set(re.findall(r"^([a-z0-9-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))


def _steps(path: Path) -> list[dict[str, Any]]:
    return [step for job in yaml.safe_load(path.read_text())["jobs"].values() for step in job["steps"]]


def _shell(path: Path) -> str:
    return "\n".join(step["run"] for step in _steps(path) if "run" in step)


def test_there_are_three() -> None:
    assert [path.name for path in WORKFLOWS] == ["at-length.yml", "ci.yml", "newest-yt-dlp.yml"]


@pytest.mark.parametrize("path", [*WORKFLOWS, ROOT / ".ci/run"], ids=lambda path: path.name)
def test_every_target_that_is_made_exists(path: Path) -> None:
    text = path.read_text() if path.name == "run" else _shell(path)
    made = {name for names in re.findall(r"\bmake ((?:[a-z][a-z0-9-]+ ?)+)", text) for name in names.split()}
    assert made or ".ci/run" in text
    assert made <= TARGETS


def test_every_program_of_ours_that_is_called_exists() -> None:
    called = [name for path in WORKFLOWS for name in re.findall(r"(?:^|\s)(\.(?:ci|github)/\S+)", _shell(path))]
    assert len(called) > 1
    assert all((ROOT / name).stat().st_mode & stat.S_IXUSR for name in called)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_every_action_is_pinned_to_a_commit(path: Path) -> None:
    used = re.findall(r"uses:\s*(\S+)", path.read_text())
    assert used
    assert all(re.fullmatch(r"[\w.-]+/[\w./-]+@[0-9a-f]{40}", name) for name in used)


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_nothing_may_be_written_unless_a_job_says_so(path: Path) -> None:
    workflow = yaml.safe_load(path.read_text())
    assert workflow["permissions"] == {"contents": "read"}
    granted = [job.get("permissions", {}) for job in workflow["jobs"].values()]
    proposing = {"contents": "write", "pull-requests": "write"}
    assert granted == ([proposing] if path.name == "newest-yt-dlp.yml" else [{}])


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_what_is_tested_gets_no_token_and_no_text_of_strangers_gets_into_a_shell(path: Path) -> None:
    for step in _steps(path):
        assert "${{" not in step.get("run", "")
        if "checkout" in step.get("uses", ""):
            assert step["with"]["persist-credentials"] is False
        if "GH_TOKEN" in step.get("env", {}):
            assert step["run"] == "sh .github/propose.sh newest-yt-dlp"


def test_newest_is_looked_for_daily_and_proposed_last_and_only_after_all_tests() -> None:
    workflow = yaml.safe_load((ROOT / ".github/workflows/newest-yt-dlp.yml").read_text())
    triggers = workflow[True]  # YAML 1.1 reads `on` so
    (schedule,) = triggers["schedule"]
    assert re.fullmatch(r"\d{1,2} \d{1,2} \* \* \*", schedule["cron"])
    assert "workflow_dispatch" in triggers
    (job,) = workflow["jobs"].values()
    commands = [step.get("run", "") for step in job["steps"]]
    order = ["make newest", "make e2e-image", "make test", "propose.sh"]
    places = [next(place for place, command in enumerate(commands) if wanted in command) for wanted in order]
    assert places == sorted(places)
    assert places[-1] == len(commands) - 1
    assert all(step["if"] == "steps.newest.outputs.changed" for step in job["steps"][places[1] :])
    assert not any("continue-on-error" in step for step in job["steps"])


Propose = Callable[[], "subprocess.CompletedProcess[str]"]


@pytest.fixture
def checkout(tmp_path: Path) -> Path:
    """A clone of a repository that has a `pyproject.toml` with a pin."""
    _git(tmp_path, "init", "--quiet", "--bare", "--initial-branch=main", "origin.git")
    _git(tmp_path, "clone", "--quiet", "origin.git", "checkout")
    checkout = tmp_path / "checkout"
    (checkout / "pyproject.toml").write_text('    "yt-dlp[default]==2026.10.26",\n')
    (checkout / "cdk.json").write_text("{}\n")
    _git(checkout, "add", ".")
    _git(checkout, "-c", "user.name=a", "-c", "user.email=a@example.com", "commit", "--quiet", "--message", "First")
    _git(checkout, "push", "--quiet", "origin", "HEAD:main")
    return checkout


@pytest.fixture
def propose(checkout: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Propose:
    """The script with the real git, and in place of `gh` a program that notes what it is asked, one line a word."""
    tools = tmp_path / "tools"
    tools.mkdir()
    gh = tools / "gh"
    asked = tmp_path / "asked"
    gh.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$*" >> {asked}\n'
        f'case "$1 $2" in "pr list") grep -c "^pr create" {asked};; esac\nexit 0\n'
    )
    gh.chmod(0o755)
    monkeypatch.setenv("PATH", f"{tools}:/usr/local/bin:/usr/bin:/bin")
    command = ["sh", str(ROOT / ".github/propose.sh"), "newest-yt-dlp"]
    return lambda: subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True)


def test_what_changed_becomes_one_commit_and_a_pull_request(checkout: Path, propose: Propose, tmp_path: Path) -> None:
    (checkout / "pyproject.toml").write_text('    "yt-dlp[default]==2026.11.20",\n')
    (checkout / "not-ours.txt").write_text("left by a test")

    propose()

    assert "pr create --head newest-yt-dlp --title yt-dlp 2026.11.20" in (tmp_path / "asked").read_text()
    assert _git(tmp_path / "origin.git", "rev-list", "--count", "main..newest-yt-dlp") == "1"
    assert _git(tmp_path / "origin.git", "diff", "--name-only", "main", "newest-yt-dlp") == "pyproject.toml"
    assert _git(tmp_path / "origin.git", "log", "-1", "--format=%s", "newest-yt-dlp") == "yt-dlp 2026.11.20"


def test_open_pull_request_is_brought_up_to_date(checkout: Path, propose: Propose, tmp_path: Path) -> None:
    for version in ("2026.11.20", "2026.11.21"):
        _git(checkout, "switch", "--quiet", "--detach", "origin/main")
        (checkout / "pyproject.toml").write_text(f'    "yt-dlp[default]=={version}",\n')
        propose()

    asked = (tmp_path / "asked").read_text()
    assert asked.count("pr create") == 1
    assert "pr edit newest-yt-dlp --title yt-dlp 2026.11.21" in asked
    assert _git(tmp_path / "origin.git", "rev-list", "--count", "main..newest-yt-dlp") == "1"


def test_change_of_the_base_alone_is_called_that(checkout: Path, propose: Propose, tmp_path: Path) -> None:
    (checkout / "cdk.json").write_text('{"context": {}}\n')
    propose()
    assert _git(tmp_path / "origin.git", "log", "-1", "--format=%s", "newest-yt-dlp") == "The base image as it is today"


def test_nothing_that_changed_is_nothing_to_propose(checkout: Path, propose: Propose, tmp_path: Path) -> None:
    assert "nothing has changed" in propose().stdout
    assert not (tmp_path / "asked").exists()
    assert _git(tmp_path / "origin.git", "branch", "--list", "newest-yt-dlp") == ""


def _git(directory: Path, *arguments: str) -> str:
    done = subprocess.run(["git", *arguments], cwd=directory, capture_output=True, text=True, check=True)
    return done.stdout.strip()
