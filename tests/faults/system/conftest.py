from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.authority import Authority
from tests.faults.disturbed import Disturbed, disturbed
from tests.faults.source import CountingServer
from tests.faults.system import plot
from tests.media import make_media
from tests.receiver import Receiver

_LIMIT_S = 150  # of an invocation: longer than a lease and what follows it, and short enough to be waited for


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CountingServer]:
    with CountingServer(make_media(tmp_path_factory.mktemp("media"))) as server:
        yield server


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def receiver(authority: Authority) -> Iterator[Receiver]:
    with Receiver(authority) as server:
        yield server


@pytest.fixture(scope="session")
def running(
    source: CountingServer, receiver: Receiver, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Disturbed]:
    """The running service, with a proxy before AWS that does what it is told."""
    data: Path = tmp_path_factory.mktemp("faults") / "data"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(authority.roots))
        origins = [f"--allow-origin={server.origin}" for server in (source, receiver)]
        with disturbed(data, *origins, f"--invocation-limit={_LIMIT_S}") as service:
            yield service


@pytest.fixture(scope="session")
def story(running: Disturbed, source: CountingServer, receiver: Receiver) -> plot.Story:
    """All that happened. It takes a few minutes, most of them until leases are over."""
    return plot.Story(running, source, receiver)
