"""Debian's daemonless container programs, buildah and podman, on a storage of this checkout's own.

    make e2e-image      # installs them by apt, where it may
    engine.missing()    # why not, where not

Everything lies below `.reelhaul/containers`, or where CONTAINERS_DIRECTORY says.
"""

import fcntl
import os
import shutil
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Literal

Program = Literal["buildah", "podman"]

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[1]
DIRECTORY = Path(os.environ.get("CONTAINERS_DIRECTORY") or ROOT / ".reelhaul" / "containers").absolute()
_LAMBDA_USER = "993:990"  # sbx_user1051; seen there, and promised by nobody: the image must not depend on it
_PROGRAMS = ("buildah", "podman", "runc", "debootstrap")


class ContainerError(Exception):
    """One of the programs failed; the message is the command and the end of what it had to say."""


def missing() -> str | None:
    """Why no container can be built or run here, in one sentence. None where they can."""
    absent = [program for program in _PROGRAMS if shutil.which(program, path=_path()) is None]
    if absent:
        return f"{', '.join(absent)} not installed; `make e2e-image` does it where root and apt are."
    if os.geteuid() != 0:
        return "containers are built and run as root here, and this is another user."
    return None


def environment(extra: Mapping[str, str] | None = None) -> dict[str, str]:
    """What the programs have to be started with to find configuration and storage. Makes both."""
    DIRECTORY.mkdir(parents=True, exist_ok=True)
    storage = DIRECTORY / "storage.conf"
    wanted = f'[storage]\ndriver = "overlay"\ngraphroot = "{DIRECTORY}/storage"\nrunroot = "{DIRECTORY}/run"\n'
    if not storage.exists() or storage.read_text() != wanted:
        storage.write_text(wanted)
    ours = {"CONTAINERS_CONF": str(HERE / "containers.conf"), "CONTAINERS_STORAGE_CONF": str(storage)}
    return {**os.environ, "PATH": _path(), **ours, **(extra or {})}


def run(program: Program, *arguments: str, timeout_s: float = 600) -> str:
    """What the program writes to its standard output. Raises `ContainerError`."""
    done = attempt(program, *arguments, timeout_s=timeout_s)
    if done.returncode != 0:
        end = (done.stderr or done.stdout)[-4000:].strip()
        raise ContainerError(f"{program} {' '.join(arguments)} ended with {done.returncode}: {end}")
    return done.stdout


def attempt(program: Program, *arguments: str, timeout_s: float = 600) -> "subprocess.CompletedProcess[str]":
    """The ended program, whatever came of it."""
    command = [program, *arguments]
    return subprocess.run(
        command,
        env=environment(),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=timeout_s,
        check=False,
    )


def buildah(*arguments: str) -> str:
    return run("buildah", *arguments)


def podman(*arguments: str) -> str:
    return run("podman", *arguments)


def has_image(name: str) -> bool:
    return attempt("buildah", "inspect", "--type", "image", name).returncode == 0


def as_on_lambda(*, memory_mb: int, tmp_mb: int) -> list[str]:
    """Options of `podman run`: another user than root, without rights, who can write below /tmp only."""
    memory = ["--memory", f"{memory_mb}m", "--memory-swap", f"{memory_mb}m"]
    tmp = f"/tmp:rw,nosuid,nodev,size={tmp_mb}m,mode=1777"  # noqa: S108 - the container's own
    files = ["--read-only", "--read-only-tmpfs=false", "--tmpfs", tmp]
    no_shared_memory = ["--mount", "type=tmpfs,destination=/dev/shm,ro=true"]
    rights = ["--user", _LAMBDA_USER, "--cap-drop", "ALL", "--security-opt", "no-new-privileges"]
    return [*memory, *files, *no_shared_memory, *rights]


def start(*options: str, image: str, command: Sequence[str] = ()) -> str:
    """Start a container in the background. Returns its id; `remove` ends it."""
    return podman("run", "--detach", *options, image, *command).strip()


def remove(container: str) -> None:
    podman("rm", "--force", "--time", "0", container)


@contextmanager
def lock(name: str) -> Iterator[None]:
    """Held by one process at a time, for what must be made once."""
    environment()
    with (DIRECTORY / f"{name}.lock").open("w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def _path() -> str:
    return f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin"  # runc and debootstrap
