"""What there is to be had for somebody who has taken a fetcher over: none of its parent's secrets.

The thief is a process as the fetcher is one, with the same environment, started by a parent that holds credentials as
Lambda hands them out. It puts up no walls of its own: what it cannot do here, it could not do without them either.
"""

import os
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

from downloader import child
from reelhaul.errors import WorkerCrashed
from tests.unit.downloader.fetching import Fetching, write_impostor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="/proc is Linux's")

SECRET = "canary-of-the-credentials"
THIEF = """
    import ctypes, glob, os, sys
    parent, secret = sys.argv[1], "-".join(["canary", "of", "the", "credentials"]).encode()
    def attempt(name, what):
        try:
            found = what()
        except OSError as error:
            found = False
        if found:
            print(name)
    attempt("environment", lambda: secret in b"".join(os.environb.values()))
    for number in (parent, "self"):
        attempt("environ", lambda: secret in open(f"/proc/{number}/environ", "rb").read())
    attempt("mem", lambda: open(f"/proc/{parent}/mem", "rb"))
    attempt("maps", lambda: open(f"/proc/{parent}/maps").read())
    attempt("descriptors", lambda: [os.readlink(path) for path in glob.glob(f"/proc/{parent}/fd/*")])
    attempt("files", lambda: [open(path, "rb") for path in glob.glob(f"/proc/{parent}/fd/*") if os.path.isfile(path)])
    attempt("root", lambda: os.readlink(f"/proc/{parent}/root"))
    attempt("traced", lambda: ctypes.CDLL(None).ptrace(0x4206, int(parent), 0, 0) == 0)  # PTRACE_SEIZE stops nobody
"""

# Whatever is started after PR_CAPBSET_DROP of all capabilities has none, root's or not.
POWERLESS = """
import ctypes, os, sys
for capability in range(64):
    ctypes.CDLL(None).prctl(24, capability, 0, 0, 0)
os.execv(sys.argv[1], sys.argv[1:])
"""


def stolen(place: Path, *, hardened: bool, of_template: bool = False) -> set[str]:
    """Where the thief finds something of its parent, or of the template.

    All are one user's, as on Lambda; if root's, without his powers.
    """
    (place / "thief.py").write_text(textwrap.dedent(THIEF))
    parent = f"""
        import os, subprocess, sys
        from pathlib import Path
        from downloader import child
        if {hardened}:
            child.harden_parent()
        kept = open("{place}/thief.py", "rb")  # a file of the parent's
        victim = os.getpid()
        if {of_template}:
            with child.Child(directory=Path("{place}"), request=b""):
                pass
            (victim,) = open(f"/proc/self/task/{{victim}}/children").read().split()
        command = [sys.executable, "{place}/thief.py", str(victim)]
        subprocess.run(command, check=True, env=child.environment(Path("{place}")), stderr=subprocess.STDOUT)
    """
    environment = child.environment(place) | {"AWS_SECRET_ACCESS_KEY": SECRET, "AWS_SESSION_TOKEN": SECRET}
    done = subprocess.run(
        [sys.executable, "-c", POWERLESS, sys.executable, "-c", textwrap.dedent(parent)],
        check=True, capture_output=True, text=True, cwd=place, env=environment,
    )  # fmt: skip
    return set(done.stdout.splitlines())


def test_child_finds_none_of_its_parents_secrets(tmp_path: Path) -> None:
    assert stolen(tmp_path, hardened=True) == set()


def test_child_finds_no_way_into_what_the_next_ones_are_forked_from(tmp_path: Path) -> None:
    assert stolen(tmp_path, hardened=True, of_template=True) == set()


def test_parent_that_is_not_hardened_would_give_them_away(tmp_path: Path) -> None:
    """Else the test above could not fail."""
    assert {"environ", "mem", "maps", "descriptors"} <= stolen(tmp_path, hardened=False)


def test_child_inherits_no_descriptor_of_its_parents(fetching: Fetching, impostor: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(SECRET)
    write_impostor(impostor, "for each in /proc/$$/fd/*; do readlink $each; done > found; cat <&9 >> found; exit 1")
    with (tmp_path / "secret").open() as kept:
        os.set_inheritable(kept.fileno(), True)  # noqa: FBT003 - as a careless library might
        with pytest.raises(WorkerCrashed):
            fetching("clip.mp4")
    found = (fetching.directory / "found").read_text().splitlines()
    assert [one for one in found if one.startswith("pipe:")]
    assert not [one for one in found if not one.startswith(("pipe:", str(impostor), str(fetching.directory)))]
