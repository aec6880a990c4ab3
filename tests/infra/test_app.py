"""Synthesis: the same template everywhere, and none at all when something is wrong."""

import json
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_sqs as sqs

from infra.app import build
from infra.assets import ROOT
from tests.infra.template import NO_BUNDLING, Template

OUTPUTS = {
    "ApiUrl", "TableName", "BucketName", "QueueUrl", "ExpressQueueUrl", "DeadLetterQueueUrl", "PepperSecretArn",
    "LinkSecretArn", "BusName", "AnnouncerDeadLetterQueueUrl", "WebhookQueueUrl", "WebhookDeadLetterQueueUrl",
    "WebhookSecretArn",
    "DownloaderFunctionName", "InspectFunctionName", "AnnouncerFunctionName", "DeliveryFunctionName",
    "RotationFunctionName", "SitesPrefix",
}  # fmt: skip


@pytest.fixture
def elsewhere(tmp_path: Path) -> Path:
    """A copy of what is deployed, in another place and with bytecode lying about as after a test run."""
    copy = tmp_path / "elsewhere"
    without_bytecode = shutil.ignore_patterns("__pycache__", "*.pyc")
    for name in ("infra", "layers", "functions"):
        shutil.copytree(ROOT / name, copy / name, ignore=without_bytecode)
    for name in ("cdk.json", "pyproject.toml"):
        shutil.copy(ROOT / name, copy)
    for folder in (
        "functions/authorizer",
        "functions/downloader",
        "layers/core/python/reelhaul",
        "layers/dependencies",
    ):
        (copy / folder / "__pycache__").mkdir()
        (copy / folder / "__pycache__" / "left_over.pyc").write_bytes(b"bytecode")
    return copy


def _synthesise_alone(directory: Path, **context: object) -> subprocess.CompletedProcess[str]:
    """Run the app as the CDK's command line does, but without credentials, and without Node and Docker on the PATH."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("AWS_", "JSII_", "CDK_"))}
    environment = kept | {
        "PATH": "",
        "CDK_OUTDIR": str(directory / "cdk.out"),
        "CDK_CONTEXT_JSON": json.dumps(NO_BUNDLING | context),
    }
    command = [sys.executable, "-m", "infra.app"]
    return subprocess.run(command, cwd=directory, env=environment, capture_output=True, text=True, check=False)


def test_template_is_the_same_from_another_place_with_bytecode_lying_about(template: Template, elsewhere: Path) -> None:
    done = _synthesise_alone(elsewhere)
    assert done.returncode == 0, done.stderr
    assert Template(elsewhere / "cdk.out").text == template.text


def test_wrong_setting_is_one_sentence_and_no_template(elsewhere: Path) -> None:
    done = _synthesise_alone(elsewhere, retention_days="soon")
    assert done.returncode == 1
    assert done.stderr == "retention_days is 'soon'; it must be a whole number from 1 to 365.\n"
    assert not (elsewhere / "cdk.out" / "Reelhaul.template.json").exists()


def test_template_knows_neither_this_machine_nor_an_account(template: Template) -> None:
    assert str(ROOT) not in template.text
    assert f"{Path.home()}/" not in template.text
    assert not re.search(r"\b\d{12}\b", template.text)
    assert not re.search(r"\b(us|eu|ap)-[a-z]+-\d\b", template.text)


def test_template_is_far_from_what_cloudformation_takes(template: Template) -> None:
    assert len(template.text.encode()) < 500_000  # of 1 MB
    assert len(template.resources) < 250  # of 500


def test_outputs_name_what_an_operator_and_the_local_engine_need(template: Template) -> None:
    assert template.body["Outputs"].keys() == OUTPUTS


def test_stage_is_part_of_the_stacks_name(template: Template, other_template: Template) -> None:
    names = [
        json.loads((which.outdir / "manifest.json").read_text())["artifacts"]["Reelhaul"]["properties"]["stackName"]
        for which in (template, other_template)
    ]
    assert names == ["Reelhaul-prod", "Reelhaul-dev"]


def test_region_is_where_the_credentials_say_unless_one_is_chosen(template: Template, other_template: Template) -> None:
    def environment(which: Template) -> str:
        manifest = json.loads((which.outdir / "manifest.json").read_text())
        return str(manifest["artifacts"]["Reelhaul"]["environment"])

    assert environment(template) == "aws://unknown-account/unknown-region"
    assert environment(other_template) == "aws://unknown-account/eu-central-1"


def test_finding_of_cdk_nag_is_fatal(tmp_path: Path) -> None:
    app = build(NO_BUNDLING, outdir=tmp_path)
    stack = app.node.find_child("Reelhaul")
    assert isinstance(stack, cdk.Stack)
    sqs.Queue(stack, "Careless")
    with pytest.raises(RuntimeError, match=r"(?s)ValidationFailed.*AwsSolutions-SQS3"):
        app.synth()
