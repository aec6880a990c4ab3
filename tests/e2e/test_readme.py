"""Every command that the README shows is run: here, one after the other, as it stands there, or by a test named here.

Addresses, keys and ids stand for others in the README; here they are replaced by some that exist.
"""

import dataclasses
import json
import os
import re
import shlex
import subprocess
from pathlib import Path

import pytest

from tests.e2e.command.running import Command
from tests.e2e.running import KEY, REELHAUL, Service
from tests.media import SourceServer
from tests.named import ROOT, exists

pytestmark = pytest.mark.e2e

BLOCK = re.compile(r"^```sh\n(.*?)^```", re.MULTILINE | re.DOTALL)
KEY_ID = re.compile(r"key-[0-9a-f]{12}")
COMMENT = re.compile(r"\s+#\s.*$")
LIMIT_S = 240
_CLI = "tests/unit/reelhaul/test_cli.py"
# What cannot be run here: what it begins with, and where it is.
ELSEWHERE = {
    "git clone": None,  # before there is anything of ours
    "export AWS_PROFILE": None,  # whoever deploys has such a thing
    "make demo URL=": "tests/e2e/test_demo.py::test_demo_says_why_a_url_of_yours_does_not_work",
    "make demo": "tests/e2e/test_demo.py::test_demo_fetches_three_media_and_prints_their_links",
    "make serve": "tests/e2e/test_serve.py::test_control_c_leaves_no_process_behind",
    "make bootstrap": "tests/deploy/test_deployed.py::test_destroy_leaves_nothing_behind",
    "make deploy": "tests/deploy/test_deployed.py::test_destroy_leaves_nothing_behind",
    "make destroy": "tests/deploy/test_deployed.py::test_destroy_leaves_nothing_behind",
    "reelhaul login": "tests/e2e/command/test_command.py::test_after_a_login_nothing_has_to_be_named",
    "reelhaul links new-key": f"{_CLI}::test_new_key_is_for_its_owners_eyes_and_its_public_half_fits_the_template",
    "reelhaul links set-key": f"{_CLI}::test_key_that_is_set_signs_links_from_then_on",
}


def commands() -> list[str]:
    """In the README's order, without what is said about them."""
    blocks = BLOCK.findall((ROOT / "README.md").read_text(encoding="utf-8"))
    lines = [line for block in blocks for line in block.splitlines() if not line.startswith("#")]
    return [COMMENT.sub("", line).removeprefix(".venv/bin/") for line in lines if line.strip()]


HERE = [command for command in commands() if not command.startswith(tuple(ELSEWHERE))]


@pytest.mark.parametrize("test", sorted({test for test in ELSEWHERE.values() if test}))
def test_every_test_that_is_named_exists(test: str) -> None:
    path, _, name = test.partition("::")
    assert exists(path, name)


def test_nothing_is_said_to_be_run_elsewhere_that_is_not_there() -> None:
    assert [start for start in ELSEWHERE if not any(command.startswith(start) for command in commands())] == []


@dataclasses.dataclass
class Reader:
    """Somebody who reads the README from its beginning, and types what it shows."""

    environment: dict[str, str]
    directory: Path
    replaced: dict[str, str]

    def types(self, command: str) -> str:
        """What it prints. What is exported is there for the commands that follow."""
        shown = sorted(self.replaced, key=len, reverse=True)
        command = re.sub("|".join(map(re.escape, shown)), lambda found: self.replaced[found[0]], command)
        if command.startswith("export "):
            self.environment |= dict(pair.split("=", 1) for pair in shlex.split(command)[1:])
            return ""
        ran = subprocess.run(
            ["bash", "-c", command], cwd=self.directory, env=self.environment, capture_output=True, text=True,
            input="http://user:password@127.0.0.1:3128\n", timeout=LIMIT_S, check=False,
        )  # fmt: skip
        assert ran.returncode == 0, (command, ran.stdout, ran.stderr)
        return ran.stdout


@pytest.fixture(scope="module")
def reader(service: Service, source: SourceServer, tmp_path_factory: pytest.TempPathFactory) -> Reader:
    home = tmp_path_factory.mktemp("home")
    directory = home / "here"
    directory.mkdir()
    (directory / "cookies.txt").write_text(
        "# Netscape HTTP Cookie File\n.example.com\tTRUE\t/\tTRUE\t4102444800\tsession\tmade-up\n"
    )
    (directory / "urls.txt").write_text(source.url("clip.mp4") + "\n")
    client = service.client()
    job_id = client.create(source.url("clip.mp4"))
    clip, local = source.url("clip.mp4"), f"--local {service.url}"
    reader = Reader(
        environment=Command(service.url, directory).environment(PATH=f"{Path(REELHAUL).parent}:{os.environ['PATH']}"),
        directory=directory,
        replaced={
            "sk-...": KEY,
            "http://127.0.0.1:8787": service.url,
            "<ApiUrl>": service.url,
            "<download_url>": client.ended(job_id)["download_url"],
            "<download_id>": job_id,
            "download-01m8...": job_id,
            "https://example.com/a.mp4": clip,
            "https://example.com/small.mp4": clip,
            "https://example.com/a ": f"{clip} ",
            "https://example.com/b ": f"{source.url('other/clip.mp4')} ",
            "https://example.com/talk ": f"{clip} ",
            "1:30-2:00": "0.5-1.5",
            "--stack Reelhaul-prod": local,
            "--local": local,
        },
    )
    reader.types("reelhaul keys create --tenant acme --local")
    reader.replaced["key-0123456789ab"] = KEY_ID.findall(reader.types("reelhaul keys list --local"))[-1]
    return reader


@pytest.mark.parametrize("number", range(len(HERE)), ids=lambda number: f"{number}-{HERE[number][:40]}")
def test_command_of_the_readme_works(reader: Reader, number: int) -> None:
    printed = reader.types(HERE[number])
    if HERE[number].startswith("curl -s"):  # which ends well whatever the answer is
        assert json.loads(printed)["success"] is True
