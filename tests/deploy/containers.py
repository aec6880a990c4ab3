"""What runs the containers of the deployed functions: podman's service, on the storage of this checkout."""

import json
import os
import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.local import processes
from tests.containers import engine

LABEL = "ministack=lambda"  # what the embedded engine's containers carry
_START_S = 30.0


@contextmanager
def service(directory: Path, *, registry: str, aws_registry: str, roots: Path) -> Iterator[str]:
    """A socket that speaks Docker's API, as DOCKER_HOST has it. Nothing runs any more when the block is left.

    Images of `aws_registry`, the host name of ECR, are pulled from `registry` (HOST:PORT), whose certificate is checked
    against `roots`.
    """
    socket, registries = directory / "podman.sock", directory / "registries.conf"
    registries.write_text(f'[[registry]]\nprefix = "{aws_registry}"\nlocation = "{registry}"\n')
    environment = engine.environment({"SSL_CERT_FILE": str(roots), "CONTAINERS_REGISTRIES_CONF": str(registries)})
    command = [_podman(), "system", "service", "--time", "0", f"unix://{socket}"]
    remove_all()  # of a run that was killed
    process = processes.start(command, env=environment, log=directory / "podman.log", end_signal=signal.SIGKILL)
    try:
        deadline = time.monotonic() + _START_S
        while not socket.exists():
            assert process.poll() is None, (directory / "podman.log").read_text()
            assert time.monotonic() < deadline
            time.sleep(0.05)
        yield f"unix://{socket}"
    finally:
        remove_all()
        processes.end(process, grace_s=5)


def running(function: str) -> list[str]:
    """The ids of the running containers of a function."""
    return engine.podman("ps", "--quiet", "--no-trunc", "--filter", f"label=function={function}").split()


def inspect(container: str) -> dict[str, Any]:
    (found,) = json.loads(engine.podman("inspect", container))
    return dict(found)


def execute(container: str, code: str) -> str:
    """What Python `code` prints in the container, as the user that the function runs as. There is no shell in there."""
    return engine.podman("exec", container, "python", "-c", code)


def forget_images(*, but: str) -> None:
    """Remove what the CDK had built here for earlier states of the sources; `but` is the tag of the current one."""
    listed = engine.podman("images", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=*cdk*").split()
    for name in listed:
        if but not in name:
            engine.podman("rmi", name)


def remove_all() -> None:
    for container in engine.podman("ps", "--all", "--quiet", "--filter", f"label={LABEL}").split():
        engine.remove(container)


def _podman() -> str:
    found = shutil.which("podman", path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin")
    assert found is not None
    return found
