"""What the lock files say: packages, versions, hashes, and for which machines."""

import base64
import dataclasses
import json
import re
from pathlib import Path

from packaging.markers import Marker

from infra.assets import ROOT

# What Lambda runs: `infra.settings` has the Python, and the machine makes no difference to any marker of ours.
LAMBDA = {
    "implementation_name": "cpython",
    "platform_python_implementation": "CPython",
    "python_version": "3.13",
    "python_full_version": "3.13.0",
    "sys_platform": "linux",
    "platform_system": "Linux",
    "os_name": "posix",
}
DEPLOYED = {  # what an installation is made of, and what locks it
    "image": "functions/downloader/requirements.txt",
    "layer-dependencies": "layers/dependencies/requirements.txt",
    "layer-signing": "layers/signing/requirements.txt",
}
PAGE = "functions/page/source/package-lock.json"  # what the page is bundled of, and with
_PIN = re.compile(r"^([a-z0-9][a-z0-9._-]*)(?:\[[^]]*\])?==([^\s;\\]+)(?:\s*;\s*([^\\]+?))?\s*\\?$", re.MULTILINE)
_HASH = re.compile(r"--hash=sha256:([0-9a-f]{64})")
_HASH_LINE = re.compile(rf"\s+{_HASH.pattern}(\s*\\)?$")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Locked:
    """One pin. `hashes` (SHA-256, hexadecimal) are those of the files that may be installed for it."""

    name: str
    version: str
    marker: str | None
    hashes: tuple[str, ...]

    def is_for(self, environment: dict[str, str]) -> bool:
        return self.marker is None or Marker(self.marker).evaluate(environment)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class LockedByNpm:
    """One package of a package-lock.json. `sha512` is that of its archive, hexadecimal; `licence` as it says itself."""

    name: str
    version: str
    licence: str
    sha512: str


class LockUnreadable(Exception):
    """A lock file says something that is no pin with hashes; the message names file and line, or package."""


def files() -> list[Path]:
    """All requirements files of this repository, from its root."""
    places = ("*/requirements.txt", "*/*/requirements.txt")
    return sorted(path.relative_to(ROOT) for place in places for path in ROOT.glob(place) if path.parts[-2][0] != ".")


def read(path: Path) -> list[Locked]:
    """The pins of a file. Raises `LockUnreadable`: what is skipped would not be missed."""
    text = (ROOT / path).read_text(encoding="utf-8")
    for line in text.splitlines():
        if line.strip() and not line.startswith("#") and not _PIN.match(line) and not _HASH_LINE.match(line):
            raise LockUnreadable(f"{path}: {line.strip()!r} is no pin.")
    found = list(_PIN.finditer(text))
    ends = [match.start() for match in found[1:]] + [len(text)]
    return [_locked(path, match, text[match.end() : end]) for match, end in zip(found, ends, strict=True)]


def _locked(path: Path, match: re.Match[str], rest: str) -> Locked:
    name, version, marker = match.groups()
    hashes = tuple(_HASH.findall(rest))
    if not hashes:
        raise LockUnreadable(f"{path}: {name} has no hash.")
    return Locked(name=name, version=version, marker=marker, hashes=hashes)


def bundled() -> list[LockedByNpm]:
    """The packages that the page is made of; not those that only make it. Raises `LockUnreadable`."""
    found = json.loads((ROOT / PAGE).read_text(encoding="utf-8"))["packages"]
    return [_by_npm(place, package) for place, package in found.items() if place and not package.get("dev")]


def _by_npm(place: str, package: dict[str, str]) -> LockedByNpm:
    name = place.rpartition("node_modules/")[2]
    kind, _, digest = package.get("integrity", "").partition("-")
    if kind != "sha512":
        raise LockUnreadable(f"{PAGE}: {name} has no hash.")
    return LockedByNpm(
        name=name,
        version=package["version"],
        licence=package.get("license", ""),
        sha512=base64.b64decode(digest).hex(),
    )
