"""Building an image as `docker build` would."""

import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from tests.containers import engine, pip_access


def build(
    tag: str,
    *,
    context: Path,
    dockerfile: str = "Dockerfile",
    build_args: Mapping[str, str] | None = None,
    options: Iterable[str] = (),
) -> str:
    """Build `dockerfile`, a path below `context`, for this machine's architecture. Returns the image's id.

    `options` are further ones of `buildah build`. Raises `engine.ContainerError` with the end of what the build said.
    """
    arguments = [f"--build-arg={name}={value}" for name, value in (build_args or {}).items()]
    file = ["--file", str(context / dockerfile)]
    engine.buildah("build", *standard_options(), *arguments, *options, "--tag", tag, *file, str(context))
    return str(inspect(tag)["Id"])


def standard_options() -> list[str]:
    """Of every build: the kind of manifest that Lambda takes, and no registry is asked for what is here."""
    return [
        "--format",
        "docker",
        "--isolation",
        "chroot",
        "--layers",
        "--force-rm",
        "--pull-never",
        *pip_access.mounts(),
    ]


def inspect(tag: str) -> dict[str, Any]:
    """What `docker inspect` shows of an image."""
    (found,) = json.loads(engine.podman("image", "inspect", tag))
    return dict(found)
