"""What pip inside a build needs to reach an index the way this machine does. On most machines that is nothing.

Its configuration is put together from pip's own files and PIP_* variables, and with it are mounted the files that it
names (a CA bundle, a directory of wheels), each under its own path. Nothing of it gets into the image.
"""

import configparser
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.containers import engine

_CA_BUNDLE = Path("/etc/ssl/certs/ca-certificates.crt")
_NOT_WANTED = ("constraint", "require-virtualenv", "user", "target", "prefix", "root")


def mounts() -> list[str]:
    """Options of `buildah build`, pairs of `--volume` and what to mount, all read-only."""
    settings = _settings()
    places = [f"{place}:{place}:ro" for place in sorted({*_named(settings), *filter(Path.exists, [_CA_BUNDLE])})]
    if settings:
        places.append(f"{_written(settings)}:/etc/pip.conf:ro")
    return [option for place in places for option in ("--volume", place)]


def _settings() -> dict[str, str]:
    """Of `pip config list`, what counts for `pip install`; later lines of it outrank earlier ones."""
    listed = subprocess.run(
        [_python(), "-m", "pip", "config", "list"], capture_output=True, text=True, check=False
    ).stdout
    found: dict[str, str] = {}
    for source in ("global", "install", ":env:"):
        for name, value in re.findall(rf"^{source}\.([\w-]+)=(.*)$", listed, flags=re.MULTILINE):
            found[name] = " ".join(shlex.split(value))
    return {name: value for name, value in found.items() if name not in _NOT_WANTED}


def _python() -> str:
    """One that has a pip: an environment made by uv has none."""
    return getattr(sys, "_base_executable", sys.executable)


def _named(settings: dict[str, str]) -> list[Path]:
    words = [word.removeprefix("file://") for value in settings.values() for word in value.split()]
    named = [Path(word) for word in words if word.startswith("/") and Path(word).exists()]
    # An index of files refers to the files beside it.
    return [place.parent if place.name == "simple" else place for place in named]


def _written(settings: dict[str, str]) -> Path:
    path = engine.DIRECTORY / "pip.conf"
    parser = configparser.RawConfigParser()
    parser["global"] = settings
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        parser.write(file)
    return path
