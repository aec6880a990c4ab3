from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from reelhaul.command.main import main
from tests import canaries
from tests.serving import Server

KEY = f"sk-{canaries.MARK}-0123456789"
Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty directory, and a home of its own: nothing of whoever runs the tests plays a part."""
    directory = tmp_path / "here"
    directory.mkdir()
    monkeypatch.chdir(directory)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "200")
    for name in ("XDG_CONFIG_HOME", "REELHAUL_URL", "REELHAUL_KEY"):
        monkeypatch.delenv(name, raising=False)
    return directory


@pytest.fixture
def run(here: Path, server: Server, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Run:
    """Runs the command with a key for `server`. Returns exit code, standard output and standard error."""
    monkeypatch.setenv("REELHAUL_URL", server.url)
    monkeypatch.setenv("REELHAUL_KEY", KEY)

    def ran(*arguments: str) -> tuple[int, str, str]:
        try:
            code = main(arguments)
        except SystemExit as ended:
            code = int(ended.code or 0)
        said = capsys.readouterr()
        return code, said.out, said.err

    return ran
