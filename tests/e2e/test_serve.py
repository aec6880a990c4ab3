"""`reelhaul serve` and `reelhaul keys` as programs: what survives an end, and that nothing else does."""

import signal
import subprocess
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from infra.local.processes import free_ports
from tests.e2e.running import REELHAUL, Client, Service, request, serve, until
from tests.media import SourceServer

pytestmark = pytest.mark.e2e

_JOB_ROUTES = (
    ("GET", "/download/{}"),
    ("POST", "/download/{}"),
    ("DELETE", "/download/{}"),
    ("GET", "/async-response/{}"),
    ("GET", "/api/download/{}/file"),
    ("DELETE", "/api/downloads/{}"),
    ("DELETE", "/api/downloads/{}/remove"),
)


def keys(service: Service, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [REELHAUL, "keys", *arguments, "--local", service.url]
    return subprocess.run(command, capture_output=True, text=True, check=False)


def test_job_interrupted_by_a_stop_is_finished_after_the_next_start(source: SourceServer, tmp_path: Path) -> None:
    port, allowed = free_ports(1)[0], ("--allow-origin", source.origin)
    with serve(tmp_path / "data", *allowed, port=port) as service:
        done = service.client().ended(service.client().create(source.url("clip.mp4")))
        job_id = service.client().create(source.url("slow/clip.mp4?rate=20000"))
        until(lambda: service.client().job(job_id)["downloaded_bytes"], lambda count: count > 0, within_s=60)
        assert service.stop() == 0
        assert service.processes() == []

    with serve(tmp_path / "data", *allowed, port=port) as service:
        job = service.client().ended(job_id, within_s=90)
        assert job["status"] == "done"
        file = request("GET", job["download_url"]).body
        assert file == (source.directory / "clip.mp4").read_bytes()
        assert job["attempts"] == 1  # a stop of ours is no failure of the source's
        assert request("GET", done["download_url"]).status == 200


def test_state_is_served_from_another_port_too(source: SourceServer, tmp_path: Path) -> None:
    with serve(tmp_path / "data", "--allow-origin", source.origin) as service:
        before = service.client().ended(service.client().create(source.url("clip.mp4")))

    with serve(tmp_path / "data", "--allow-origin", source.origin) as service:
        client = service.client()
        assert client.ended(client.create(source.url("other/clip.mp4")))["status"] == "done"
        assert request("GET", client.job(before["id"])["download_url"]).status == 200


def test_data_directory_is_not_shared(service: Service) -> None:
    command = [REELHAUL, "serve", "--port", str(free_ports(1)[0]), "--data-dir", str(service.data)]

    second = subprocess.run(command, capture_output=True, text=True, check=False)

    assert second.returncode == 1
    assert second.stderr.strip() == f"Another service uses {service.data}. Name another directory with --data-dir."


def test_directory_that_cannot_be_is_said_in_a_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    command = [REELHAUL, "serve", "--port", str(free_ports(1)[0]), "--data-dir", str(tmp_path / "file")]

    ended = subprocess.run(command, capture_output=True, text=True, check=False)

    assert ended.returncode == 1
    assert "Traceback" not in ended.stderr


def test_web_pages_cannot_reach_the_engine(service: Service) -> None:
    assert request("POST", service.url + "/_ministack/reset").status == 404
    signed = {"Authorization": "AWS4-HMAC-SHA256 Credential=test/20261122/us-east-1/dynamodb/aws4_request"}
    tables = {"X-Amz-Target": "DynamoDB_20120810.ListTables", "Content-Type": "application/x-amz-json-1.0"}
    assert request("POST", service.url, body={}, headers=signed | tables).status == 200
    from_elsewhere = request("POST", service.url, body={}, headers=signed | tables | {"Origin": "http://evil.test"})
    assert (from_elsewhere.status, from_elsewhere.json["success"]) == (405, False)  # by our API, which has a page there


def test_many_submissions_at_once_are_all_accepted(service: Service, source: SourceServer) -> None:
    patient = Client(service.url, timeout_s=200)  # each of them may start a function of its own, all on this machine
    with ThreadPoolExecutor(30) as pool:
        ids = list(pool.map(lambda _: patient.create(source.url("status/404")), range(30)))

    assert len(set(ids)) == 30
    for job_id in ids:
        assert service.client().ended(job_id, within_s=200)["error_code"] == "source.not_found"


def test_control_c_leaves_no_process_behind(source: SourceServer, tmp_path: Path) -> None:
    with serve(tmp_path / "data", "--allow-origin", source.origin) as service:
        job_id = service.client().create(source.url("slow/clip.mp4?rate=2000"))
        until(lambda: service.client().job(job_id)["downloaded_bytes"], lambda count: count > 0, within_s=60)
        assert len(service.processes()) > 3

        assert service.stop(signal.SIGINT) == 0

        assert service.processes() == []


def test_killed_service_takes_everything_with_it(tmp_path: Path) -> None:
    with serve(tmp_path / "data") as service:
        service.process.kill()
        service.process.wait()

        until(service.processes, lambda left: not left, within_s=30)


def test_taken_port_is_said_in_a_sentence(service: Service, tmp_path: Path) -> None:
    port = service.url.rpartition(":")[2]

    second = subprocess.run(
        [REELHAUL, "serve", "--port", port, "--data-dir", str(tmp_path)], capture_output=True, text=True, check=False
    )

    assert second.returncode == 1
    assert second.stderr.strip() == f"Port {port} is in use. Name another with --port."


def test_keys_are_issued_listed_and_revoked(service: Service) -> None:
    made = keys(service, "create", "--tenant", "acme", "--label", "for tests")
    key = made.stdout.strip()
    assert made.returncode == 0, made.stderr
    assert service.client(key).call("GET", "/download").status == 200

    listed = keys(service, "list").stdout
    row = next(line for line in listed.splitlines() if "for tests" in line)
    assert key not in listed
    assert "valid" in row

    revoked = keys(service, "revoke", row.split()[0])
    assert revoked.returncode == 0, revoked.stderr
    assert service.client(key).call("GET", "/download").status == 401


def test_tenants_do_not_see_each_other(service: Service, source: SourceServer) -> None:
    other = service.client(keys(service, "create", "--tenant", "other").stdout.strip())
    job_id = service.client().create(source.url("clip.mp4"))
    unknown = "download-" + "0" * 26

    for method, path in _JOB_ROUTES:
        theirs, nobodys = (other.call(method, path.format(which)) for which in (job_id, unknown))
        assert theirs.status == 404, (method, path)
        assert theirs.body == nobodys.body
    assert other.call("GET", "/download").json["data"]["downloads"] == []
    assert service.client().ended(job_id)["status"] == "done"
