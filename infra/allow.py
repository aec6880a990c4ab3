"""The one way to hand out a right that no `grant_*` method of the CDK hands out by itself."""

from collections.abc import Mapping

from aws_cdk import aws_iam as iam


def allow(
    grantee: iam.IGrantable, *actions: str, on: list[str], conditions: Mapping[str, Mapping[str, object]] | None = None
) -> None:
    """Allow exactly `actions` on exactly the resources `on`. Raises if the grantee has no policy that could say so."""
    iam.Grant.add_to_principal(
        grantee=grantee, actions=list(actions), resource_arns=on, conditions=conditions
    ).assert_success()
