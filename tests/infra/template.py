"""A synthesised template, and how to ask it questions."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from infra.app import build

NO_BUNDLING: dict[str, object] = {"aws:cdk:bundling-stacks": []}

# What the resources are called in the tests, by the beginning of their name in the template.
_NICKNAMES = {
    "JobsTable": "table",
    "MediaBucket": "bucket",
    "WorkQueue": "queue",
    "WorkExpress": "express queue",
    "WorkDeadLetters": "dead-letter queue",
    "AnnouncementsBus": "bus",
    "AnnouncementsDeadLetters": "announcer's dead-letter queue",
    "WebhooksQueue": "webhook queue",
    "WebhooksDeadLetters": "webhook dead-letter queue",
    "WebhooksSecret": "webhook secret",
    "LinkKeySecret": "link secret",
    "LinkDistributionSecret": "link secret",
    "LinkKeyUser": "link user",
    "Pepper": "pepper",
    "HttpApi": "api",
}


def synthesise(context: Mapping[str, object], outdir: Path) -> "Template":
    build(context, outdir=outdir).synth()
    return Template(outdir)


class Template:
    """The template in the assembly at `outdir`. Functions go by the names of their folders."""

    def __init__(self, outdir: Path) -> None:
        self.outdir = outdir
        self.text = (outdir / "Reelhaul.template.json").read_text()
        self.body: dict[str, Any] = json.loads(self.text)
        self.resources: dict[str, dict[str, Any]] = self.body["Resources"]

    def of_type(self, kind: str) -> dict[str, dict[str, Any]]:
        """The properties of all resources of a type, by logical id."""
        return {name: found.get("Properties", {}) for name, found in self.resources.items() if found["Type"] == kind}

    def only(self, kind: str, start: str = "") -> dict[str, Any]:
        """The properties of the one resource of a type whose logical id begins with `start`."""
        (found,) = (properties for name, properties in self.of_type(kind).items() if name.startswith(start))
        return found

    @property
    def functions(self) -> dict[str, dict[str, Any]]:
        """The properties of all functions, by folder."""
        return {_folder(properties): properties for properties in self.of_type("AWS::Lambda::Function").values()}

    def function_behind(self, arn: Any) -> str:
        """The folder of the function that an expression leads to, an ARN or a URI with an ARN in it."""
        text = json.dumps(arn)
        (name,) = (name for name in self.of_type("AWS::Lambda::Function") if f'"{name}"' in text)
        return _folder(self.resources[name]["Properties"])

    def statements_of_role(self, function: str) -> list[dict[str, Any]]:
        """The policy statements of a function's role, and that there is nothing managed by others beside them."""
        role = self.functions[function]["Role"]["Fn::GetAtt"][0]
        assert "ManagedPolicyArns" not in self.resources[role]["Properties"]
        assert "Policies" not in self.resources[role]["Properties"]
        return self._statements("Roles", role)

    def statements_of_user(self) -> list[dict[str, Any]]:
        (user,) = self.of_type("AWS::IAM::User")
        assert not self.resources[user].get("Properties")
        return self._statements("Users", user)

    def all_statements(self) -> list[dict[str, Any]]:
        return [
            statement
            for policy in self.of_type("AWS::IAM::Policy").values()
            for statement in policy["PolicyDocument"]["Statement"]
        ]

    def _statements(self, kind: str, name: str) -> list[dict[str, Any]]:
        policies = self.of_type("AWS::IAM::Policy").values()
        attached = [policy for policy in policies if {"Ref": name} in policy.get(kind, [])]
        return [statement for policy in attached for statement in policy["PolicyDocument"]["Statement"]]

    def plain(self, expression: Any) -> str:
        """An expression as text, with the resources in it by their nicknames: `bucket/*`."""
        if isinstance(expression, str):
            return expression
        if "Fn::Join" in expression:
            separator, parts = expression["Fn::Join"]
            return str(separator).join(self.plain(part) for part in parts)
        name = expression["Ref"] if "Ref" in expression else expression["Fn::GetAtt"][0]
        nickname = next((nickname for start, nickname in _NICKNAMES.items() if name.startswith(start)), name)
        return f"{nickname}'s stream" if "StreamArn" in expression.get("Fn::GetAtt", []) else nickname


def as_list(value: Any) -> list[Any]:
    return value if isinstance(value, list) else [value]


def _folder(function: Mapping[str, Any]) -> str:
    """Both are `folder.handler.lambda_handler`: a zip's handler, and the command that the image is started with."""
    handler = function["ImageConfig"]["Command"][0] if function.get("PackageType") == "Image" else function["Handler"]
    return str(handler).split(".")[0]
