"""The image that the Dockerfile builds on. Where no registry can be reached, a stand-in made of Debian's packages.

It has what the Dockerfile relies on, as `python:3.13-slim-trixie` has: Debian 13, `python` 3.13 with pip first in PATH,
packages below /usr/local, and Debian's usual programs. With CONTAINERS_PULL=1 the real one is pulled, the one that
`cdk.json` names.
"""

import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from infra.settings import Settings
from tests.containers import engine

SUITE = "trixie"
NAME = "docker.io/library/python:3.13-slim-trixie"  # the default of the Dockerfile's BASE
_PACKAGES = "python3,python3-pip,ca-certificates"
_PATH = "/usr/local/bin:/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"
_KEYRING = "/usr/share/keyrings/debian-archive-keyring.gpg"


def ensure_base() -> str:
    """The base's name, with the base in the storage: made or pulled once, which takes a minute, and then kept.

    Raises `engine.ContainerError`.
    """
    if os.environ.get("CONTAINERS_PULL"):
        name = _chosen()
        engine.buildah("pull", "--policy", "missing", name)
        return name
    with engine.lock("base"):
        if not engine.has_image(NAME):
            _make()
    return NAME


def _chosen() -> str:
    """What an operator's deployment would be built on."""
    context: dict[str, object] = json.loads((engine.ROOT / "cdk.json").read_text())["context"]
    return Settings.from_context(context).base_image


def _make() -> None:
    with tempfile.TemporaryDirectory(dir=engine.DIRECTORY) as directory:
        files = Path(directory) / "files"
        _debootstrap(files)
        _settle(files)
        container = engine.buildah("from", "scratch").strip()
        try:
            engine.buildah("add", "--quiet", container, str(files), "/")
            engine.buildah("config", "--env", f"PATH={_PATH}", "--env", "LANG=C.UTF-8", "--cmd", "python3", container)
            engine.buildah("commit", "--quiet", container, NAME)
        finally:
            engine.buildah("rm", container)


def _debootstrap(files: Path) -> None:
    """Debian's minimal system and the few packages above, from the mirror that this machine's apt is set up with."""
    options = ["--variant=minbase", f"--include={_PACKAGES}"]
    options += [f"--keyring={_KEYRING}"] if Path(_KEYRING).exists() else []
    command = ["debootstrap", *options, SUITE, str(files), _mirror()]
    careless = {"DPKG_FORCE": "unsafe-io"}  # no waiting for the disk: what is lost is made anew
    done = subprocess.run(command, env=engine.environment(careless), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise engine.ContainerError(f"debootstrap ended with {done.returncode}: {done.stdout[-2000:].strip()}")


def _mirror() -> str:
    """Where apt has Debian's main archive from. Raises `ContainerError` where it has another distribution's."""
    wanted = ["--format", "$(LABEL) $(SITE)", "Created-By: Packages"]
    listed = subprocess.run(["apt-get", "indextargets", *wanted], capture_output=True, text=True, check=False).stdout
    for line in listed.splitlines():
        label, _, site = line.partition(" ")
        if label == "Debian" and site:
            return site
    raise engine.ContainerError("apt knows no mirror of Debian to make a base image from; CONTAINERS_PULL=1 pulls one.")


def _settle(files: Path) -> None:
    """As in the real one: `python` and `pip` first in PATH, pip allowed to install, no lists and caches of apt's."""
    for link, target in (("python", "python3"), ("pip", "pip3")):
        (files / "usr/local/bin" / link).symlink_to(f"/usr/bin/{target}")
    for marker in files.glob("usr/lib/python3*/EXTERNALLY-MANAGED"):
        marker.unlink()
    for directory in ("var/lib/apt/lists", "var/cache/apt", "var/log"):
        shutil.rmtree(files / directory)
        (files / directory).mkdir()
