"""What every function has to itself: a role, and a log group that this role may write to."""

from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.logs import log_group


class OwnRole(Construct):
    """A role with no right but to write its own log. AWS's managed policy for this allows every log group there is."""

    def __init__(self, scope: Construct, name: str, *, log_retention_days: int) -> None:
        super().__init__(scope, name)
        self.log_group = log_group(self, "Log", retention_days=log_retention_days)
        self.role = iam.Role(self, "Role", assumed_by=iam.ServicePrincipal("lambda.amazonaws.com"))
        self.log_group.grant_write(self.role)
