import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from downloader import handler
from tests.conftest import Cloud
from tests.faults.deliveries import Deliveries
from tests.media import SourceServer


@pytest.fixture
def deliveries(
    cloud: Cloud, source: SourceServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Deliveries]:
    """The downloader's real handler, with its real fetcher and guard, on moto."""
    work = tmp_path / "work"
    work.mkdir()
    monkeypatch.setenv("WORK_DIRECTORY", str(work))
    monkeypatch.setenv("ALLOWED_ORIGINS", source.origin)
    handler.dependencies.cache_clear()
    yield Deliveries(cloud, work)
    assert list(work.iterdir()) == []  # whatever happened
    handler.dependencies.cache_clear()


@pytest.fixture
def now() -> float:
    return round(time.time(), 3)
