"""In what order the stack is deleted, which CloudFormation does from the ends of the references towards their roots."""

import json
import re
from typing import Any

import pytest

from tests.infra.template import Template, as_list


def needs(template: Template, name: str) -> set[str]:
    """All that must be there before `name` can be, and so is deleted after it."""
    found: set[str] = set()
    open_ends = [name]
    while open_ends:
        resource = template.resources[open_ends.pop()]
        direct = set(as_list(resource.get("DependsOn", []))) | set(_references(resource.get("Properties", {})))
        new = (direct & template.resources.keys()) - found
        found |= new
        open_ends += new
    return found


def _references(value: Any) -> list[str]:
    text = json.dumps(value)
    return re.findall(r'"(?:Ref|Fn::GetAtt)": \[?"(\w+)"', text) + re.findall(r"\$\{(\w+)[.}]", text)


def custom(template: Template, kind: str) -> str:
    (name,) = template.of_type(f"Custom::{kind}")
    return name


def functions_that_may(template: Template, *actions: str) -> set[str]:
    return {
        function
        for function in template.functions
        for statement in template.statements_of_role(function)
        if set(actions) & set(as_list(statement["Action"]))
    }


def logical_ids(template: Template, function: str) -> set[str]:
    """The function, its role, and all that gives rights to it or calls it by a queue or a schedule."""
    properties = template.functions[function]
    found = template.of_type("AWS::Lambda::Function").items()
    (name,) = (logical_id for logical_id, candidate in found if candidate is properties)
    role = properties["Role"]["Fn::GetAtt"][0]
    attached = {
        "AWS::IAM::Policy": role,
        "AWS::Lambda::EventSourceMapping": name,
        "AWS::SecretsManager::RotationSchedule": name,
    }
    return {name, role} | {
        logical_id
        for kind, to in attached.items()
        for logical_id, candidate in template.of_type(kind).items()
        if to in _references(candidate)
    }


def test_keys_go_before_their_user_and_after_whoever_makes_them(template: Template) -> None:
    keys = custom(template, "LinkKeys")
    (user,) = template.of_type("AWS::IAM::User")
    assert user in needs(template, keys)
    assert functions_that_may(template, "iam:CreateAccessKey") == {"rotate_link_key"}
    makers = logical_ids(template, "rotate_link_key")
    assert len(makers) == 4  # the function, its role, its policy, the schedule
    assert [maker for maker in makers if keys not in needs(template, maker)] == []


def test_contents_go_before_the_bucket_and_after_whoever_makes_them(template: Template) -> None:
    contents = custom(template, "Contents")
    (bucket,) = template.of_type("AWS::S3::Bucket")
    assert bucket in needs(template, contents)
    assert functions_that_may(template, "s3:PutObject") == {"downloader"}
    makers = logical_ids(template, "downloader")
    assert len(makers) == 5  # the function, its role, its policy, the mappings from its two queues
    assert [maker for maker in makers if contents not in needs(template, maker)] == []


@pytest.mark.parametrize("kind", ["LinkKeys", "Contents"])
def test_who_removes_them_is_still_there_and_may_do_it(other_template: Template, kind: str) -> None:
    resource = custom(other_template, kind)
    given = other_template.resources[resource]["Properties"]["ServiceToken"]
    assert other_template.function_behind(given) == "tear_down"
    needed = needs(other_template, resource)
    own = logical_ids(other_template, "tear_down")
    extra = {name for name in own if name.startswith("TearDownMayRemoveLinkKeys")}
    assert own - needed == (set() if kind == "LinkKeys" else extra)


def test_what_they_stand_for_is_what_the_template_makes(template: Template, other_template: Template) -> None:
    for which, stage, removal in ((template, "prod", "retain"), (other_template, "dev", "destroy")):
        keys, contents = which.only("Custom::LinkKeys"), which.only("Custom::Contents")
        assert which.plain(keys["UserName"]) == "link user"
        assert which.plain(contents["BucketName"]) == "bucket"
        assert (contents["SecretPrefix"], contents["RemovalPolicy"]) == (f"Reelhaul-{stage}/sites/", removal)


def test_contents_keep_their_name_in_the_template(template: Template, other_template: Template) -> None:
    """CloudFormation takes another name for another resource, and deletes this one with all that it stands for."""
    assert custom(template, "Contents") == custom(other_template, "Contents") == "TearDownContents78BEA9E3"


def test_there_are_no_other_custom_resources(template: Template) -> None:
    kinds = {resource["Type"] for resource in template.resources.values()}
    ours = {"Custom::LinkKeys", "Custom::Contents"}
    assert {kind for kind in kinds if kind.startswith(("Custom::", "AWS::CloudFormation::", "AWS::CDK::"))} == ours
