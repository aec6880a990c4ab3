"""Fetching with the real child, through a real proxy, and what is left of it."""

import dataclasses
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from downloader.egress import EgressProxy
from downloader.fetch import Fetched, FetchRequest, fetch
from reelhaul.jobs import Progress
from tests.media import SourceServer

MAX_BYTES = 50 * 1024**2


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
    url: Callable[[str], str] | None = None

    def __call__(self, path: str, *, seconds: float = 60, max_bytes: int = MAX_BYTES, **options: Any) -> Fetched:
        request = FetchRequest(url=(self.url or self.source.url)(path), max_bytes=max_bytes, **options)
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


def processes_in(directory: Path) -> list[str]:
    """Command lines of all processes that work in `directory`."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink() == directory:
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found
