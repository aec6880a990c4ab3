"""A function of the container image: one image, of which each function starts another handler."""

from collections.abc import Mapping

from aws_cdk import Duration, Size
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import assets
from infra.own_role import OwnRole
from infra.settings import Settings
from infra.zip_functions import architecture_of


def image_function(
    scope: Construct,
    handler: str,
    *,
    settings: Settings,
    environment: Mapping[str, str],
    memory_mb: int,
    timeout_s: int,
    tmp_mb: int | None = None,
) -> lambda_.DockerImageFunction:
    """The function that starts `handler`, with a role and a log of its own. `tmp_mb` is what it has below /tmp."""
    own = OwnRole(scope, "Own", log_retention_days=settings.log_retention_days)
    return lambda_.DockerImageFunction(
        scope,
        "Function",
        code=assets.image(handler, architecture=settings.architecture, base=settings.base_image),
        architecture=architecture_of(settings),
        memory_size=memory_mb,
        ephemeral_storage_size=None if tmp_mb is None else Size.mebibytes(tmp_mb),
        timeout=Duration.seconds(timeout_s),
        environment=dict(environment),
        role=own.role,
        log_group=own.log_group,
    )
