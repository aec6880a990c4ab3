"""What has to go before CloudFormation can delete the rest: what it has not made itself, and so does not know."""

from aws_cdk import CustomResource, Duration, RemovalPolicy
from aws_cdk import aws_iam as iam
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.allow import allow
from infra.media_bucket import MediaBucket
from infra.site_secrets import SiteSecrets

TIMEOUT_S = 900  # as long as there is: a full bucket is emptied a thousand objects at a time
_GIVEN_UP_AFTER = Duration.seconds(TIMEOUT_S + 60)  # else CloudFormation waits an hour for a function that has died


class TearDown(Construct):
    """Resources of our own, for which `functions/tear_down` answers. To delete one is to delete what it stands for.

    CloudFormation deletes a resource before those that it depends on. So these depend on the user and the bucket, and
    who could make another key or object depends on them: such a function goes first, with its rights and what calls it.
    """

    def __init__(self, scope: Construct, name: str, *, function: lambda_.Function) -> None:
        super().__init__(scope, name)
        self.function = function

    def remove_link_keys(self, user: iam.User, *, made_by: lambda_.Function) -> None:
        """The access keys of `user`. Grants what that takes.

        By a policy of its own: a change of the template that does away with the user removes the keys with a right that
        only goes after them.
        """
        right = iam.Policy(
            self,
            "MayRemoveLinkKeys",
            roles=[_role(self.function)],
            statements=[
                iam.PolicyStatement(actions=["iam:DeleteAccessKey", "iam:ListAccessKeys"], resources=[user.user_arn])
            ],
        )
        keys = self._resource("LinkKeys", UserName=user.user_name)
        keys.node.add_dependency(right)
        _goes_before(made_by, keys)

    def remove_contents(
        self, media: MediaBucket, sites: SiteSecrets, *, made_by: lambda_.Function, removal: RemovalPolicy
    ) -> None:
        """All media and the tenants' secrets, unless they are to be kept. Grants what that takes.

        With "retain" the resource is there all the same: a change to it would otherwise delete the resource, and with
        it all that it stands for. For the same reason its logical id must never change.
        """
        if removal is RemovalPolicy.DESTROY:
            media.grant_remove_objects(self.function)
            allow(self.function, "secretsmanager:ListSecrets", on=["*"])  # it knows no resources
            allow(self.function, "secretsmanager:DeleteSecret", on=[sites.arn])
        contents = self._resource(
            "Contents",
            BucketName=media.bucket.bucket_name,
            SecretPrefix=f"{sites.prefix}/",
            RemovalPolicy="destroy" if removal is RemovalPolicy.DESTROY else "retain",
        )
        contents.node.add_dependency(media.bucket)  # with its policy
        _goes_before(made_by, contents)

    def _resource(self, name: str, **properties: str) -> CustomResource:
        return CustomResource(
            self,
            name,
            resource_type=f"Custom::{name}",
            service_token=self.function.function_arn,
            service_timeout=_GIVEN_UP_AFTER,
            properties=properties,
        )


def _goes_before(function: lambda_.Function, resource: CustomResource) -> None:
    """An invocation that is still running then may not do anything any more."""
    for construct in (function, _role(function)):
        construct.node.add_dependency(resource)


def _role(function: lambda_.Function) -> iam.IRole:
    if function.role is None:
        raise ValueError("the function has no role")
    return function.role
