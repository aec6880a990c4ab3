"""What the image's build looks at, where it can be looked at without an image."""

import stat
from importlib import metadata
from pathlib import Path

import pytest

from downloader.image import check

LOCK = "".join(f"{found.name}=={found.version} \\\n    --hash=sha256:0\n" for found in metadata.distributions())


def test_what_is_locked_may_be_installed() -> None:
    assert list(check.versions(LOCK)) == []


def test_other_version_than_the_locked_one_is_named() -> None:
    installed = metadata.version("yt-dlp")
    other = LOCK.replace(f"yt-dlp=={installed} ", "yt-dlp==2019.1.1 ")
    assert list(check.versions(other)) == [f"yt-dlp is {installed}, locked is 2019.1.1"]


def test_package_that_was_locked_and_is_not_there_is_named_unless_it_is_for_other_machines() -> None:
    more = (
        LOCK
        + "left-out==1.0 \\\n    --hash=sha256:0\nfor-others==1.0 ; sys_platform == 'win32' \\\n    --hash=sha256:0\n"
    )
    assert list(check.versions(more)) == ["left-out is not installed, locked is 1.0"]


def test_package_that_nobody_locked_is_named() -> None:
    less = LOCK.replace("websockets==", "sockets==")
    version = metadata.version("websockets")
    assert f"websockets is {version}, locked is None" in list(check.versions(less))


def test_this_yt_dlp_has_the_solver_and_the_deno_that_it_wants() -> None:
    assert list(check.solver()) == []


def test_ffmpeg_ffprobe_and_deno_run() -> None:
    assert list(check.programs()) == []


@pytest.mark.parametrize("name", ["curl", "wget", "aria2c", "rtmpdump", "busybox"])
def test_program_that_downloads_is_found_wherever_it_is(tmp_path: Path, name: str) -> None:
    program = tmp_path / "deep" / "down" / name
    program.parent.mkdir(parents=True)
    program.write_text("#!/bin/sh\n")
    assert list(check.forbidden(str(tmp_path))) == []  # a file of that name is no program
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    assert list(check.forbidden(str(tmp_path))) == [f"{program} must not be in the image"]
