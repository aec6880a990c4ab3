"""Before anything is deployed: what is missing is said in one sentence, and the CDK is not even started."""

import json
import os
import stat
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import boto3
import pytest
from moto import mock_aws

from infra.cloud import __main__ as cloud

_REFUSAL = """<ErrorResponse xmlns="https://sts.amazonaws.com/doc/2011-06-15/"><Error><Type>Sender</Type>
<Code>{code}</Code><Message>no</Message></Error><RequestId>0</RequestId></ErrorResponse>"""
Program = Callable[[int], None]


@pytest.fixture(autouse=True)
def no_cdk(monkeypatch: pytest.MonkeyPatch) -> None:
    def started(*_: object) -> list[str]:
        raise AssertionError("the CDK's command line is reached")

    monkeypatch.setattr(cloud, "cdk_command", started)


@pytest.fixture(autouse=True)
def operator(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """Somebody without any set-up; returns where that would be."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("HOME", str(tmp_path))
    return tmp_path


@pytest.fixture
def logged_in(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in {"ACCESS_KEY_ID": "AKIAEXAMPLE", "SECRET_ACCESS_KEY": "secret", "REGION": "eu-west-1"}.items():
        monkeypatch.setenv(f"AWS_{name}", value)


@pytest.fixture
def docker(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Program:
    """A program in Docker's place that answers with the given exit code."""

    def answer(code: int) -> None:
        program = tmp_path / "a-docker"
        program.write_text(f"#!/bin/sh\nexit {code}\n")
        program.chmod(program.stat().st_mode | stat.S_IXUSR)
        monkeypatch.setenv("CDK_DOCKER", str(program))

    answer(0)
    return answer


@contextmanager
def sts_that_says(code: str) -> Iterator[str]:
    """An STS on this machine that refuses everybody with `code`; moto lets everybody in. Yields its address."""

    class Refuse(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = _REFUSAL.format(code=code).encode()
            self.send_response(403)
            self.send_header("Content-Type", "text/xml")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_: object) -> None: ...

    with ThreadingHTTPServer(("127.0.0.1", 0), Refuse) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def complaint(capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """What is said when the command cannot succeed: one line, and nothing on standard output."""
    assert cloud.main(arguments) == 1
    said = capsys.readouterr()
    assert said.out == ""
    assert said.err.count("\n") == 1
    return said.err.strip()


@pytest.mark.parametrize("command", ["bootstrap", "deploy", "diff", "destroy"])
def test_wrong_setting_is_named_before_anything_else(capsys: pytest.CaptureFixture[str], command: str) -> None:
    said = complaint(capsys, command, "--context", "retention_days=many")
    assert said == "retention_days is 'many'; it must be a whole number from 1 to 365."


def test_docker_that_is_not_there_is_missed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, logged_in: None
) -> None:
    monkeypatch.setenv("CDK_DOCKER", "no-such-program")
    assert complaint(capsys, "deploy").startswith("no-such-program is missing, and the worker's image is built with it")


def test_docker_that_does_not_run_is_missed(
    capsys: pytest.CaptureFixture[str], docker: Program, logged_in: None
) -> None:
    docker(1)
    assert "does not answer: start its service" in complaint(capsys, "deploy")


def test_region_is_asked_for(capsys: pytest.CaptureFixture[str], docker: Program) -> None:
    assert complaint(capsys, "deploy") == "No region is named: set AWS_REGION."


def test_credentials_are_asked_for(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, docker: Program
) -> None:
    monkeypatch.setenv("AWS_REGION", "eu-west-1")
    assert complaint(capsys, "deploy") == "There are no AWS credentials: log in, or set AWS_PROFILE."


def test_profile_that_is_not_there_is_named(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, docker: Program
) -> None:
    monkeypatch.setenv("AWS_PROFILE", "nobody")
    assert "(nobody) could not be found" in complaint(capsys, "deploy")


@pytest.mark.parametrize(
    ("code", "said"),
    [
        ("ExpiredToken", "The AWS session has expired: log in again, or renew the keys in the environment."),
        ("InvalidClientTokenId", "AWS does not know these credentials: log in again, or set others."),
    ],
)
@pytest.mark.parametrize("command", ["bootstrap", "deploy", "diff", "destroy"])
def test_session_that_aws_refuses_is_said_to_be_over(
    capsys: pytest.CaptureFixture[str],
    monkeypatch: pytest.MonkeyPatch,
    docker: Program,
    logged_in: None,
    command: str,
    code: str,
    said: str,
) -> None:
    with sts_that_says(code) as address:
        monkeypatch.setenv("AWS_ENDPOINT_URL", address)
        assert complaint(capsys, command) == said


def test_single_sign_on_that_is_over_is_said_to_be(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, docker: Program, operator: Path
) -> None:
    profile = {
        "sso_start_url": "https://example.com/start", "sso_region": "eu-west-1", "sso_account_id": "000000000000",
        "sso_role_name": "admin", "region": "eu-west-1",
    }  # fmt: skip
    config = operator / "config"
    config.write_text("[profile work]\n" + "".join(f"{name} = {value}\n" for name, value in profile.items()))
    monkeypatch.setenv("AWS_CONFIG_FILE", str(config))
    monkeypatch.setenv("AWS_PROFILE", "work")
    assert complaint(capsys, "deploy") == "The AWS session has expired: log in again, as with `aws sso login`."


def test_address_that_nobody_answers_at_is_said_to_be_out_of_reach(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, docker: Program, logged_in: None
) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL", "http://127.0.0.1:9")
    assert complaint(capsys, "deploy").startswith("AWS cannot be reached: ")


@mock_aws
@pytest.mark.parametrize("version", [None, "6"])
def test_account_that_the_cdk_does_not_know_is_not_deployed_to(
    capsys: pytest.CaptureFixture[str], docker: Program, logged_in: None, version: str | None
) -> None:
    if version:
        ssm = boto3.client("ssm", region_name="eu-west-1")
        ssm.put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value=version, Type="String")
    assert complaint(capsys, "deploy").endswith("run `make bootstrap`.")


@mock_aws
def test_cdk_runs_once_nothing_is_missing(
    monkeypatch: pytest.MonkeyPatch, docker: Program, logged_in: None, tmp_path: Path
) -> None:
    ssm = boto3.client("ssm", region_name="eu-west-1")
    ssm.put_parameter(Name="/cdk-bootstrap/hnb659fds/version", Value="30", Type="String")
    seen = tmp_path / "seen"
    report = "import json, os, sys; print(json.dumps([sys.argv[1:], os.environ['AWS_REGION']]))"

    def command(name: str, context: dict[str, str], passed_on: list[str]) -> list[str]:
        return ["/bin/sh", "-c", f'python3 -c "{report}" "$@" > {seen}; exit 3', "cdk", name, *context, *passed_on]

    monkeypatch.setattr(cloud, "cdk_command", command)
    assert cloud.main(["deploy", "--context", "stage=dev", "--require-approval", "never"]) == 3
    assert json.loads(seen.read_text()) == [["deploy", "stage", "--require-approval", "never"], "eu-west-1"]
