"""The image as the CDK would have it built: from the asset in the synthesised assembly, not from the checkout."""

import dataclasses
import json
import platform
import shutil
from pathlib import Path
from typing import Any, Self

from tests.containers import base, images
from tests.infra.template import NO_BUNDLING, synthesise

ARCHITECTURE = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]


@dataclasses.dataclass(frozen=True, slots=True)
class Asset:
    """What is built from: a directory, the Dockerfile in it and the base's name.

    Beside that, what the template gives its functions: memory in MB, and by folder their variables as they stand there.
    """

    context: Path
    dockerfile: str
    base: str
    memory_mb: int
    variables: dict[str, dict[str, Any]]

    @classmethod
    def synthesised(cls, outdir: Path) -> Self:
        """For this machine's architecture, on a base that is in the storage afterwards."""
        chosen = base.ensure_base()
        template = synthesise(NO_BUNDLING | {"architecture": ARCHITECTURE, "base_image": chosen}, outdir)
        ((_, image),) = json.loads((outdir / "Reelhaul.assets.json").read_text())["dockerImages"].items()
        source: dict[str, Any] = image["source"]
        assert source["dockerBuildArgs"] == {"BASE": chosen}
        memory_mb = int(template.functions["downloader"]["MemorySize"])
        functions = {name: template.functions[name] for name in ("downloader", "inspect_source")}
        variables = {name: found["Environment"]["Variables"] for name, found in functions.items()}
        return cls(outdir / source["directory"], source["dockerFile"], chosen, memory_mb, variables)

    def copy(self, directory: Path) -> Self:
        """The same in another place, to be changed there."""
        shutil.copytree(self.context, directory, symlinks=True)
        return dataclasses.replace(self, context=directory)

    def build(self, tag: str, *options: str) -> str:
        """The id of the image. Raises `engine.ContainerError` if the build fails."""
        args = {"BASE": self.base}
        return images.build(tag, context=self.context, dockerfile=self.dockerfile, build_args=args, options=options)
