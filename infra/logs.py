"""What all our log groups have in common."""

from typing import cast

from aws_cdk import RemovalPolicy
from aws_cdk import aws_logs as logs
from constructs import Construct


def log_group(scope: Construct, name: str, *, retention_days: int) -> logs.LogGroup:
    """A log group that forgets, and goes with the stack. `retention_days` is one of CloudWatch's numbers."""
    group = logs.LogGroup(scope, name, removal_policy=RemovalPolicy.DESTROY)
    # The CDK's own parameter takes names such as ONE_MONTH, and CloudFormation the number.
    cast("logs.CfnLogGroup", group.node.default_child).retention_in_days = retention_days
    return group
