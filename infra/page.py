"""The page's files, made of `functions/page/source` when the template is: bundled, named by their contents, compressed.

`python -m infra.page types` has the TypeScript compiler look at the source; what is bundled it does not check.
"""

import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from infra import npm
from infra.local.processes import ROOT

_FUNCTION = ROOT / "functions" / "page"
SOURCE = _FUNCTION / "source"
KEPT = ROOT / ".reelhaul" / "page"
_NOT_SOURCE = {"node_modules", "__pycache__"}
_FILES = "files"  # beside the handler, see `page.files`
_BUNDLE = (
    "app=src/main.tsx", "--bundle", "--minify", "--format=esm", "--target=es2022", "--charset=utf8",
    "--entry-names=[name].[hash]", "--metafile=meta.json", "--outdir=made", "--legal-comments=none",
    "--log-level=warning",
)  # fmt: skip
_LICENSES = "licenses.txt"
_PACKAGE = re.compile(r".*node_modules/((?:@[^/]+/)?[^/]+)/")
_NAMED = re.compile(r'"assets/([^"]+)"')
_PACKED = {".css", ".html", ".js", ".svg", ".txt"}  # what is not packed by its own format
# Python has no Brotli, and Node has.
_BROTLI = """
const { brotliCompressSync } = require("node:zlib"), { readFileSync, writeFileSync } = require("node:fs");
for (const file of process.argv.slice(1)) writeFileSync(`${file}.br`, brotliCompressSync(readFileSync(file)));
"""


class PageFailed(Exception):
    """The page cannot be made of its source; the message is what was said about it."""


def put_together(target: Path) -> None:
    """Fill `target` with what is deployed as the function `page`. Raises `PageFailed` and `NpmFailed`."""
    package = target / _FUNCTION.name
    package.mkdir()
    for path in _FUNCTION.glob("*.py"):
        shutil.copy(path, package)
    shutil.copytree(built(), package / _FILES)


def built(source: Path = SOURCE, *, kept: Path = KEPT) -> Path:
    """The folder of the page's files below `kept`, from an earlier call where the source is the same.

    Raises `PageFailed` and `NpmFailed`.
    """
    wanted = kept / _fingerprint(source)
    if not wanted.exists():
        with _workshop(source, kept) as folder:
            _build(folder)
            _move(folder / "whole", wanted)
    return wanted


def check_types(source: Path = SOURCE, *, kept: Path = KEPT) -> None:
    """Raises `PageFailed` with what the TypeScript compiler has found, and `NpmFailed`."""
    with _workshop(source, kept) as folder:
        _node("node_modules/typescript/bin/tsc", "--project", "tsconfig.json", folder=folder)


def _fingerprint(source: Path) -> str:
    digest = hashlib.sha256(Path(__file__).read_bytes())
    for path in sorted(source.rglob("*")):
        if path.is_file() and not _NOT_SOURCE & set(path.parts):
            digest.update(f"{path.relative_to(source)}\0".encode())
            digest.update(path.read_bytes())
    return digest.hexdigest()[:16]


@contextmanager
def _workshop(source: Path, kept: Path) -> Iterator[Path]:
    """A copy of the source with its packages beside it, until this is left."""
    packages = npm.installed(source)
    kept.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=kept, prefix="work-") as name:
        folder = Path(name)
        shutil.copytree(source, folder, dirs_exist_ok=True, ignore=shutil.ignore_patterns(*_NOT_SOURCE))
        (folder / "node_modules").symlink_to(packages, target_is_directory=True)
        yield folder


def _move(made: Path, wanted: Path) -> None:
    """Of several that make the same at once one is the first, and the others have it from there."""
    try:
        made.rename(wanted)
    except OSError:
        if not wanted.exists():
            raise


# --- making it -------------------------------------------------------------------------------------------------------


def _build(folder: Path) -> None:
    """Fill `folder`/whole with index.html, and assets whose names change with what is in them."""
    _node("node_modules/esbuild/bin/esbuild", *_BUNDLE, folder=folder)
    whole = folder / "whole"
    (whole / "assets").mkdir(parents=True)
    names = {}
    for path in sorted((folder / "made").iterdir()):
        shutil.copy(path, whole / "assets")
        names[re.sub(r"\.[A-Z0-9]{8}\.", ".", path.name)] = path.name
    (folder / "assets" / _LICENSES).write_text(_licenses(folder), encoding="utf-8")
    for path in sorted((folder / "assets").iterdir()):
        names[path.name] = f"{path.stem}.{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}{path.suffix}"
        shutil.copy(path, whole / "assets" / names[path.name])
    (whole / "index.html").write_text(_with_names(folder / "index.html", names), encoding="utf-8")
    _pack([path for path in sorted(whole.rglob("*")) if path.suffix in _PACKED])


def _node(*arguments: str, folder: Path) -> None:
    """Raises `PageFailed` with what was said."""
    command = [str(npm.node_directory() / "node"), *arguments]
    done = subprocess.run(command, cwd=folder, env=_environment(), capture_output=True, text=True, check=False)
    if done.returncode != 0:
        raise PageFailed(f"The page cannot be made: {(done.stdout + done.stderr).strip()}")


def _environment() -> dict[str, str]:
    """Ours, without what would have a Node of the machine's own do something else with the same source."""
    return {name: value for name, value in os.environ.items() if not name.startswith(("NODE_", "ESBUILD_"))}


def _with_names(page: Path, names: dict[str, str]) -> str:
    """The page with the assets' real names for those that it calls them by. Raises `PageFailed` for an unknown one."""

    def name(found: re.Match[str]) -> str:
        if found[1] not in names:
            raise PageFailed(f"{page.name} names assets/{found[1]}; there are {', '.join(sorted(names))}.")
        return f'"assets/{names[found[1]]}"'

    return _NAMED.sub(name, page.read_text(encoding="utf-8"))


def _licenses(folder: Path) -> str:
    """Of the packages that are in the bundle, as they ask to be handed on with it."""
    inputs = json.loads((folder / "meta.json").read_text(encoding="utf-8"))["inputs"]
    packages = sorted({found[1] for found in map(_PACKAGE.match, inputs) if found})
    texts = (
        f"{package}\n\n{path.read_text(encoding='utf-8').strip()}\n"
        for package in packages
        for path in sorted((folder / "node_modules" / package).glob("LICENSE*"))
    )
    return f"\n{'-' * 80}\n\n".join(texts)


def _pack(paths: Sequence[Path]) -> None:
    """Put beside each file what is smaller than it, as gzip and as Brotli; the same file gives the same bytes."""
    for path in paths:
        path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes(), 9, mtime=0))
    _node("--eval", _BROTLI, "--", *map(str, paths), folder=paths[0].parent)
    for path in paths:
        for packed in (path.with_name(f"{path.name}.gz"), path.with_name(f"{path.name}.br")):
            if packed.stat().st_size >= path.stat().st_size:
                packed.unlink()


# --- the command line ------------------------------------------------------------------------------------------------


def main(arguments: Sequence[str]) -> None:
    if list(arguments) != ["types"]:
        sys.exit("usage: python -m infra.page types")
    try:
        check_types()
    except (PageFailed, npm.NpmFailed) as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main(sys.argv[1:])
