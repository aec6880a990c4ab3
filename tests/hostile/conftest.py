"""The hostile world, one for each test process, the service in it, and what is said at the end."""

import os
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from downloader import handler
from tests.conftest import installed
from tests.hostile import summary, world
from tests.hostile.names import NameServer
from tests.hostile.running import Service
from tests.hostile.servers import Servers

MAX_BYTES = 32 * 1024**2  # that one job may receive here


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    if world.VARIABLE not in os.environ:
        here = Path(__file__).parent
        for item in items:
            if item.path.is_relative_to(here):
                item.add_marker(pytest.mark.skip(reason="hostile tests run in a world of their own: make hostile"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    reports = [report for found in terminalreporter.stats.values() for report in found]
    ended = [report.user_properties for report in reports if getattr(report, "when", None) == "call"]
    summary.write(ended, terminalreporter.write_line)


@pytest.fixture(scope="session")
def directory(media: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What the world is made in, for this process and those that it starts. The harmless media are from before."""
    made = tmp_path_factory.mktemp("world")
    world.enter(made)
    return made


@pytest.fixture(scope="session")
def around(directory: Path, media: Path) -> Iterator[tuple[Servers, NameServer]]:
    with Servers(directory, media) as servers, NameServer() as names:
        yield servers, names


@pytest.fixture(scope="session")
def warm(around: tuple[Servers, NameServer], directory: Path) -> Iterator[Callable[[Callable[[], str]], Service]]:
    """One worker for all cases; made into a `Service` with whatever reads the metrics."""
    servers, names = around
    work = directory / "work"
    with installed() as cloud, pytest.MonkeyPatch.context() as patch:
        patch.setenv("WORK_DIRECTORY", str(work))
        patch.setenv("MAX_BYTES", str(MAX_BYTES))
        patch.setenv("MAX_TOTAL_S", "1")  # one worker for each job
        handler.dependencies.cache_clear()
        yield lambda metrics: Service(cloud, work, servers, names, metrics)
        handler.dependencies.cache_clear()


@pytest.fixture
def service(warm: Callable[[Callable[[], str]], Service], capfd: pytest.CaptureFixture[str]) -> Service:
    return warm(lambda: "".join(capfd.readouterr()))
