"""Cookies and a proxy for a site, set by the command and used by the deployed service."""

import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.connect_proxy import ConnectProxy
from tests.e2e.running import REELHAUL, ROOT, Client, Service, request, serve
from tests.media import make_media
from tests.members import MembersServer, netscape

pytestmark = pytest.mark.e2e

SESSION, PASSWORD = "c4n4ry-c00kie-v4lue", "c4n4ry-pr0xy-p4ss"
SITE = "127.0.0.1"


@pytest.fixture(scope="module")
def members(tmp_path_factory: pytest.TempPathFactory) -> Iterator[MembersServer]:
    with MembersServer(make_media(tmp_path_factory.mktemp("members")), session=SESSION) as server:
        yield server


@pytest.fixture(scope="module")
def upstream() -> Iterator[ConnectProxy]:
    with ConnectProxy(credentials=f"user:{PASSWORD}") as proxy:
        yield proxy


@pytest.fixture(scope="module")
def service(members: MembersServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    data: Path = tmp_path_factory.mktemp("service") / "data"
    with serve(data, "--allow-origin", members.origin) as running:
        yield running


def sites(service: Service, *arguments: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
    command = [REELHAUL, "sites", *arguments, "--tenant", "local", "--local", service.url]
    return subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=ROOT, check=False, timeout=120)


def test_medium_for_members_comes_with_cookies_through_the_proxy_and_nothing_is_left(
    service: Service, client: Client, members: MembersServer, upstream: ConnectProxy, tmp_path: Path
) -> None:
    url = members.url("members/clip.mp4")
    without = client.ended(client.create(url))
    assert without["error_code"] == "source.forbidden"

    (tmp_path / "cookies.txt").write_text(netscape(("session", SESSION)))
    for done in (
        sites(service, "set", SITE, "--cookies", str(tmp_path / "cookies.txt")),
        sites(service, "set", SITE, "--proxy", "-", stdin=upstream.url()),
    ):
        assert done.returncode == 0, done.stderr
    listed = sites(service, "list").stdout
    assert f"http://127.0.0.1:{upstream.port}" in listed
    job = client.ended(client.create(url))

    assert job["status"] == "done", job
    assert request("GET", job["download_url"]).body == (members.directory / "clip.mp4").read_bytes()
    assert upstream.targets
    assert set(upstream.targets) == {members.origin}
    shown = str(job) + str(without) + listed + str(client.call("GET", "/download?count=10").json)
    logs = b"".join(path.read_bytes() for path in service.data.rglob("*.log"))
    assert b"job_claimed" in logs
    for secret in (SESSION, PASSWORD):
        assert secret not in shown
        assert secret.encode() not in logs

    assert sites(service, "remove", SITE).returncode == 0
    upstream.targets.clear()
    assert client.ended(client.create(url))["error_code"] == "source.forbidden"
    assert upstream.targets == []


def test_command_says_in_a_sentence_what_it_cannot_do(service: Service) -> None:
    refused = sites(service, "set", "co.uk", "--proxy", f"http://user:{PASSWORD}@127.0.0.1:1")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert refused.stderr.startswith("co.uk is no site")
    assert PASSWORD not in refused.stderr
