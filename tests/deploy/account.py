"""What there is in an AWS account, by name: all kinds of things that a deployment makes."""

from collections.abc import Callable
from typing import Any

ClientOf = Callable[[str], Any]

# Kind: service, call, arguments, where the things are in the reply, and what each is called.
_LISTS: dict[str, tuple[str, str, dict[str, Any], str, str | None]] = {
    "functions": ("lambda", "list_functions", {}, "Functions", "FunctionName"),
    "layers": ("lambda", "list_layers", {}, "Layers", "LayerName"),
    "event source mappings": ("lambda", "list_event_source_mappings", {}, "EventSourceMappings", "UUID"),
    "queues": ("sqs", "list_queues", {}, "QueueUrls", None),
    "tables": ("dynamodb", "list_tables", {}, "TableNames", None),
    "buckets": ("s3", "list_buckets", {}, "Buckets", "Name"),
    "secrets": ("secretsmanager", "list_secrets", {"IncludePlannedDeletion": True}, "SecretList", "Name"),
    "log groups": ("logs", "describe_log_groups", {}, "logGroups", "logGroupName"),
    "roles": ("iam", "list_roles", {}, "Roles", "RoleName"),
    "users": ("iam", "list_users", {}, "Users", "UserName"),
    "policies": ("iam", "list_policies", {"Scope": "Local"}, "Policies", "PolicyName"),
    "APIs": ("apigatewayv2", "get_apis", {}, "Items", "ApiId"),
    "event buses": ("events", "list_event_buses", {}, "EventBuses", "Name"),
    "rules": ("events", "list_rules", {}, "Rules", "Name"),
    "alarms": ("cloudwatch", "describe_alarms", {}, "MetricAlarms", "AlarmName"),
    "dashboards": ("cloudwatch", "list_dashboards", {}, "DashboardEntries", "DashboardName"),
    "topics": ("sns", "list_topics", {}, "Topics", "TopicArn"),
    "distributions": ("cloudfront", "list_distributions", {}, "DistributionList", "Id"),
    "parameters": ("ssm", "describe_parameters", {}, "Parameters", "Name"),
    "repositories": ("ecr", "describe_repositories", {}, "repositories", "repositoryName"),
}
_GONE = "DELETE_COMPLETE"


def inventory(client_of: ClientOf) -> dict[str, list[str]]:
    """The names of all things of every kind, sorted. `client_of` makes a boto3 client of a service."""
    found = {kind: sorted(_names(client_of, *listed)) for kind, listed in _LISTS.items()}
    stacks = client_of("cloudformation").list_stacks()["StackSummaries"]
    return found | {"stacks": sorted(stack["StackName"] for stack in stacks if stack["StackStatus"] != _GONE)}


def _names(
    client_of: ClientOf, service: str, call: str, arguments: dict[str, Any], field: str, name: str | None
) -> list[str]:
    reply = getattr(client_of(service), call)(**arguments)
    things = reply.get(field, [])
    if isinstance(things, dict):  # CloudFront wraps its list
        things = things.get("Items", [])
    return [thing if name is None else thing[name] for thing in things]
