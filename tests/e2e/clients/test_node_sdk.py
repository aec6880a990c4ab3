"""The `videodb` SDK from npm, unmodified: `connect` with our key and base URL. It turns snake_case into camelCase."""

import dataclasses
import json
import os
import subprocess
from pathlib import Path
from typing import Any

import pytest

from infra import npm
from tests.e2e.running import KEY, Service, request
from tests.media import SourceServer

pytestmark = pytest.mark.e2e

HERE = Path(__file__).with_name("node")


class Raised(Exception):
    """What the SDK threw."""

    def __init__(self, kind: str, message: str, cause: Any) -> None:
        super().__init__(f"{kind}: {message}")
        self.kind = kind
        self.message = message
        self.cause = cause


@dataclasses.dataclass(frozen=True, slots=True)
class Sdk:
    """The SDK in a Node of its own for each call. Raises `Raised`."""

    modules: Path
    url: str
    key: str = KEY

    def call(self, method: str, *arguments: Any) -> Any:
        command = [str(npm.node_directory() / "node"), str(HERE / "call.cjs"), self.url, self.key, method]
        command += [json.dumps(argument) for argument in arguments]
        environment = os.environ | {"NODE_PATH": str(self.modules)}
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stderr
        said = json.loads(done.stdout)
        if "raised" in said:
            raise Raised(said["raised"], said["message"], said["cause"])
        return said["result"]


@pytest.fixture(scope="module")
def modules() -> Path:
    return npm.installed(HERE)


@pytest.fixture
def sdk(modules: Path, service: Service) -> Sdk:
    return Sdk(modules, service.url)


def newest(sdk: Sdk) -> dict[str, Any]:
    return dict(sdk.call("get", "download", {"params": {"count": 1}})["downloads"][0])


def test_sdk_is_the_one_the_contract_names(modules: Path) -> None:
    assert json.loads((modules / "videodb" / "package.json").read_text())["version"] == "0.2.0"


def test_download_returns_the_finished_job_and_its_link_yields_the_file(sdk: Sdk, source: SourceServer) -> None:
    job = sdk.call("download", source.url("clip.mp4"), "my video")

    assert (job["status"], job["name"], job["progress"]) == ("done", "my video.mp4", 100)
    assert request("GET", job["downloadUrl"]).body == (source.directory / "clip.mp4").read_bytes()


def test_failing_source_throws_our_sentence(sdk: Sdk, source: SourceServer) -> None:
    with pytest.raises(Raised) as raised:
        sdk.call("download", source.url("status/404"), "not there")

    job = newest(sdk)
    assert (job["name"], job["status"]) == ("not there", "error")
    assert job["error"]
    assert (raised.value.kind, raised.value.message) == ("VideodbError", f"VideoDB Error: {job['error']}")


def test_bad_address_throws_our_sentence(sdk: Sdk) -> None:
    with pytest.raises(Raised) as raised:
        sdk.call("download", "ftp://example.com/clip.mp4", "no web address")

    assert raised.value.kind == "InvalidRequestError"
    assert "stream_link" in raised.value.cause["cause"]


@pytest.mark.parametrize("call", [("download", "http://127.0.0.1:1/clip.mp4", "not mine"), ("get", "download")])
def test_wrong_key_throws_authentication_error(call: tuple[str, ...], modules: Path, service: Service) -> None:
    with pytest.raises(Raised) as raised:
        Sdk(modules, service.url, "sk-wrong-0123456789abcdef").call(*call)

    assert raised.value.kind == "AuthenticationError"


def test_job_is_listed_and_found_by_its_id(sdk: Sdk, source: SourceServer) -> None:
    job = sdk.call("download", source.url("clip.mp4"), "to be found")

    listed = sdk.call("get", "download", {"params": {"page_index": 0, "count": 50}})
    found = sdk.call("get", f"download/{job['id']}")

    assert [row["name"] for row in listed["downloads"] if row["id"] == job["id"]] == ["to be found.mp4"]
    assert (found["id"], found["status"], found["name"]) == (job["id"], "done", "to be found.mp4")


def test_failed_job_is_retried_under_its_id(sdk: Sdk, source: SourceServer) -> None:
    late = source.directory / "late-node.mp4"
    with pytest.raises(Raised):
        sdk.call("download", source.url(late.name), "late")
    job_id = newest(sdk)["id"]

    late.write_bytes((source.directory / "clip.mp4").read_bytes())
    job = sdk.call("post", f"download/{job_id}")

    assert (job["id"], job["status"], job["name"]) == (job_id, "done", "late.mp4")


@pytest.mark.parametrize("form", ["path", "query", "body"])
def test_deleted_job_is_gone(form: str, sdk: Sdk, source: SourceServer) -> None:
    job_id = sdk.call("download", source.url("clip.mp4"), "to be deleted")["id"]

    if form == "path":
        sdk.call("delete", f"download/{job_id}")
    else:
        sdk.call("delete", "download", {{"query": "params", "body": "data"}[form]: {"download_id": job_id}})

    with pytest.raises(Raised) as raised:
        sdk.call("get", f"download/{job_id}")
    assert raised.value.kind == "InvalidRequestError"
