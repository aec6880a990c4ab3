"""Debian's Chromium, headless, which talks to this machine and nobody else."""

import shutil

import pytest

WAIT_MS = 120_000  # for what a page does; a busy machine is no failure
# A browser likes to talk to its maker.
ARGUMENTS = [
    "--no-sandbox",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--disable-background-networking",
    "--disable-component-update",
]


def program() -> str:
    """Where it is; skips the test where it is not."""
    found = shutil.which("chromium")
    if found is None:
        pytest.skip("there is no chromium here; `make e2e-browser` installs it where root and apt are")
    return found
