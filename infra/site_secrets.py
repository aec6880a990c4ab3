"""The secrets with tenants' cookies and proxies. `reelhaul sites` makes them, so the stack knows only their names."""

from aws_cdk import ArnFormat, Stack
from aws_cdk import aws_iam as iam
from constructs import Construct

from infra.allow import allow


class SiteSecrets(Construct):
    """Secrets whose names begin with `prefix`, then the tenant and the site; see `reelhaul.sites.store`."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        stack = Stack.of(self)
        self.prefix = f"{stack.stack_name}/sites"
        self.arn = stack.format_arn(
            service="secretsmanager",
            resource="secret",
            resource_name=f"{self.prefix}/*",
            arn_format=ArnFormat.COLON_RESOURCE_NAME,
        )

    def grant_read(self, grantee: iam.IGrantable) -> None:
        """Values only, and never to write them."""
        allow(grantee, "secretsmanager:GetSecretValue", on=[self.arn])
