"""The key that links are signed with: its user, the secret it lies in, and its rotation."""

from collections.abc import Mapping

from aws_cdk import RemovalPolicy, Stack
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_secretsmanager as secretsmanager
from constructs import Construct

from infra.allow import allow

_ROTATED_EVERY_DAYS = 30


class LinkKey(Construct):
    """A link signed with a role's credentials dies with them, after hours; a user's key signs for the full 24.

    The rotation function makes every key, the first one too: a key made by CloudFormation would be deleted, and its
    links with it, the moment its resource is replaced. Who signs needs the `environment`, and layers with the
    `packages`.
    """

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        self.user = iam.User(self, "User")
        self.secret = secretsmanager.Secret(
            self,
            "Secret",
            description="The access key that download links are signed with",
            generate_secret_string=secretsmanager.SecretStringGenerator(
                secret_string_template="{}",  # noqa: S106 - JSON without a key, until the first rotation
                generate_string_key="placeholder",
            ),
            removal_policy=RemovalPolicy.DESTROY,  # worth nothing without its user
        )
        self.packages: tuple[str, ...] = ()
        self.environment: Mapping[str, str] = {"LINK_SECRET_ARN": self.secret.secret_arn}
        self.outputs = {"LinkSecretArn": self.secret.secret_arn}

    def rotate_with(self, function: lambda_.Function) -> None:
        """Have Secrets Manager call `function`, once at deployment and then every 30 days.

        The CDK's own `add_rotation_schedule` also lets the function draw random passwords, on every resource there is.
        """
        permission = lambda_.CfnPermission(
            self,
            "MayRotate",
            action="lambda:InvokeFunction",
            function_name=function.function_arn,
            principal="secretsmanager.amazonaws.com",
            source_account=Stack.of(self).account,
        )
        schedule = secretsmanager.CfnRotationSchedule(
            self,
            "Rotation",
            secret_id=self.secret.secret_arn,
            rotation_lambda_arn=function.function_arn,
            rotation_rules=secretsmanager.CfnRotationSchedule.RotationRulesProperty(
                automatically_after_days=_ROTATED_EVERY_DAYS
            ),
            rotate_immediately_on_update=True,
        )
        schedule.node.add_dependency(permission)
        self.outputs["RotationFunctionName"] = function.function_name

    def grant_rotate(self, grantee: iam.IGrantable) -> None:
        """Exchange this user's keys, and the secret's versions."""
        keys = ("CreateAccessKey", "DeleteAccessKey", "ListAccessKeys")
        allow(grantee, *(f"iam:{action}" for action in keys), on=[self.user.user_arn])
        versions = ("DescribeSecret", "GetSecretValue", "PutSecretValue", "UpdateSecretVersionStage")
        allow(grantee, *(f"secretsmanager:{action}" for action in versions), on=[self.secret.secret_arn])
