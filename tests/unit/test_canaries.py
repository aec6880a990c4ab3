"""The search for secrets in what the tests produce: it finds them wherever they are put."""

import base64
import subprocess
import sys
from pathlib import Path

import pytest

from reelhaul import aws
from reelhaul.keys import KeyStore
from tests import canaries
from tests.canaries import MARK, SecretShown
from tests.conftest import Cloud, installed
from tests.integration.conftest import Api

ROOT = Path(__file__).resolve().parents[2]
SHOWING = f'''
import base64, json, logging, sys
import pytest
from aws_lambda_powertools import Logger
from tests.logs import logged

def test_clean():
    print("nothing")
    logging.getLogger("a").warning("nothing")

def test_printed():
    print("a {MARK} b")

def test_printed_to_the_other():
    print("{MARK}", file=sys.stderr)

def test_printed_in_base64():
    print(base64.b64encode(b"user:{MARK}-password").decode())

def test_logged_as_a_field():
    logging.getLogger("a").warning("clean", extra={{"header": "{MARK}"}})

def test_logged_where_the_test_keeps_what_is_printed(capsys):
    logging.getLogger("a").error("%s", "{MARK}")
    capsys.readouterr()

def test_printed_where_the_test_reads_it(capsys):
    print("{MARK}")
    capsys.readouterr()

@pytest.mark.shows_a_key
def test_read_on_purpose(capsys):
    print("{MARK}")
    capsys.readouterr()

def test_logged_by_a_function():
    logger = Logger(service="a")
    with logged(logger):
        logger.info("clean", key="{MARK}")

@pytest.fixture
def leaving():
    yield
    print("{MARK}")

def test_printed_at_the_end(leaving):
    pass
'''


def test_whatever_a_test_prints_or_logs_is_searched(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(
        "from tests.canaries import pytest_runtest_makereport, pytest_sessionfinish, pytest_sessionstart\n"
    )
    (tmp_path / "test_showing.py").write_text(SHOWING)
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-rA",
        "--tb=no",
        "-p",
        "no:cacheprovider",
        f"--rootdir={tmp_path}",
        str(tmp_path),
    ]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    said = [line.split()[:2] for line in run.stdout.splitlines() if "::test_" in line]
    outcomes = {name.partition("::")[2]: outcome for outcome, name in said}
    assert (outcomes.pop("test_clean"), outcomes.pop("test_read_on_purpose")) == ("PASSED", "PASSED")
    assert outcomes.pop("test_printed_at_the_end") == "ERROR"
    assert len(outcomes) == SHOWING.count("def test_") - 3
    assert set(outcomes.values()) == {"FAILED"}
    assert run.returncode == 1


@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
def test_base64_hides_nothing_wherever_it_begins(before: str) -> None:
    hidden = base64.b64encode(f"{before}{MARK}:and more".encode())
    with pytest.raises(SecretShown):
        canaries.assert_none(hidden, where="here")
    canaries.assert_none(base64.b64encode(b"nothing of the kind"), where="here")


def test_an_object_a_record_or_a_message_with_a_secret_is_found() -> None:
    with pytest.raises(SecretShown, match="the object acme/1"), installed() as cloud:
        cloud.put_object("acme/1", f"media {MARK} media".encode())
    with pytest.raises(SecretShown, match="said of the object"), installed() as cloud:
        aws.client("s3").put_object(Bucket=cloud.bucket, Key="a", Metadata={"origin": MARK})
    with pytest.raises(SecretShown, match="a record"), installed() as cloud:
        aws.client("dynamodb").put_item(
            TableName=cloud.table, Item={"pk": {"S": "a"}, "sk": {"S": "b"}, "cookie": {"S": MARK}}
        )
    with pytest.raises(SecretShown, match="a message"), installed() as cloud:
        aws.client("sqs").send_message(QueueUrl=cloud.webhook_queue_url, MessageBody=MARK)


def test_a_reply_with_a_secret_is_found(cloud: Cloud, monkeypatch: pytest.MonkeyPatch) -> None:
    reply = {"statusCode": 307, "headers": {"location": f"https://s3/?X-Amz-Security-Token={MARK}"}, "body": ""}
    monkeypatch.setattr("list_downloads.handler.lambda_handler", lambda *_: reply)
    with pytest.raises(SecretShown, match="reply to GET /download"):
        Api()("GET", "/download")


def test_a_file_with_a_secret_is_found(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    (tmp_path / "state/secretsmanager.json").write_text(MARK)
    canaries.search_folder(tmp_path)
    (tmp_path / "s3").mkdir()
    (tmp_path / "s3/object").write_bytes(b"\xff" + MARK.encode())
    with pytest.raises(SecretShown, match="s3/object"):
        canaries.search_folder(tmp_path)


def test_every_secret_of_an_installation_has_the_mark(cloud: Cloud) -> None:
    made = aws.client("iam").create_access_key(UserName=cloud.link_user)["AccessKey"]["SecretAccessKey"]
    values = [
        aws.client("secretsmanager").get_secret_value(SecretId=arn)["SecretString"]
        for arn in (cloud.pepper_secret, cloud.webhook_secret, cloud.link_secret)
    ]
    issued, _ = KeyStore(aws.client("dynamodb"), cloud.table, canaries.PEPPER.encode).issue("acme")
    assert all(MARK in value for value in (issued, made, *values))
