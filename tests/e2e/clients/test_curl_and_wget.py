"""`curl -LOJ` and `wget --content-disposition`: the file is on disk under its name, whatever its title."""

import functools
import os
import shutil
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.e2e.clients.titles import TITLES, given, of_its_own
from tests.e2e.running import KEY, Client, Service
from tests.media import SourceServer

pytestmark = pytest.mark.e2e

CURL = ("curl", "--silent", "--show-error", "--fail", "-LOJ")
WGET = ("wget", "--quiet", "--content-disposition")
KEY_HEADER, BEARER_HEADER = f"x-access-token: {KEY}", f"Authorization: Bearer {KEY}"

Make = Callable[[Client, SourceServer, str], str]
JobOf = Callable[[Make, str], str]
OF_TITLES = pytest.mark.parametrize("kind", TITLES)
OF_ORIGINS = pytest.mark.parametrize("make", [of_its_own, given])


@pytest.fixture(scope="module")
def job_of(service: Service, source: SourceServer) -> JobOf:
    """The id of the job with a title of that kind, of its own or given. Each is made once."""
    return functools.cache(lambda make, kind: make(service.client(), source, kind))


def saved(command: tuple[str, ...], directory: Path, url: str) -> Path:
    """The one file that `command` writes for `url`, in `directory`."""
    if shutil.which(command[0]) is None:
        pytest.skip(f"there is no {command[0]} here")
    directory.mkdir()
    environment = os.environ | {"LC_ALL": "C.UTF-8"}  # where names may be what they are
    done = subprocess.run(
        [*command, url], cwd=directory, env=environment, capture_output=True, timeout=120, check=False
    )
    assert done.returncode == 0, done.stderr
    (file,) = directory.iterdir()
    return file


@OF_ORIGINS
@OF_TITLES
def test_curl_saves_the_file_under_its_name(
    kind: str, make: Make, job_of: JobOf, client: Client, source: SourceServer, tmp_path: Path
) -> None:
    url = f"{client.url}/api/download/{job_of(make, kind)}/file"

    by_key = saved((*CURL, "--header", KEY_HEADER), tmp_path / "key", url)
    by_bearer = saved((*CURL, "--header", BEARER_HEADER), tmp_path / "bearer", url)

    assert by_key.name == by_bearer.name == TITLES[kind].name
    assert by_key.read_bytes() == by_bearer.read_bytes() == (source.directory / "clip.mp4").read_bytes()


@OF_ORIGINS
@OF_TITLES
def test_wget_saves_the_file_under_its_name(
    kind: str, make: Make, job_of: JobOf, client: Client, source: SourceServer, tmp_path: Path
) -> None:
    url = f"{client.url}/api/download/{job_of(make, kind)}/file"

    file = saved((*WGET, f"--header={KEY_HEADER}"), tmp_path / "wget", url)

    assert file.name == TITLES[kind].name
    assert file.read_bytes() == (source.directory / "clip.mp4").read_bytes()


@OF_TITLES
def test_link_alone_saves_the_file_under_its_name(
    kind: str, job_of: JobOf, client: Client, source: SourceServer, tmp_path: Path
) -> None:
    link = client.job(job_of(of_its_own, kind))["download_url"]

    by_wget = saved(WGET, tmp_path / "wget", link)
    by_curl = saved(CURL, tmp_path / "curl", link)

    assert by_wget.name == TITLES[kind].name
    assert by_curl.name == TITLES[kind].ascii_name  # S3 keeps ASCII alone, and curl reads no `filename*`
    assert by_wget.read_bytes() == by_curl.read_bytes() == (source.directory / "clip.mp4").read_bytes()


def test_curl_without_a_key_saves_nothing(client: Client, job_of: JobOf, tmp_path: Path) -> None:
    url = f"{client.url}/api/download/{job_of(given, 'plain')}/file"

    done = subprocess.run([*CURL, url], cwd=tmp_path, capture_output=True, timeout=120, check=False)

    assert done.returncode == 22, done.stderr  # "HTTP page not retrieved", see its manual
    assert b"401" in done.stderr
    assert not list(tmp_path.iterdir())
