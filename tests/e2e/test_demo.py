"""`make demo` is what a stranger runs first."""

import subprocess
import sys

import pytest

from tests.e2e.running import ROOT

pytestmark = pytest.mark.e2e


def demo(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.local.demo", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=200, check=False)


def test_demo_fetches_three_media_and_prints_their_links() -> None:
    ended = demo()

    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("X-Amz-Signature=") == 3
    assert ended.stdout.count("audio + video, 2.0") == 3
    assert "processing" in ended.stdout


def test_demo_says_why_a_url_of_yours_does_not_work() -> None:
    ended = demo("http://127.0.0.1:9/nothing.mp4")

    assert ended.returncode == 1
    assert "source.refused_address" in ended.stderr
