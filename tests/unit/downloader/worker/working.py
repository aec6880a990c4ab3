"""A worker on moto, of which only the fetch is made up."""

import dataclasses
import logging
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from downloader.fetch import Fetched, FetchedExtra, Found, Outlet
from downloader.worker import Fetch, Worker
from reelhaul import aws
from reelhaul.jobs import Job, Media, Progress
from reelhaul.measures import Measures
from reelhaul.queue import JobMessage
from tests.conftest import Cloud

CONTENT = b"moving pictures" * 100
MEDIA = Media(title="A title", extension="mp4", content_type="video/mp4", duration_s=2.0)
Act = Callable[[Job, Path, threading.Event], None]


class _Logger(logging.LoggerAdapter[logging.Logger]):
    """Powertools' way of calling a logger: fields as keyword arguments."""

    def process(self, msg: Any, kwargs: Any) -> Any:
        known = {name: kwargs.pop(name) for name in ("exc_info",) if name in kwargs}
        return f"{msg} {kwargs}", known


@dataclasses.dataclass
class Fetching:
    """Stands for the fetcher: writes `CONTENT`, unless it is told to do something else first."""

    act: Act | None = None
    found: Found | None = None
    extras: list[Callable[[Path], FetchedExtra]] = dataclasses.field(default_factory=list)
    directories: list[Path] = dataclasses.field(default_factory=list)

    def __call__(
        self,
        job: Job,
        *,
        directory: Path,
        deadline: float,
        on_progress: Callable[[Progress], None],
        stop: threading.Event,
        outlet: Outlet,
    ) -> Found:
        assert list(directory.iterdir()) == []
        self.directories.append(directory)
        on_progress(Progress(downloaded_bytes=1))
        path = directory / "media.mp4"
        path.write_bytes(CONTENT)
        if self.act:
            self.act(job, directory, stop)
        if self.found is not None:
            return self.found
        return Fetched(path=path, media=MEDIA, extras=tuple(made(directory) for made in self.extras))


def failing(error: Exception) -> Act:
    def act(*_: object) -> None:
        raise error

    return act


def made(cloud: Cloud, fetching: Fetch, work_directory: Path, *, max_total_s: float = 21_600) -> Worker:
    return Worker(
        store=cloud.store,
        queue=cloud.queue,
        s3=aws.client("s3"),
        bucket_name=cloud.bucket,
        fetch=fetching,
        work_directory=work_directory,
        logger=_Logger(logging.getLogger("worker")),
        measures=Measures("Reelhaul-test"),
        max_total_s=max_total_s,
    )


def run(worker: Worker, job: Job, *, seconds: float = 60) -> None:
    message = JobMessage(tenant=job.tenant, job_id=job.id, generation=job.generation)
    worker.run(message, ends_at=time.monotonic() + seconds)


def now_in(cloud: Cloud, job: Job) -> Job:
    return cloud.store.get(job.tenant, job.id)
