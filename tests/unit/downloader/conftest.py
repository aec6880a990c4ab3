"""Sources and ways out for the downloader's tests. Nothing here sends a packet past the loopback."""

import base64
import dataclasses
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from downloader.egress import EgressProxy
from downloader.fetch import Fetched, FetchRequest, fetch
from reelhaul.jobs import Progress
from tests.media import SourceServer, make_media

MAX_BYTES = 50 * 1024**2


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_media(tmp_path_factory.mktemp("media"))


@pytest.fixture
def source(media: Path) -> Iterator[SourceServer]:
    """A source that the egress guard has been told to allow."""
    with SourceServer(media) as server:
        yield server


@pytest.fixture
def canary(media: Path) -> Iterator[SourceServer]:
    """A neighbour on the inside. No connection may ever reach it."""
    with SourceServer(media) as server:
        yield server
        assert server.connections == 0


@dataclasses.dataclass
class Fetching:
    """Fetches with the real child through a real proxy, and keeps what happened."""

    source: SourceServer
    directory: Path
    progress: list[Progress] = dataclasses.field(default_factory=list)
    logged: list[tuple[str, dict[str, Any]]] = dataclasses.field(default_factory=list)
    stop: threading.Event = dataclasses.field(default_factory=threading.Event)
    on_progress: Callable[[Progress], None] | None = None
    received_bytes: int = 0

    def __call__(self, path: str, *, seconds: float = 60, max_bytes: int = MAX_BYTES, **options: Any) -> Fetched:
        request = FetchRequest(url=self.source.url(path), max_bytes=max_bytes, **options)
        with EgressProxy(
            allowed_origins=frozenset({self.source.origin}),
            max_bytes=max_bytes,
            deadline=time.monotonic() + seconds,
        ) as proxy:
            try:
                return fetch(
                    request,
                    proxy=proxy,
                    directory=self.directory,
                    on_progress=self.on_progress or self.progress.append,
                    stop=self.stop,
                    log=lambda event, **fields: self.logged.append((event, fields)),
                )
            finally:
                self.received_bytes = proxy.received_bytes


@pytest.fixture
def fetching(source: SourceServer, tmp_path: Path) -> Fetching:
    directory = tmp_path / "job"
    directory.mkdir()
    return Fetching(source, directory)


def authorization(proxy: EgressProxy) -> str:
    parts = urlsplit(proxy.url)
    return "Basic " + base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()
