"""The code that is deployed: which files, and what has to be installed for it. Nothing here needs Docker."""

import functools
import hashlib
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import aws_cdk as cdk
import jsii
from aws_cdk import aws_ecr_assets as ecr_assets
from aws_cdk import aws_lambda as lambda_

from infra import openapi, page

ROOT = Path(__file__).resolve().parent.parent
_NOISE = ["**/__pycache__", "**/*.pyc"]  # a test run must not change an asset's hash
# Of the package, but for people at a terminal, and for `infra.openapi`.
_NOT_DEPLOYED = [f"python/reelhaul/{part}" for part in ("cli.py", "client/**", "command/**", "documentation/**")]
_IN_IMAGE = ("layers/core/python", "functions/downloader", "functions/inspect_source")


def core_layer() -> lambda_.Code:
    """What every function shares: `layers/core` as it lies there."""
    return lambda_.Code.from_asset(str(ROOT / "layers/core"), exclude=[*_NOISE, *_NOT_DEPLOYED])


def zip_function(name: str) -> lambda_.Code:
    """The function's own folder, under its own name, so that its module is `name.handler` everywhere."""
    own = ["*", f"!{name}", f"!{name}/**", *_NOISE]
    return lambda_.Code.from_asset(str(ROOT / "functions"), exclude=own, ignore_mode=cdk.IgnoreMode.GIT)


def docs_function(*, max_retention_days: int, max_playlist_items: int) -> lambda_.Code:
    """The folder of the function `docs`, and in it the OpenAPI document, which is made for it."""
    return lambda_.Code.from_asset(_docs_folder(max_retention_days, max_playlist_items).name, exclude=_NOISE)


@functools.cache
def _docs_folder(max_retention_days: int, max_playlist_items: int) -> "tempfile.TemporaryDirectory[str]":
    """Kept until this process ends: the CDK copies it when it likes."""
    folder = tempfile.TemporaryDirectory(prefix="reelhaul-docs-")
    openapi.put_together(
        Path(folder.name), max_retention_days=max_retention_days, max_playlist_items=max_playlist_items
    )
    return folder


def page_function() -> lambda_.Code:
    """The folder of the function `page` without the page's source, and in it the files that are made of that."""
    return lambda_.Code.from_asset(_page_folder().name, exclude=_NOISE)


@functools.cache
def _page_folder() -> "tempfile.TemporaryDirectory[str]":
    """Kept as the one of `docs`."""
    folder = tempfile.TemporaryDirectory(prefix="reelhaul-page-")
    page.put_together(Path(folder.name))
    return folder


def image(handler: str, *, architecture: str, base: str) -> lambda_.DockerImageCode:
    """The one container image there is, made of `base`, to be started with `handler`, a function in its module.

    Its context is the repository, of which only what the Dockerfile copies counts.
    """
    platform = ecr_assets.Platform.LINUX_ARM64 if architecture == "arm64" else ecr_assets.Platform.LINUX_AMD64
    return lambda_.DockerImageCode.from_image_asset(
        str(ROOT),
        file="functions/downloader/Dockerfile",
        exclude=[
            "*",
            *(f"!{path}/**" for path in _IN_IMAGE),
            *_NOISE,
            *(f"layers/core/{path}" for path in _NOT_DEPLOYED),
        ],
        build_args={"BASE": base},
        cmd=[handler],
        ignore_mode=cdk.IgnoreMode.DOCKER,
        platform=platform,
    )


def packages_layer(name: str, *, python: str, platform: str) -> lambda_.Code:
    """The third-party packages that `layers/<name>` asks for, as wheels for that Python and platform (names: uv's)."""
    requirements = ROOT / "layers" / name / "requirements.txt"
    wanted = hashlib.sha256(f"{python} {platform}\n".encode() + requirements.read_bytes()).hexdigest()
    return lambda_.Code.from_asset(
        str(requirements.parent),
        exclude=_NOISE,
        asset_hash=wanted,
        asset_hash_type=cdk.AssetHashType.CUSTOM,
        bundling=cdk.BundlingOptions(
            image=cdk.DockerImage.from_registry("never-pulled"),  # an argument that is required, and not used
            local=_UvInstall(requirements, python, platform),
        ),
    )


@jsii.implements(cdk.ILocalBundling)
class _UvInstall:
    """Installs the layer with the uv of our own environment, which can do so for another machine than this one."""

    def __init__(self, requirements: Path, python: str, platform: str) -> None:
        self._requirements = requirements
        self._target = ["--python-version", python, "--python-platform", platform]

    def try_bundle(self, output_dir: str, *, image: cdk.DockerImage, **_options: object) -> bool:  # noqa: ARG002 - jsii's
        """Fill `output_dir`; never leaves it to Docker. Raises `RuntimeError` with what uv had to say."""
        output = Path(output_dir)
        uv = Path(sys.executable).with_name("uv")
        options = ["--quiet", "--no-deps", "--require-hashes", "--only-binary", ":all:", *self._target]
        places = ["--target", str(output / "python"), "--requirement", str(self._requirements)]
        command = [str(uv), "pip", "install", *options, *places]
        done = subprocess.run(command, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            raise RuntimeError(f"{self._requirements} could not be installed: {done.stderr.strip()}")
        _strip(output / "python")
        shutil.copy(self._requirements, output)
        return True


def _strip(site: Path) -> None:
    """Remove what no function reads: command-line scripts (with this machine's paths in them), and uv's own notes."""
    shutil.rmtree(site / "bin", ignore_errors=True)
    for pattern in ("*.dist-info/RECORD", "*.dist-info/INSTALLER", "*.dist-info/REQUESTED", ".lock"):
        for path in site.glob(pattern):
            path.unlink()
