"""What pip inside a build needs to reach an index the way this machine does. On most machines that is nothing.

Its configuration is put together from pip's own files and PIP_* variables, and with it are mounted the files that it
names: a CA bundle, a directory of wheels. Nothing of it gets into the image.
"""

import configparser
import re
import shlex
import subprocess
import sys
from pathlib import Path

from tests.containers import engine

_PLACE = "/mnt/pip"  # in the build: a CA bundle of this machine's must not lie where the image has its own
_NOT_WANTED = ("constraint", "require-virtualenv", "user", "target", "prefix", "root")


def mounts() -> list[str]:
    """Options of `buildah build`, pairs of `--volume` and what to mount, all read-only."""
    places: dict[Path, str] = {}
    settings = {name: _moved(value, places) for name, value in _settings().items()}
    mounted = [f"{there}:{here}:ro" for there, here in places.items()]
    if settings:
        mounted.append(f"{_written(settings)}:/etc/pip.conf:ro")
    return [option for place in mounted for option in ("--volume", place)]


def _settings() -> dict[str, str]:
    """Of `pip config list`, what counts for `pip install`; later ones outrank earlier ones."""
    command = [_python(), "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=False).stdout
    found: dict[str, str] = {}
    for source in ("global", "install", ":env:"):
        for name, value in re.findall(rf"^{source}\.([\w-]+)=(.*)$", listed, flags=re.MULTILINE):
            found[name] = " ".join(shlex.split(value))
    return {name: value for name, value in found.items() if name not in _NOT_WANTED}


def _python() -> str:
    """One that has a pip: an environment made by uv has none."""
    return getattr(sys, "_base_executable", sys.executable)


def _moved(value: str, places: dict[Path, str]) -> str:
    """A setting's value with the files and directories that it names where `places` then mounts them."""
    return " ".join(_moved_word(word, places) for word in value.split())


def _moved_word(word: str, places: dict[Path, str]) -> str:
    scheme = "file://" if word.startswith("file://") else ""
    path = Path(word.removeprefix(scheme))
    if not path.is_absolute() or not path.exists():
        return word
    # The pages of an index below `simple` refer to files beside that.
    mounted = path.parent if path.name == "simple" else path
    here = places.setdefault(mounted, f"{_PLACE}/{len(places)}")
    return f"{scheme}{here}/{path.relative_to(mounted)}".removesuffix("/.")


def _written(settings: dict[str, str]) -> Path:
    path = engine.DIRECTORY / "pip.conf"
    parser = configparser.RawConfigParser()
    parser["global"] = settings
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("w") as file:
        parser.write(file)
    return path
