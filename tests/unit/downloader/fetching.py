"""Fetching with the real child, through a real proxy, and what is left of it."""

import dataclasses
import textwrap
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from downloader.fetch import Fetched, FetchRequest, Found, fetch
from reelhaul.egress import EgressProxy
from reelhaul.jobs import Progress
from reelhaul.options import Options
from tests.media import SourceServer

MAX_BYTES = 50 * 1024**2
_GONE_S = 10.0


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

    def __call__(self, path: str, **wanted: Any) -> Fetched:
        """The medium at `path`, see `found`."""
        found = self.found(path, **wanted)
        assert isinstance(found, Fetched)
        return found

    def found(
        self,
        path: str,
        *,
        seconds: float = 60,
        max_bytes: int = MAX_BYTES,
        max_duration_s: int = 0,
        denied_sites: frozenset[str] = frozenset(),
        is_item: bool = False,
        entry: int | None = None,
        inspect: bool = False,
        max_memory_bytes: int = 1024**3,
        **options: Any,
    ) -> Found:
        """Whatever `path` leads to; `options` are fields of `Options`."""
        request = FetchRequest(
            url=(self.url or self.source.url)(path),
            options=Options(**options),
            is_item=is_item,
            entry=entry,
            inspect=inspect,
            max_bytes=max_bytes,
            max_duration_s=max_duration_s,
            max_memory_bytes=max_memory_bytes,
        )
        with EgressProxy(
            allowed_origins=frozenset({self.source.origin}),
            denied_sites=denied_sites,
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


def write_impostor(script: Path, body: str) -> None:
    """What runs in the fetcher's place, see the fixture `impostor`."""
    script.write_text("#!/bin/sh\ncat > /dev/null\n" + textwrap.dedent(body))
    script.chmod(0o755)


def processes_in(directory: Path) -> list[str]:
    """Command lines of the processes that work in `directory`. One that has been killed gets the time to be gone."""
    until = time.monotonic() + _GONE_S
    while (found := _working_in(directory)) and time.monotonic() < until:
        time.sleep(0.05)
    return found


def _working_in(directory: Path) -> list[str]:
    found = []
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and (entry / "cwd").readlink() == directory:
                found.append((entry / "cmdline").read_bytes().replace(b"\0", b" ").decode())
        except OSError:
            continue
    return found
