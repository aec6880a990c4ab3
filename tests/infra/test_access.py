"""Who may call what, beside what roles allow: what the engine does not enforce, and AWS does."""

import json

from infra.assets import ROOT
from infra.settings import MAX_SITES_CHARS
from tests.infra.template import Template, as_list
from tests.infra.watching import of_alarm
from tests.routes import OPEN_ROUTES, ROUTES

# The functions that read a secret, by what it is called in the tests. Everybody else does not even know its name.
SECRET_READERS = {
    "PEPPER_SECRET_ARN": {"authorizer"},
    "LINK_SECRET_ARN": {"get_status", "list_downloads", "deliver_webhooks"},
    "WEBHOOK_SECRET_ARN": {"deliver_webhooks"},
}
_FED = {  # by Lambda itself, with the function's own role: no permission is needed, and none is there
    "downloader": {"queue", "express queue"}, "dead_letters": {"dead-letter queue"},
    "deliver_webhooks": {"webhook queue"}, "announcer": {"table's stream"},
}  # fmt: skip


def invokers(template: Template) -> set[tuple[str, str, str]]:
    """(function, principal, source), the source without what is the same in every ARN."""
    found = set()
    # Two routes of one path, as GET and HEAD, have one and the same permission twice.
    permissions = {json.dumps(one, sort_keys=True): one for one in template.of_type("AWS::Lambda::Permission").values()}
    for permission in permissions.values():
        assert permission["Action"] == "lambda:InvokeFunction"
        assert not permission.keys() & {"EventSourceToken", "PrincipalOrgID", "FunctionUrlAuthType"}
        source = permission.get("SourceArn") or permission["SourceAccount"]
        text = template.plain(source).replace("arn:AWS::Partition:execute-api:AWS::Region:AWS::AccountId:", "")
        found.add((template.function_behind(permission["FunctionName"]), permission["Principal"], text))
    assert len(found) == len(permissions)
    return found


def test_functions_are_called_by_these_and_nobody_else(template: Template) -> None:
    (authorizer,) = template.of_type("AWS::ApiGatewayV2::Authorizer")
    (rule,) = template.of_type("AWS::Events::Rule")
    gateway = "apigateway.amazonaws.com"
    by_route = {
        (function, gateway, f"api/*/*{route.partition(' ')[2]}") for route, function in (ROUTES | OPEN_ROUTES).items()
    }
    assert invokers(template) == by_route | {
        ("authorizer", gateway, f"api/authorizers/{template.plain({'Ref': authorizer})}"),
        ("sweeper", "events.amazonaws.com", rule),
        ("rotate_link_key", "secretsmanager.amazonaws.com", "AWS::AccountId"),
    }


def test_every_function_is_called_in_one_way(template: Template) -> None:
    """A function that nobody calls is a mistake; one that is called in two ways has two sorts of events to mistrust."""
    callers: dict[str, set[str]] = {name: set() for name in template.functions}
    for function, principal, _ in invokers(template):
        callers[function].add(principal)
    for source in template.of_type("AWS::Lambda::EventSourceMapping").values():
        callers[template.function_behind(source["FunctionName"])].add(template.plain(source["EventSourceArn"]))
    for resource in template.resources.values():
        if resource["Type"].startswith("Custom::"):  # called with the rights of whoever deploys
            callers[template.function_behind(resource["Properties"]["ServiceToken"])].add("CloudFormation")
    fed = {name: callers.pop(name) for name in _FED}
    assert fed == _FED
    assert {name: sources for name, sources in callers.items() if len(sources) != 1} == {}


def test_no_function_has_a_url_or_an_alias_that_would_be_another_way_in(template: Template) -> None:
    for kind in ("Url", "Alias", "Version", "EventInvokeConfig"):
        assert not template.of_type(f"AWS::Lambda::{kind}")


def test_policies_of_resources_deny_and_allow_nobody_anything(template: Template) -> None:
    kinds = {name for name in (resource["Type"] for resource in template.resources.values()) if "Policy" in name}
    assert kinds == {"AWS::IAM::Policy", "AWS::S3::BucketPolicy", "AWS::SQS::QueuePolicy"}
    for kind in kinds - {"AWS::IAM::Policy"}:
        for policy in template.of_type(kind).values():
            assert {statement["Effect"] for statement in policy["PolicyDocument"]["Statement"]} == {"Deny"}


def test_rights_are_given_by_policies_of_roles_and_of_the_link_user_alone(template: Template) -> None:
    kinds = {resource["Type"] for resource in template.resources.values()}
    assert {kind for kind in kinds if kind.startswith("AWS::IAM::")} == {
        "AWS::IAM::Role", "AWS::IAM::Policy", "AWS::IAM::User",
    }  # fmt: skip
    for policy in template.of_type("AWS::IAM::Policy").values():
        attached = [*policy.get("Roles", []), *policy.get("Users", []), *policy.get("Groups", [])]
        assert len(attached) == 1
    for role in template.of_type("AWS::IAM::Role").values():
        assert role.keys() == {"AssumeRolePolicyDocument"}


def test_only_those_who_read_a_secret_know_where_it_is(template: Template) -> None:
    known: dict[str, set[str]] = {}
    for function, properties in template.functions.items():
        for name in properties.get("Environment", {}).get("Variables", {}):
            if "SECRET" in name:
                known.setdefault(name, set()).add(function)
    assert known == SECRET_READERS


def test_no_environment_holds_what_is_in_a_secret(template: Template) -> None:
    assert "resolve:secretsmanager" not in template.text
    assert "resolve:ssm" not in template.text


def test_worker_takes_and_gives_messages_of_the_queues_of_jobs_only(template: Template) -> None:
    of_queues: dict[str, set[str]] = {}
    for statement in template.statements_of_role("downloader"):
        for action in as_list(statement["Action"]):
            if action.startswith("sqs:"):
                for resource in as_list(statement["Resource"]):
                    of_queues.setdefault(template.plain(resource), set()).add(action.removeprefix("sqs:"))
    takes = {"ReceiveMessage", "ChangeMessageVisibility", "DeleteMessage", "GetQueueAttributes", "GetQueueUrl"}
    assert of_queues == {"queue": takes | {"SendMessage"}, "express queue": takes}


# --- what it may cost ------------------------------------------------------------------------------------------------


def test_nothing_costs_by_the_hour(template: Template) -> None:
    kinds = {str(resource["Type"]) for resource in template.resources.values()}
    by_the_hour = ("AWS::EC2::", "AWS::ElasticLoadBalancing", "AWS::ECS::", "AWS::RDS::", "AWS::KMS::", "AWS::WAF")
    assert not {kind for kind in kinds if kind.startswith(by_the_hour)}
    for function in template.functions.values():
        assert not function.keys() & {"VpcConfig", "SnapStart", "ReservedConcurrentExecutions", "FileSystemConfigs"}
    for word in ("ProvisionedConcurrency", "ProvisionedThroughput", "NatGateway", "VpcEndpoint"):
        assert word not in template.text


def test_default_is_arm_everywhere_and_paid_by_use(template: Template) -> None:
    assert {tuple(function["Architectures"]) for function in template.functions.values()} == {("arm64",)}
    assert template.only("AWS::DynamoDB::GlobalTable")["BillingMode"] == "PAY_PER_REQUEST"
    assert len(template.only("AWS::DynamoDB::GlobalTable")["Replicas"]) == 1


def test_what_is_paid_by_the_month_is_what_the_readme_counts(template: Template) -> None:
    """CloudWatch counts what alarms look at, at 0.10 USD a metric beyond the first ten; three dashboards are free."""
    alarms = template.of_type("AWS::CloudWatch::Alarm").values()
    of_alarms = sum(len(of_alarm(template, alarm)) for alarm in alarms)
    readme = (ROOT / "README.md").read_text()
    assert f"{len(alarms)} alarms on {of_alarms} metrics" in readme
    assert f"alarms {(of_alarms - 10) * 0.10:.2f} ({of_alarms} metrics, ten are free)" in readme
    assert len(template.of_type("AWS::CloudWatch::Dashboard")) == 1


def test_every_object_and_every_upload_ends_some_day(template: Template) -> None:
    (rule,) = template.only("AWS::S3::Bucket")["LifecycleConfiguration"]["Rules"]
    assert rule["Status"] == "Enabled"
    assert not rule.keys() & {"Prefix", "TagFilters", "ObjectSizeGreaterThan", "ObjectSizeLessThan"}  # all of them
    assert "VersioningConfiguration" not in template.only("AWS::S3::Bucket")  # or old versions would outlive it


def test_environments_fit_with_the_longest_lists_of_sites_that_are_allowed(template: Template) -> None:
    """Lambda takes 4 KB of variables; what is not known before the deployment is an ARN of some 120 characters."""
    for name, function in template.functions.items():
        variables = function.get("Environment", {}).get("Variables", {})
        size = sum(len(key) + (len(value) if isinstance(value, str) else 120) for key, value in variables.items())
        assert size + MAX_SITES_CHARS < 4096, name
