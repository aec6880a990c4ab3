"""What cdk-nag and CloudFormation find is fatal, and each finding that is lived with is named, needed and explained."""

import dataclasses
import json
from collections.abc import Iterator
from pathlib import Path

import aws_cdk as cdk
import pytest
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct, IConstruct

from infra import app as cdk_app
from tests.infra.template import NO_BUNDLING

# What is in the template by request only is in it here.
EVERYTHING = NO_BUNDLING | {"alarm_email": "operator@example.com", "removal_policy": "destroy"}


@dataclasses.dataclass(frozen=True, order=True)
class Finding:
    """One rule at one place, in the words of the validation report: a path of constructs."""

    rule: str
    place: str

    def is_at(self, place: str) -> bool:
        return self.place == place or self.place.startswith(f"{place}/")


@dataclasses.dataclass(frozen=True, order=True)
class Acknowledgement:
    rule: str
    place: str
    reason: str


@pytest.fixture(scope="module", params=["s3", "cloudfront"])
def context(request: pytest.FixtureRequest, public_key_files: list[str]) -> dict[str, object]:
    if request.param == "s3":
        return EVERYTHING
    return EVERYTHING | {"link_signer": "cloudfront", "cloudfront_public_key": ",".join(public_key_files)}


@pytest.fixture(scope="module")
def findings(context: dict[str, object], tmp_path_factory: pytest.TempPathFactory) -> list[Finding]:
    """What is found when nothing is acknowledged, all in one synthesis."""
    outdir = tmp_path_factory.mktemp("found")
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr(cdk_app, "acknowledge", lambda _stack: None)
        app = cdk_app.build(context, outdir=outdir)
    with pytest.raises(RuntimeError, match="ValidationFailed"):
        app.synth()
    return list(_found(outdir))


@pytest.fixture(scope="module")
def acknowledgements(context: dict[str, object]) -> list[Acknowledgement]:
    everything = cdk_app.build(context).node.find_all()
    return [
        Acknowledgement(rule.removeprefix("Annotation::"), construct.node.path, str(reason))
        for construct in everything
        for entry in construct.node.metadata if entry.type == "aws:cdk:acknowledged-rules"
        for rule, reason in entry.data.items()
    ]  # fmt: skip


def _found(outdir: Path) -> Iterator[Finding]:
    report = json.loads((outdir / "validation-report.json").read_text())
    for plugin in report["pluginReports"]:
        for violation in plugin["violations"]:
            for where in violation["violatingConstructs"]:
                yield Finding(violation["ruleName"], where["constructPath"])


def test_both_packs_find_something(findings: list[Finding]) -> None:
    assert {finding.rule.partition("-")[0] for finding in findings} == {"AwsSolutions", "Serverless"}


def test_each_acknowledgement_names_one_finding_that_is_there(
    findings: list[Finding], acknowledgements: list[Acknowledgement]
) -> None:
    """So that the synthesis fails without any one of them, and none of them covers a finding to come."""
    assert len(acknowledgements) > 50
    for one in acknowledgements:
        covered = [finding for finding in findings if finding.rule == one.rule and finding.is_at(one.place)]
        assert len(covered) == 1, one


def test_each_finding_is_acknowledged_once(findings: list[Finding], acknowledgements: list[Acknowledgement]) -> None:
    for finding in findings:
        named = [one for one in acknowledgements if one.rule == finding.rule and finding.is_at(one.place)]
        assert len(named) == 1, finding


def test_each_acknowledgement_has_a_reason(acknowledgements: list[Acknowledgement]) -> None:
    for one in acknowledgements:
        assert len(one.reason) > 30, one
        assert one.reason.endswith("."), one


def test_rights_are_acknowledged_by_action_and_resource(acknowledgements: list[Acknowledgement]) -> None:
    of_rights = [one.rule for one in acknowledgements if one.rule.startswith("AwsSolutions-IAM")]
    assert of_rights
    assert all(rule.startswith("AwsSolutions-IAM5[") for rule in of_rights)


# --- fatal -----------------------------------------------------------------------------------------------------------


def _careless_queue(stack: Construct) -> IConstruct:
    return sqs.Queue(stack, "Careless")


def _function_without_dead_letters(stack: Construct) -> IConstruct:
    return lambda_.Function(
        stack,
        "Careless",
        runtime=lambda_.Runtime.PYTHON_3_13,
        handler="index.handler",
        code=lambda_.Code.from_inline("def handler(event, context): ..."),
    )


def _queue_of_a_type_that_is_none(stack: Construct) -> IConstruct:
    return cdk.CfnResource(stack, "Careless", type="AWS::SQS::Queue", properties={"DelaySeconds": "soon"})


@pytest.mark.parametrize(
    ("add", "found"),
    [
        (_careless_queue, "AwsSolutions-SQS3"),
        (_function_without_dead_letters, "Serverless-LambdaDLQ"),
        (_queue_of_a_type_that_is_none, "DelaySeconds"),
    ],
    ids=["AwsSolutions", "Serverless", "CloudFormation"],
)
def test_finding_is_fatal(tmp_path: Path, add: object, found: str) -> None:
    app = cdk_app.build(NO_BUNDLING, outdir=tmp_path)
    assert callable(add)
    add(app.node.find_child("Reelhaul"))
    with pytest.raises(RuntimeError, match=rf"(?s)ValidationFailed.*{found}"):
        app.synth()
