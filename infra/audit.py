"""What is known against what is locked: `make audit` asks pip-audit about every requirements file.

    python -m infra.audit [--osv-url URL] [FILE...]

Fails when a pin is known to be vulnerable, and just so when one was not looked at: whatever the database does not know,
and whatever is for another machine than this one, which pip-audit leaves out without a word. So markers are taken away
before, and afterwards every pin has to be among what was looked at.
"""

import argparse
import json
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

from infra.locked import Locked, files, read


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.audit", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--osv-url", help="ask this database of the OSV kind instead of the package index")
    parser.add_argument("files", nargs="*", type=Path)
    given = parser.parse_args()
    service = ["--vulnerability-service", "osv", "--osv-url", given.osv_url] if given.osv_url else []
    bad = sum([_audited(path, service) for path in given.files or files()])
    sys.exit(1 if bad else 0)


def _audited(path: Path, service: list[str]) -> bool:
    """Whether there is anything to be said against this file, which is printed."""
    said = [line for pins in _without_repeats(read(path)) for line in _findings(pins, service)]
    print(f"{path}: {len(read(path))} pins, {'; '.join(said) or 'nothing known'}")
    return bool(said)


def _without_repeats(pins: list[Locked]) -> list[list[Locked]]:
    """Of one package there may be a version for older Pythons as well; pip-audit takes one of each at a time."""
    rounds: list[dict[str, Locked]] = []
    for pin in pins:
        free = next((taken for taken in rounds if pin.name not in taken), None)
        if free is None:
            rounds.append(free := {})
        free[pin.name] = pin
    return [list(taken.values()) for taken in rounds]


def _findings(pins: list[Locked], service: list[str]) -> list[str]:
    with tempfile.TemporaryDirectory() as folder:
        lock = Path(folder, "requirements.txt")
        lock.write_text("".join(_line(pin) for pin in pins), encoding="utf-8")
        command = [
            sys.executable,
            "-m",
            "pip_audit",
            "--disable-pip",
            "--require-hashes",
            "--strict",
            "--format",
            "json",
        ]
        command += ["--progress-spinner", "off", *service, "--requirement", str(lock)]
        run = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        looked_at = {one["name"]: one for one in json.loads(run.stdout)["dependencies"] if "skip_reason" not in one}
    except ValueError:
        return [f"not audited: {(run.stderr.strip().splitlines() or ['it said nothing'])[-1]}"]
    found = [line for pin in pins for line in _against(pin, looked_at.get(pin.name))]
    return found or (["pip-audit failed"] if run.returncode else [])


def _line(pin: Locked) -> str:
    return f"{pin.name}=={pin.version} " + " ".join(f"--hash=sha256:{digest}" for digest in pin.hashes) + "\n"


def _against(pin: Locked, seen: dict[str, Any] | None) -> list[str]:
    if seen is None or seen["version"] != pin.version:
        return [f"{pin.name} {pin.version} was not looked at"]
    return [f"{pin.name} {pin.version} has {known['id']}" for known in seen["vulns"]]


if __name__ == "__main__":
    main()
