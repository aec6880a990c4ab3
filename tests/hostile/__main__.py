"""Run the cases where that can be done: `python -m tests.hostile [arguments of pytest]`."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

from tests.hostile import world

_WHAT_IT_TAKES = """
    mount --make-rprivate /
    mount -t tmpfs hostile /tmp
    ip link set lo up
    for address in 10.0.0.1/32 fd00::1/128; do ip address add $address dev lo; done
"""


def main(arguments: list[str]) -> int:
    """What pytest returned, 0 where no such world can be made: then it is said why."""
    as_root = [] if os.geteuid() == 0 else ["unshare", "--map-root-user"]
    reason = _refusal(as_root)
    if reason is not None:
        sys.stdout.write(f"hostile: skipped, as {reason}\n")
        return 0
    pytest = [sys.executable, "-m", "pytest", str(Path(__file__).parent), *arguments]
    return subprocess.run([*as_root, *pytest], env={**os.environ, world.VARIABLE: "1"}, check=False).returncode


def _refusal(as_root: list[str]) -> str | None:
    """Why worlds cannot be had, None where they can."""
    for program in ("unshare", "ip", "mount"):
        if shutil.which(program) is None:
            return f"there is no program `{program}` here"
    command = [*as_root, "unshare", "--net", "--mount", "sh", "-ec", _WHAT_IT_TAKES]
    tried = subprocess.run(command, capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"this needs root, or user namespaces: {tried.stderr.strip()}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
