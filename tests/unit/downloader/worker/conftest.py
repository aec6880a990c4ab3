"""A worker, and a job for it."""

import time
from pathlib import Path

import pytest

from downloader import lease as lease_module
from downloader.worker import Worker
from reelhaul.jobs import Job
from tests.conftest import Cloud
from tests.jobs_in import queued
from tests.unit.downloader.worker.working import Fetching, made


@pytest.fixture(autouse=True)
def _quick(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(lease_module, "BEAT_S", 0.02)


@pytest.fixture
def fetching() -> Fetching:
    return Fetching()


@pytest.fixture
def worker(cloud: Cloud, fetching: Fetching, tmp_path: Path) -> Worker:
    return made(cloud, fetching, tmp_path)


@pytest.fixture
def job(cloud: Cloud) -> Job:
    made = queued(now=time.time(), name="my video")
    cloud.store.create(made)
    return made
