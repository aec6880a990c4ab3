import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reelhaul.jobs import Job
from reelhaul.options import Options
from tests.conftest import Cloud
from tests.jobs_in import queued
from tests.relay.clock import Clock
from tests.relay.relaying import Timed, installed

Submit = Callable[..., Job]


@pytest.fixture
def work(tmp_path: Path) -> Path:
    """Where the worker has its directories."""
    directory = tmp_path / "work"
    directory.mkdir()
    return directory


@pytest.fixture(scope="session")
def clock(tmp_path_factory: pytest.TempPathFactory) -> Clock:
    """One for all, as they share the template that fetchers are forked from."""
    return Clock(tmp_path_factory.mktemp("clock"))


@pytest.fixture(autouse=True)
def _installed(
    cloud: Cloud, source: Timed, work: Path, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    with installed(source, work, clock, monkeypatch):
        yield


@pytest.fixture
def submit(cloud: Cloud, source: Timed) -> Submit:
    """A job for that path of the source, with those options, and its message."""

    def submit(path: str, **options: Any) -> Job:
        job = queued(url=source.url(path), now=time.time(), options=Options(**options))
        cloud.store.create(job)
        cloud.queue.send(job)
        return job

    return submit
