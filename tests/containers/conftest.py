from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.containers import engine
from tests.containers.asset import Asset

TMP_MB = 512
_TAG = "reelhaul-test"

Inside = Callable[..., str]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """A build takes half a minute, and on a busy machine several: more than other tests are given before they hang."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.timeout(1800))


@pytest.fixture(scope="session", autouse=True)
def _possible() -> None:
    why_not = engine.missing()
    if why_not is not None:
        pytest.skip(why_not)


@pytest.fixture(scope="session")
def asset(tmp_path_factory: pytest.TempPathFactory) -> Asset:
    return Asset.synthesised(tmp_path_factory.mktemp("assembly"))


@pytest.fixture(scope="session")
def image(asset: Asset) -> str:
    """The image's id, built once for all tests."""
    return asset.build(_TAG)


@pytest.fixture(scope="session")
def as_on_lambda(asset: Asset) -> list[str]:
    """Options of `podman run`."""
    return engine.as_on_lambda(memory_mb=asset.memory_mb, tmp_mb=TMP_MB)


@pytest.fixture(scope="session")
def inside(image: str, as_on_lambda: list[str]) -> Inside:
    """Run a Python program in the image as Lambda would run it, with no network at all. Returns what it prints."""

    def run(program: str, *arguments: str) -> str:
        options = [*as_on_lambda, "--network", "none", "--entrypoint", "/opt/venv/bin/python"]
        return engine.podman("run", "--rm", *options, image, "-c", program, *arguments)

    return run


@pytest.fixture(autouse=True)
def _nothing_is_left(_possible: None) -> Iterator[None]:
    """No container outlives its test."""
    yield
    assert engine.podman("ps", "--all", "--quiet", "--filter", f"ancestor={_TAG}") == ""


@pytest.fixture(scope="session")
def checkout() -> Path:
    return engine.ROOT
