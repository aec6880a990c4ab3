"""The synthesised template and assets for this machine, made once for each state of the sources."""

import hashlib
import platform
import shutil
import subprocess
import sys
from pathlib import Path

from infra.local.processes import ROOT

STACK = "Reelhaul-local"
_SOURCES = ("cdk.json", "infra", "layers", "functions")
_KEPT = ROOT / ".reelhaul" / "assemblies"


class SynthesisFailed(Exception):
    """The CDK app does not synthesise; the message is what it said."""


def ensure() -> Path:
    """The assembly for the sources as they are, from an earlier call where nothing has changed since."""
    wanted = _KEPT / _fingerprint()
    if not (wanted / "manifest.json").exists():
        shutil.rmtree(_KEPT, ignore_errors=True)  # those of other states of the sources
        made = subprocess.run(
            [sys.executable, "-m", "infra.local.assembly", str(wanted)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        if made.returncode != 0:
            shutil.rmtree(wanted, ignore_errors=True)
            raise SynthesisFailed(made.stderr or made.stdout)
    return wanted


def _fingerprint() -> str:
    digest = hashlib.sha256(sys.version.encode())
    for source in _SOURCES:
        top = ROOT / source
        for path in sorted(top.rglob("*")) if top.is_dir() else [top]:
            if path.is_file() and "__pycache__" not in path.parts:
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
    }
    build(context, outdir=directory).synth()


if __name__ == "__main__":
    main()
