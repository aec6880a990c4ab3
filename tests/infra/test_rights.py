"""Who may do what: the whole table, so that a right that is added shows up here."""

import re
from typing import Any

import pytest

from tests.infra.template import Template, as_list

_JOB = [f"dynamodb:{action} table" for action in ("GetItem", "PutItem", "UpdateItem")]
_ITEMS = "dynamodb:Query table"
_SEND, _SEND_EXPRESS, _SEND_WEBHOOK, _SEND_LOST = (
    [f"sqs:{action} {queue}" for action in ("SendMessage", "GetQueueAttributes", "GetQueueUrl")]
    for queue in ("queue", "express queue", "webhook queue", "announcer's dead-letter queue")
)
_TAKE = [
    f"sqs:{action}"
    for action in ("ReceiveMessage", "ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl")
]
_REMOVE = [
    "s3:AbortMultipartUpload bucket/*", "s3:DeleteObject bucket/*",
    "s3:ListBucket bucket", "s3:ListBucketMultipartUploads bucket",
]  # fmt: skip
_READ_STREAM = ("DescribeStream", "GetRecords", "GetShardIterator", "ListStreams")
_READ_SECRET = ["secretsmanager:GetSecretValue", "secretsmanager:DescribeSecret"]
# Tenants' cookies and proxies: the one resource that goes by its name, since the stack does not make it.
_SITES = "site secrets"

RIGHTS: dict[str, list[str]] = {
    "authorizer": ["dynamodb:GetItem table", *(f"{action} pepper" for action in _READ_SECRET)],
    "create_download": [*_JOB, *_SEND, *_SEND_EXPRESS],
    "retry_download": [*_JOB, *_SEND, *_SEND_EXPRESS],
    "get_status": [
        "dynamodb:GetItem table", "dynamodb:Query table", "dynamodb:Query table/index/status",
        *(f"{action} link secret" for action in _READ_SECRET),
    ],
    "list_downloads": [
        "dynamodb:Query table", "dynamodb:Query table/index/status",
        *(f"{action} link secret" for action in _READ_SECRET),
    ],
    "delete_download": [*_JOB, _ITEMS, "dynamodb:DeleteItem table", *_REMOVE],
    "sweeper": [
        *_JOB, _ITEMS, "dynamodb:DeleteItem table", "dynamodb:Query table/index/due", *_REMOVE, *_SEND, *_SEND_WEBHOOK,
    ],
    "announcer": [
        *_JOB, _ITEMS, *_SEND_WEBHOOK, *_SEND_LOST, "events:PutEvents bus",
        *(f"dynamodb:{action} table's stream" for action in _READ_STREAM),
    ],
    "deliver_webhooks": [
        *_JOB, *_SEND_WEBHOOK, *(f"{action} webhook queue" for action in _TAKE),
        *(f"{action} link secret" for action in _READ_SECRET), *(f"{action} webhook secret" for action in _READ_SECRET),
    ],
    "dead_letters": [*_JOB, *(f"{action} dead-letter queue" for action in _TAKE)],
    "rotate_link_key": [
        *(f"iam:{action} link user" for action in ("CreateAccessKey", "DeleteAccessKey", "ListAccessKeys")),
        *(f"{action} link secret" for action in _READ_SECRET),
        "secretsmanager:PutSecretValue link secret", "secretsmanager:UpdateSecretVersionStage link secret",
    ],
    "inspect_source": [],
    "docs": [],
    "page": [],
    "tear_down": [f"iam:{action} link user" for action in ("DeleteAccessKey", "ListAccessKeys")],
    "downloader": [
        *_JOB, _ITEMS, *_REMOVE, *_SEND, *(f"{action} queue" for action in _TAKE),
        *(f"{action} express queue" for action in _TAKE),
        "s3:GetObject bucket/*", "s3:PutObject bucket/*", f"secretsmanager:GetSecretValue {_SITES}",
    ],
}  # fmt: skip

# What comes on top where the stack is to leave nothing behind.
DESTROYING: dict[str, list[str]] = {
    "tear_down": [
        *_REMOVE, "secretsmanager:ListSecrets *",
        f"secretsmanager:DeleteSecret {_SITES}",
    ],
}  # fmt: skip

_JOBS = {"TENANT#*"}
PARTITIONS: dict[str, set[str]] = {
    "authorizer": {"KEY#*"},
    "create_download": _JOBS,
    "retry_download": _JOBS,
    "get_status": _JOBS,
    "list_downloads": _JOBS,
    "delete_download": _JOBS | {"DELETED"},
    "sweeper": _JOBS | {"DELETED"},
    "dead_letters": _JOBS,
    "announcer": _JOBS,
    "deliver_webhooks": _JOBS,
    "downloader": _JOBS | {"DELETED"},
}


@pytest.mark.parametrize("function", RIGHTS)
def test_function_has_exactly_these_rights(template: Template, function: str) -> None:
    log = f"logs:CreateLogStream {_log(template, function)}", f"logs:PutLogEvents {_log(template, function)}"
    assert _rights(template, template.statements_of_role(function)) == {*RIGHTS[function], *log}


@pytest.mark.parametrize("function", RIGHTS)
def test_function_has_no_other_rights_in_a_stack_that_leaves_nothing_behind(
    other_template: Template, function: str
) -> None:
    log = (f"logs:{action} {_log(other_template, function)}" for action in ("CreateLogStream", "PutLogEvents"))
    rights = {*RIGHTS[function], *DESTROYING.get(function, []), *log}
    assert _rights(other_template, other_template.statements_of_role(function)) == rights


@pytest.mark.parametrize("function", sorted(RIGHTS.keys() - {"rotate_link_key"}))
def test_function_has_no_other_rights_where_links_lead_to_cloudfront(
    cloudfront_template: Template, function: str
) -> None:
    log = {f"logs:{action} {_log(cloudfront_template, function)}" for action in ("CreateLogStream", "PutLogEvents")}
    rights = {right for right in RIGHTS[function] if not right.endswith(" link user")}
    assert _rights(cloudfront_template, cloudfront_template.statements_of_role(function)) == rights | log


def test_no_function_is_without_a_line_in_this_table(template: Template) -> None:
    assert template.functions.keys() == RIGHTS.keys()


def test_every_function_has_a_role_of_its_own_that_only_lambda_takes_on(template: Template) -> None:
    roles = [function["Role"]["Fn::GetAtt"][0] for function in template.functions.values()]
    assert sorted(roles) == sorted(template.of_type("AWS::IAM::Role"))
    for role in template.of_type("AWS::IAM::Role").values():
        (statement,) = role["AssumeRolePolicyDocument"]["Statement"]
        assert (statement["Action"], statement["Principal"]) == ("sts:AssumeRole", {"Service": "lambda.amazonaws.com"})


def test_link_user_may_read_objects_and_nothing_else(template: Template) -> None:
    assert _rights(template, template.statements_of_user()) == {"s3:GetObject bucket/*"}


@pytest.mark.parametrize("function", RIGHTS)
def test_function_is_held_to_the_partitions_it_is_about(template: Template, function: str) -> None:
    held_to = set()
    for statement in template.statements_of_role(function):
        resources = {template.plain(resource) for resource in as_list(statement["Resource"])}
        if resources & {"table", "table/index/status"}:
            condition = statement["Condition"]
            assert condition.keys() == {"ForAllValues:StringLike"}
            held_to |= set(condition["ForAllValues:StringLike"]["dynamodb:LeadingKeys"])
    assert held_to == PARTITIONS.get(function, set())


def test_secrets_are_read_by_those_who_need_them_only(template: Template) -> None:
    readers: dict[str, set[str]] = {"pepper": set(), "link secret": set(), "webhook secret": set(), _SITES: set()}
    for function in template.functions:
        for right in _rights(template, template.statements_of_role(function)):
            action, resource = right.split(" ", 1)
            if action == "secretsmanager:GetSecretValue":
                readers[resource].add(function)
    assert readers == {
        "pepper": {"authorizer"},
        "link secret": {"get_status", "list_downloads", "deliver_webhooks", "rotate_link_key"},
        "webhook secret": {"deliver_webhooks"},
        _SITES: {"downloader"},
    }


def test_site_secrets_are_those_of_this_stack(template: Template, other_template: Template) -> None:
    for one, stack in ((template, "Reelhaul-prod"), (other_template, "Reelhaul-dev")):
        assert one.functions["downloader"]["Environment"]["Variables"]["SITES_PREFIX"] == f"{stack}/sites"
        assert one.body["Outputs"]["SitesPrefix"]["Value"] == f"{stack}/sites"


def test_no_policy_has_a_wildcard_but_for_the_names_of_objects_and_of_site_secrets(template: Template) -> None:
    for statement in template.all_statements():
        assert statement["Effect"] == "Allow"
        assert "NotAction" not in statement
        assert "NotResource" not in statement
        assert not [action for action in as_list(statement["Action"]) if "*" in action]
        wild = {_named(template, resource) for resource in as_list(statement["Resource"])}
        assert {resource for resource in wild if "*" in resource} <= {"bucket/*"}


def test_all_a_stack_that_leaves_nothing_behind_adds_is_to_find_its_tenants_secrets(other_template: Template) -> None:
    wild = {
        right
        for statement in other_template.all_statements()
        for right in _rights(other_template, [statement])
        if "*" in right and not right.endswith(" bucket/*")
    }
    assert wild == {"secretsmanager:ListSecrets *"}


def _rights(template: Template, statements: list[dict[str, Any]]) -> set[str]:
    return {
        f"{action} {_named(template, resource)}"
        for statement in statements
        for action in as_list(statement["Action"])
        for resource in as_list(statement["Resource"])
    }


def _named(template: Template, resource: Any) -> str:
    prefix = template.functions["downloader"]["Environment"]["Variables"]["SITES_PREFIX"]
    name = template.plain(resource)
    arn = rf"arn:(AWS::Partition|aws):secretsmanager:(AWS::Region|eu-central-1):AWS::AccountId:secret:{prefix}/\*"
    return _SITES if re.fullmatch(arn, name) else name


def _log(template: Template, function: str) -> str:
    name: str = template.functions[function]["LoggingConfig"]["LogGroup"]["Ref"]
    return name
