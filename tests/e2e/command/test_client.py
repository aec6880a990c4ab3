"""The typed client on the running service, as the README shows it."""

import asyncio
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from reelhaul.client import AsyncClient, Client, DownloadFailed, Status
from tests.e2e.running import KEY, Service
from tests.media import SourceServer
from tests.named import ROOT

pytestmark = pytest.mark.e2e

EXAMPLE = re.compile(r"```python\n(from reelhaul\.client import.*?)```", re.DOTALL)


def test_example_of_the_readme_fetches_a_file(service: Service, source: SourceServer, tmp_path: Path) -> None:
    [text] = EXAMPLE.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    for shown, ours in {
        "https://your-service.example": service.url,
        "sk-...": KEY,
        "https://example.com/a.mp4": source.url("clip.mp4"),
    }.items():
        assert shown in text
        text = text.replace(shown, ours)
    (tmp_path / "example.py").write_text(text)

    ran = subprocess.run(
        [sys.executable, "example.py"], cwd=tmp_path, capture_output=True, text=True, check=False, env=dict(os.environ)
    )

    assert ran.returncode == 0, ran.stderr
    saved = [path for path in tmp_path.rglob("*.mp4") if path.is_file()]
    assert len(saved) == 2  # it does so in two ways
    assert all(path.read_bytes() == (source.directory / "clip.mp4").read_bytes() for path in saved)


def test_same_service_is_called_from_asyncio(service: Service, source: SourceServer, tmp_path: Path) -> None:
    async def fetched() -> list[Path]:
        async with AsyncClient(service.url, KEY) as client:
            urls = [source.url("clip.mp4"), source.url("other/clip.mp4")]
            return list(await asyncio.gather(*(client.fetch(url, tmp_path) for url in urls)))

    paths = asyncio.run(fetched())

    one, other = ((source.directory / name).read_bytes() for name in ("clip.mp4", "other/clip.mp4"))
    assert sorted(path.read_bytes() for path in paths) == sorted((one, other))
    assert {path.name for path in paths} == {"clip.mp4", "clip (2).mp4"}


def test_job_that_fails_is_an_error_with_its_code(service: Service, source: SourceServer, tmp_path: Path) -> None:
    with Client(service.url, KEY) as client:
        with pytest.raises(DownloadFailed) as caught:
            client.fetch(source.url("status/404"), tmp_path)
        assert caught.value.code == "source.not_found"
        assert caught.value.job.id in [job.id for job in client.jobs(status=Status.ERROR)]


def test_service_tells_what_it_is_and_our_clock_is_its_clock(service: Service) -> None:
    with Client(service.url, None) as client:
        info = client.service()
    assert info.version
    assert info.clock_off_s is None or abs(info.clock_off_s) < 60  # it is the same machine's
