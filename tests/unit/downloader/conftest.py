"""More sources, and ways out, for the downloader's tests. Nothing here sends a packet past the loopback."""

from pathlib import Path

import pytest

from downloader import child, orphans
from tests import orders
from tests.media import SourceServer
from tests.unit.downloader.fetching import Fetching
from tests.variety import make_variety


@pytest.fixture(scope="session")
def variety(media: Path) -> Path:
    """More of them, see `tests.variety`: their directory, which is served as /variety."""
    return make_variety(media)


@pytest.fixture
def fetching(source: SourceServer, tmp_path: Path) -> Fetching:
    orphans.adopt()  # as the handlers do
    directory = tmp_path / "job"
    directory.mkdir()
    return Fetching(source, directory)


# Found by the template's interpreter only: its fetchers become another program as soon as they are forked. What they
# would have imported for their work is left out, as nothing of it is used.
_TAKEN_OVER = """
import os, sys, types
for name in ("single", "warming"):
    sys.modules[f"downloader.fetcher.{{name}}"] = types.ModuleType(name)
from downloader.fetcher import single, warming
single.run = lambda **_: os.execv({script!r}, [{script!r}])
warming.up = warming.draw_again = lambda: None
"""


@pytest.fixture
def impostor(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A shell script that runs in the fetcher's place; `write_impostor` says what it does."""
    script, place = tmp_path / "impostor", tmp_path / "orders"
    place.mkdir()
    orders.give(_TAKEN_OVER.format(script=str(script)), place, monkeypatch)
    return script


@pytest.fixture
def programs_known(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """The wrappers find their programs from within the tests, too."""
    for name, value in child.environment(tmp_path).items():
        if name.startswith("REELHAUL_"):
            monkeypatch.setenv(name, value)
