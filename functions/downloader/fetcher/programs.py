"""Running ffmpeg and ffprobe, only ever through the wrappers in bin/."""

import subprocess

from downloader.fetcher import guard


def run(name: str, *arguments: str, timeout_s: float) -> "subprocess.CompletedProcess[bytes]":
    """Run one of them to its end. Raises `subprocess.TimeoutExpired`; whether it succeeded is for the caller to see."""
    command = [str(guard.BIN / name), "-v", "error", *arguments]
    return subprocess.run(  # noqa: S603 - a wrapper of ours, and every argument is made here
        command, stdin=subprocess.DEVNULL, capture_output=True, timeout=timeout_s, check=False
    )
