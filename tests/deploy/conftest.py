import signal
import time
from collections.abc import Iterator
from typing import NoReturn

import pytest

from infra.local.media import make_hls, make_mp4
from tests.authority import Authority
from tests.containers import engine
from tests.deploy.calling import DeployedClient
from tests.deploy.deployment import Deployment, empty_account, ensure_base
from tests.media import SourceServer
from tests.receiver import Receiver

_seconds: dict[str, float] = {}


@pytest.fixture(scope="session")
def source(tmp_path_factory: pytest.TempPathFactory) -> Iterator[SourceServer]:
    """A source on this machine that the service may fetch from."""
    media = tmp_path_factory.mktemp("media")
    make_mp4(media / "clip.mp4")
    make_hls(media / "hls")
    with SourceServer(media) as server:
        yield server


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """Vouches for the engine, under the names that it gives to HTTP APIs, and for the receiver of webhooks."""
    return Authority(tmp_path_factory.mktemp("authority"), "*.execute-api.localhost")


@pytest.fixture(scope="session")
def receiver(authority: Authority) -> Iterator[Receiver]:
    with Receiver(authority) as server:
        yield server


@pytest.fixture(scope="session")
def deployment(
    source: SourceServer, receiver: Receiver, authority: Authority, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Deployment]:
    """The stack, deployed once for all tests, and a key for links in it."""
    reason = engine.missing()
    if reason is not None:
        pytest.skip(f"the deployment was not tested: {reason}")
    signal.signal(signal.SIGTERM, _interrupt)  # so that who is asked to end takes along what it has started
    ensure_base(_seconds)
    with empty_account(tmp_path_factory.mktemp("deployment"), authority) as made:
        made.deploy(allowed_origins=[source.origin, receiver.origin])
        assert made.cdk is not None
        started = time.monotonic()
        try:
            yield made
        finally:
            _seconds.update(made.cdk.seconds)
            _seconds["tests"] = time.monotonic() - started - _seconds.get("destroy", 0)


@pytest.fixture
def client(deployment: Deployment) -> DeployedClient:
    return deployment.acme


def _interrupt(*_: object) -> NoReturn:
    raise KeyboardInterrupt


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    order = ("base", "synth", "bootstrap", "build", "deploy", "tests", "destroy")
    taken = [f"{name} {_seconds[name]:.0f} s" for name in order if name in _seconds]
    if taken:
        terminalreporter.write_line(f"took: {', '.join(taken)}; {sum(_seconds.values()):.0f} s in all")
