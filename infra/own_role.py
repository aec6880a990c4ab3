"""What every function has to itself: a role, and a log group that this role may write to."""

from aws_cdk import RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_logs as logs
from constructs import Construct


class OwnRole(Construct):
    """A role with no right but to write its own log. AWS's managed policy for this allows every log group there is."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        self.log_group = logs.LogGroup(
            self, "Log", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(self.role)
