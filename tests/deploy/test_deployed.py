"""The template as it is, deployed by the CDK's command line, with every signature checked and every right enforced.

One installation for all tests, in the order in which they stand here; the last one takes it away.
"""

import hashlib
import json
import shutil
import time
from typing import Any
from urllib.parse import parse_qs, quote, urlsplit

import pytest
from botocore.exceptions import ClientError
from standardwebhooks import Webhook

from reelhaul.links import LINK_SECONDS, AccessKey
from reelhaul.presign import Place, Presigner
from tests.containers import images
from tests.deploy import account, containers
from tests.deploy.calling import DeployedClient
from tests.deploy.deployment import STACK, WORKER_MEMORY_MB, WORKER_TMP_MB, Deployment
from tests.deploy.mishaps import dead_letters, dead_letters_kept, worker_broken
from tests.e2e.running import until
from tests.media import SourceServer
from tests.receiver import Receiver

pytestmark = [pytest.mark.e2e, pytest.mark.timeout(1800)]  # the first one to run waits for the deployment


@pytest.fixture(scope="module")
def done(deployment: Deployment, source: SourceServer) -> dict[str, Any]:
    """A job of the tenant acme that is done."""
    job = deployment.acme.ended(deployment.acme.create(source.url("clip.mp4"), name="A clip"))
    assert job["status"] == "done", job
    return job


# --- from request to file --------------------------------------------------------------------------------------------


def test_file_behind_the_link_is_the_sources(
    client: DeployedClient, done: dict[str, Any], source: SourceServer
) -> None:
    served = client.fetch("GET", done["download_url"])
    assert served.status == 200
    original = (source.directory / "clip.mp4").read_bytes()
    assert hashlib.sha256(served.body).hexdigest() == hashlib.sha256(original).hexdigest()
    assert served.headers["Content-Disposition"].startswith('attachment; filename="A clip.mp4"')


def test_poll_is_answered_at_the_address_that_was_handed_out(client: DeployedClient, source: SourceServer) -> None:
    accepted = client.call("POST", "/download", {"stream_link": source.url("hls/master.m3u8")}).json
    url = accepted["data"]["output_url"]
    assert url == f"{client.url}/async-response/{accepted['download_id']}"

    def poll() -> dict[str, Any]:
        return dict(client.call("GET", urlsplit(url).path).json)

    reply = until(poll, lambda seen: seen["status"] != "processing", within_s=120)
    assert reply["status"] == "done", reply
    assert client.fetch("GET", reply["data"]["download_url"]).status == 200


def test_end_is_told_to_a_webhook(deployment: Deployment, source: SourceServer, receiver: Receiver) -> None:
    client = deployment.acme
    job_id = client.create(source.url("clip.mp4"), callback_url=receiver.url())
    told = until(lambda: receiver.received[:], lambda seen: any(one.event[1] == job_id for one in seen), within_s=120)
    (event,) = (one for one in told if one.event[1] == job_id)
    Webhook(deployment.webhook_secret("acme")).verify(event.body, event.headers)
    assert event.event[0] == "download.completed"
    assert client.fetch("GET", event.json["data"]["download_url"]).status == 200


def test_source_is_described_by_a_function_without_any_right(client: DeployedClient, source: SourceServer) -> None:
    reply = client.call("POST", "/api/info", {"url": source.url("clip.mp4")})
    assert reply.status == 200, reply
    assert reply.json["formats"]


def test_failed_job_is_retried(client: DeployedClient, source: SourceServer) -> None:
    job_id = client.create(source.url("late.mp4"))
    failed = client.ended(job_id)
    assert (failed["status"], failed["error_code"]) == ("error", "source.not_found")

    shutil.copy(source.directory / "clip.mp4", source.directory / "late.mp4")
    assert client.call("POST", f"/download/{job_id}").status == 200
    assert client.ended(job_id)["status"] == "done"


def test_deleted_job_is_gone_with_its_file(deployment: Deployment, source: SourceServer) -> None:
    client = deployment.acme
    job_id = client.create(source.url("clip.mp4"))
    link = client.ended(job_id)["download_url"]
    assert deployment.objects(job_id)

    assert client.call("DELETE", f"/download/{job_id}").status == 200
    assert client.call("GET", f"/download/{job_id}").status == 404
    assert deployment.objects(job_id) == []
    assert client.fetch("GET", link).status in {403, 404}


# --- who gets in -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("key", [None, "", "sk-of-somebody-else"])
def test_without_a_valid_key_nothing_is_told(deployment: Deployment, key: str | None) -> None:
    assert deployment.caller(key).call("GET", "/download").status == 401


def test_tenants_do_not_see_each_other(deployment: Deployment, done: dict[str, Any]) -> None:
    other = deployment.caller(deployment.create_key("other"))
    assert other.call("GET", "/download").json["data"]["downloads"] == []
    assert other.call("GET", f"/download/{done['id']}").status == 404


def test_health_is_told_without_a_key(deployment: Deployment) -> None:
    reply = deployment.caller(None).call("GET", "/health")
    assert (reply.status, reply.json) == (200, {"status": "ok"})


@pytest.mark.parametrize("part", ["path", "X-Amz-Signature", "X-Amz-Expires", "X-Amz-Date", "X-Amz-Credential"])
def test_changed_link_is_refused(client: DeployedClient, done: dict[str, Any], part: str) -> None:
    assert client.fetch("GET", _changed(done["download_url"], part)).status == 403


def _changed(link: str, part: str) -> str:
    """The link with another digit in one of its parts, the last one there is."""
    parts = urlsplit(link)
    value = parts.path if part == "path" else quote(parse_qs(parts.query)[part][0], safe="")
    place = max(index for index, letter in enumerate(value) if letter.isdecimal())
    return link.replace(value, f"{value[:place]}{(int(value[place]) + 1) % 10}{value[place + 1 :]}")


def test_link_without_its_signature_is_refused(client: DeployedClient, done: dict[str, Any]) -> None:
    assert client.fetch("GET", done["download_url"].partition("?")[0]).status == 403


def test_link_dies_after_24_hours(deployment: Deployment, done: dict[str, Any]) -> None:
    """Signed as the service does and with its key, only earlier."""
    path = urlsplit(done["download_url"]).path.removeprefix(f"/{deployment.outputs['BucketName']}/")
    place = Place.of(done["download_url"], key=path)
    key = deployment.link_key()
    signer = Presigner(key.id, key.secret, place, expires_s=LINK_SECONDS)
    a_day_ago = int(time.time()) - LINK_SECONDS

    def status(signed_at: int) -> int:
        return deployment.acme.fetch("GET", signer.sign(path, now=signed_at)).status

    assert (status(a_day_ago - 60), status(a_day_ago + 600)) == (403, 200)


def test_link_outlives_the_rotation_of_its_key(deployment: Deployment, done: dict[str, Any]) -> None:
    before = deployment.link_key()
    deployment.rotate_link_key()
    assert deployment.link_key().id != before.id
    assert deployment.acme.fetch("GET", done["download_url"]).status == 200


def test_operator_who_makes_keys_may_do_nothing_else(deployment: Deployment) -> None:
    assert deployment.create_key("acme")  # with exactly the rights that the README names
    read = deployment.client("secretsmanager", deployment.operator).get_secret_value
    assert _refusal(lambda: read(SecretId=deployment.outputs["LinkSecretArn"])) == "AccessDeniedException"


def test_link_key_reads_files_and_nothing_else(deployment: Deployment) -> None:
    bucket = deployment.outputs["BucketName"]
    s3 = deployment.client("s3", deployment.link_key())
    assert _refusal(lambda: s3.list_objects_v2(Bucket=bucket)) == "AccessDenied"
    assert _refusal(lambda: s3.put_object(Bucket=bucket, Key="acme/x", Body=b"x")) == "AccessDenied"


# --- the worker ------------------------------------------------------------------------------------------------------


def test_worker_runs_the_image_that_was_pushed(deployment: Deployment, done: dict[str, Any]) -> None:
    repository, tag = deployment.image()
    stored = deployment.client("ecr").describe_images(repositoryName=repository, imageIds=[{"imageTag": tag}])
    image = images.inspect(containers.inspect(_worker(deployment))["Image"])
    assert any(name.endswith(stored["imageDetails"][0]["imageDigest"]) for name in image["RepoDigests"]), image


def test_worker_is_as_large_as_its_configuration_says(deployment: Deployment, done: dict[str, Any]) -> None:
    worker = _worker(deployment)
    assert int(containers.execute(worker, _MEMORY_LIMIT)) == WORKER_MEMORY_MB * 2**20
    assert int(containers.execute(worker, _TMP_SIZE)) == WORKER_TMP_MB * 2**20


def test_worker_can_write_below_tmp_only(deployment: Deployment, done: dict[str, Any]) -> None:
    writable = containers.execute(_worker(deployment), _WRITABLE).split()
    assert writable
    assert all((directory + "/").startswith("/tmp/") for directory in writable), writable  # noqa: S108 - the container's


def test_worker_is_nobody_in_particular(deployment: Deployment, done: dict[str, Any]) -> None:
    status = containers.execute(_worker(deployment), "print(open('/proc/1/status').read())")
    seen = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert (int(seen["CapEff"], 16), seen["NoNewPrivs"]) == (0, "1")
    assert "0" not in seen["Uid"].split()


# Of cgroups v2 or v1.
_MEMORY_LIMIT = """
import pathlib
found = [pathlib.Path("/sys/fs/cgroup", name) for name in ("memory.max", "memory/memory.limit_in_bytes")]
print(next(path for path in found if path.exists()).read_text())
"""
_TMP_SIZE = "import os; s = os.statvfs('/tmp'); print(s.f_blocks * s.f_frsize)"
_WRITABLE = """
import os
for directory, _, _ in os.walk("/"):
    if directory.startswith(("/proc", "/sys")):
        continue
    try:
        path = os.path.join(directory, "written")
        open(path, "w").close()
        os.remove(path)
        print(directory)
    except OSError:
        pass
"""


def test_whoever_takes_the_worker_over_can_read_no_secret(deployment: Deployment, done: dict[str, Any]) -> None:
    variables = containers.inspect(_worker(deployment))["Config"]["Env"]
    found = dict(variable.split("=", 1) for variable in variables)
    stolen = AccessKey(found["AWS_ACCESS_KEY_ID"], found["AWS_SECRET_ACCESS_KEY"])

    def as_worker(service: str) -> Any:
        return deployment.client(service, stolen, token=found["AWS_SESSION_TOKEN"])

    assert ":assumed-role/" in as_worker("sts").get_caller_identity()["Arn"]
    as_worker("s3").list_objects_v2(Bucket=deployment.outputs["BucketName"])  # what it may do, it can
    for output in ("LinkSecretArn", "PepperSecretArn", "WebhookSecretArn"):
        arn = deployment.outputs[output]
        read = as_worker("secretsmanager").get_secret_value
        assert _refusal(lambda read=read, arn=arn: read(SecretId=arn)) == "AccessDeniedException"
    scan = as_worker("dynamodb").scan
    assert _refusal(lambda: scan(TableName=deployment.outputs["TableName"])) == "AccessDeniedException"


def _worker(deployment: Deployment) -> str:
    return containers.running(deployment.outputs["DownloaderFunctionName"])[0]


def _refusal(call: Any) -> str:
    """The code of the error that AWS answers a call with."""
    with pytest.raises(ClientError) as refused:
        call()
    return str(refused.value.response["Error"]["Code"])


# --- what nobody can handle ------------------------------------------------------------------------------------------


def test_sweeper_has_the_rights_it_needs(deployment: Deployment) -> None:
    done = deployment.invoke(deployment.function("sweeper"), {})
    assert "broken" not in (done or {})


def test_malformed_message_becomes_a_dead_letter(deployment: Deployment) -> None:
    with dead_letters_kept(deployment):
        deployment.client("sqs").send_message(QueueUrl=deployment.outputs["QueueUrl"], MessageBody="not ours")
        assert until(lambda: dead_letters(deployment), bool, within_s=120) == ["not ours"]
    until(lambda: dead_letters(deployment), lambda left: not left, within_s=60)


def test_job_whose_worker_dies_each_time_ends_as_an_error(deployment: Deployment, source: SourceServer) -> None:
    client = deployment.acme
    with dead_letters_kept(deployment), worker_broken(deployment):
        job_id = client.create(source.url("clip.mp4"))
        (letter,) = until(lambda: dead_letters(deployment), bool, within_s=240)
        assert json.loads(letter)["job_id"] == job_id
        assert client.job(job_id)["status"] == "processing"
    failed = client.ended(job_id)
    assert (failed["status"], failed["error_code"]) == ("error", "job.dead_letter")

    assert client.call("POST", f"/download/{job_id}").status == 200  # the worker is well again
    assert client.ended(job_id)["status"] == "done"


# --- the end ---------------------------------------------------------------------------------------------------------


def test_destroy_leaves_nothing_behind(deployment: Deployment) -> None:
    deployed = account.inventory(deployment.client)
    assert STACK in deployed["stacks"]
    assert deployment.cdk is not None
    assert deployment.objects() != []
    deployment.cdk.destroy()
    assert account.inventory(deployment.client) == deployment.before
