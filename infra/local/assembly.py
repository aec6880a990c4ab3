"""The synthesised template and assets for this machine, made once for each state of the sources."""

import fcntl
import hashlib
import platform
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from infra.local.processes import ROOT

STACK = "Reelhaul-local"
_NO_SOURCE = {"__pycache__", "node_modules"}
_SOURCES = ("cdk.json", "pyproject.toml", "infra", "layers", "functions")
_KEPT = ROOT / ".reelhaul" / "assemblies"
_KEPT_S = 900  # longer than any start needs the one that it was given


class SynthesisFailed(Exception):
    """The CDK app does not synthesise; the message is what it said."""


def ensure() -> Path:
    """The assembly for the sources as they are, from an earlier call where nothing has changed since."""
    with _alone():
        wanted = _KEPT / _fingerprint()
        if not wanted.exists():
            _make(wanted)
        wanted.touch()
        for other in _KEPT.iterdir():
            if other != wanted and time.time() - other.stat().st_mtime > _KEPT_S:
                shutil.rmtree(other, ignore_errors=True)
    return wanted


@contextmanager
def _alone() -> Iterator[None]:
    """Of several that start at the same time one makes the assembly, and the others wait for it."""
    _KEPT.mkdir(parents=True, exist_ok=True)
    with _KEPT.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield


def _make(wanted: Path) -> None:
    """Raises `SynthesisFailed`, with nothing left at `wanted`."""
    unfinished = wanted.with_suffix(".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    command = [sys.executable, "-m", "infra.local.assembly", str(unfinished)]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        shutil.rmtree(unfinished, ignore_errors=True)
        raise SynthesisFailed(made.stderr or made.stdout)
    unfinished.rename(wanted)


def _fingerprint() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for source in _SOURCES:
        top = ROOT / source
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and not _NO_SOURCE & set(path.parts):
                digest.update(f"{path.relative_to(ROOT)}\0".encode())
                digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


def main() -> None:
    """Have the assembly made, or make it in the directory that the command line names."""
    if len(sys.argv) > 1:
        _synthesise(Path(sys.argv[1]))
        return
    try:
        ensure()
    except SynthesisFailed as error:
        sys.exit(str(error))


def _synthesise(directory: Path) -> None:
    from infra.app import build  # noqa: PLC0415 - takes seconds, and `ensure` mostly gets by without

    machine = platform.machine()
    context = {
        "stage": "local",
        "architecture": {"x86_64": "x86_64", "aarch64": "arm64"}[machine],
        # The engine runs zip functions with its own interpreter, which is this one's kind.
        "layer_python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "layer_platform": f"{machine}-manylinux2014",
        "removal_policy": "destroy",
        "cors_origins": "*",  # who tries the service out has a page on another port
        "webhook_concurrency": 2,  # each is a Python of its own, on a machine that has other things to do
    }
    build(context, outdir=directory).synth()


if __name__ == "__main__":
    main()
