"""Move yt-dlp's pin to its newest release, and the base image's to a digest: `make newest`, which then locks anew.

    python -m infra.newest [--base-digest sha256:...]

Sites change, and a yt-dlp of last month may read them no more. With it goes deno, to the version that yt-dlp itself
names; its solver follows when the requirements are compiled. Nothing ever moves back.
"""

import argparse
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

from infra.assets import ROOT
from infra.settings import Settings, SettingsError

_MOVED = ("yt-dlp", "deno")


class NothingFound(Exception):
    """The index could not be asked, or had no release that fits; the message is what uv had to say."""


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m infra.newest", description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--base-digest", metavar="sha256:...", help="what the base's tag stands for now")
    digest: str | None = parser.parse_args().base_digest
    try:
        if digest:
            _edit(ROOT / "cdk.json", lambda text: with_base(text, digest))
        _edit(ROOT / "pyproject.toml", lambda text: with_pins(text, newest(pinned(text)["yt-dlp"])))
    except (NothingFound, SettingsError) as error:
        sys.exit(str(error))


def _edit(path: Path, change: Callable[[str], str]) -> None:
    before = path.read_text()
    after = change(before)
    path.write_text(after)
    print(f"{path.name}: {'changed' if after != before else 'as it was'}")


def newest(than: str, *, directory: Path = ROOT) -> dict[str, str]:
    """The newest release of yt-dlp, not older than the version `than`, and the deno that it wants.

    Asked of the index that uv is set up with in `directory`; previews do not count. Raises `NothingFound`.
    """
    uv = Path(sys.executable).with_name("uv")
    options = ["--quiet", "--no-header", "--no-annotate", "--prerelease", "disallow", "--python-version", "3.11", "-"]
    wanted = f"yt-dlp[default,pin-deno]>={than}\n"
    done = subprocess.run(
        [str(uv), "pip", "compile", *options], input=wanted, cwd=directory, capture_output=True, text=True, check=False
    )
    found = dict(re.findall(r"^([\w-]+)(?:\[[\w,-]+\])?==(\S+)", done.stdout, re.MULTILINE))
    if done.returncode != 0 or not found.keys() >= set(_MOVED):
        raise NothingFound(f"No release of yt-dlp was found: {done.stderr.strip() or 'it names no deno'}")
    return {name: found[name] for name in _MOVED}


def pinned(pyproject: str) -> dict[str, str]:
    """The versions that `pyproject.toml` pins of what is moved."""
    found = {name: re.findall(_pin(name), pyproject) for name in _MOVED}
    return {name: version for name, ((_, version, _),) in found.items()}


def with_pins(pyproject: str, versions: dict[str, str]) -> str:
    """The text of `pyproject.toml` with these versions pinned; all else stays as it reads."""
    for name, version in versions.items():
        pyproject = re.sub(_pin(name), rf"\g<1>{version}\g<3>", pyproject)
    return pyproject


def with_base(cdk: str, digest: str) -> str:
    """The text of `cdk.json` with the setting `base_image` at `digest` of its tag. Raises `SettingsError`."""
    setting = re.search(r'("base_image": ")([^"@]+)[^"]*(")', cdk)
    name = setting[2] if setting else Settings().base_image
    pinned_name = Settings.from_context({"base_image": f"{name}@{digest}"}).base_image
    if setting:
        return cdk.replace(setting[0], f"{setting[1]}{pinned_name}{setting[3]}")
    return cdk.replace('"context": {\n', f'"context": {{\n    "base_image": "{pinned_name}",\n', 1)


def _pin(name: str) -> str:
    return rf'("{re.escape(name)}(?:\[[\w,-]+\])?==)([^"]+)(")'


if __name__ == "__main__":
    main()
