"""A source that the proxy may go to, and a neighbour that it may not. Nothing here sends a packet past the loopback."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.media import SourceServer, make_media


@pytest.fixture(scope="session")
def media(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_media(tmp_path_factory.mktemp("media"))


@pytest.fixture
def source(media: Path) -> Iterator[SourceServer]:
    with SourceServer(media) as server:
        yield server


@pytest.fixture
def canary(media: Path) -> Iterator[SourceServer]:
    """A neighbour on the inside. No connection may ever reach it."""
    with SourceServer(media) as server:
        yield server
        assert server.connections == 0
