"""What is looked at is hung up on before it is fetched: the real fetcher, and servers that count connections."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from infra.local.media import MediaHandler, MediaServer
from tests.benchmarks.starting import padded
from tests.unit.downloader.fetching import Fetching

_BYTES = 20_000_000  # more than sockets hold: whoever sends it sees whether anybody reads


class _Handler(MediaHandler):
    server: "Solitary"

    def do_GET(self) -> None:  # noqa: N802 - named by the base class
        if not self.server.free.acquire(blocking=False):
            self.server.refused += 1
            self.send_error(429)
            return
        try:
            with contextlib.suppress(ConnectionError):
                super().do_GET()
        finally:
            self.server.free.release()


class Solitary(MediaServer):
    """Has one connection at a time, and refuses all others."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, _Handler)
        self.free = threading.Lock()
        self.refused = 0


@pytest.fixture
def server(tmp_path: Path, media: Path) -> Iterator[Solitary]:
    folder = tmp_path / "served"
    folder.mkdir()
    (folder / "clip.mp4").write_bytes((media / "clip.mp4").read_bytes())
    padded(folder / "clip.mp4", _BYTES)
    with Solitary(folder) as served:
        yield served


def test_source_that_allows_one_connection_is_fetched(server: Solitary, fetching: Fetching) -> None:
    fetching.source = server  # type: ignore[assignment]  # it has an origin and addresses, which is all that is asked
    fetched = fetching("clip.mp4")
    assert fetched.path.stat().st_size == _BYTES
    assert server.refused <= 1  # by a server that has not seen the first one end
