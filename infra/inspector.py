"""The function that looks at a source without downloading it: the downloader's image, started differently."""

from collections.abc import Mapping

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import assets
from infra.own_role import OwnRole
from infra.settings import Settings
from infra.zip_functions import architecture_of

_TIMEOUT_S = 29  # API Gateway waits for 30
_MEMORY_MB = 2048  # as the downloader's: yt-dlp and Deno are the same here


class Inspector(Construct):
    """The function from `functions/inspect_source`. It reads what strangers serve, and so has no rights at all."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings, environment: Mapping[str, str]) -> None:
        super().__init__(scope, name)
        own = OwnRole(self, "Own")
        self.function = lambda_.DockerImageFunction(
            self,
            "Function",
            code=assets.image("inspect_source.handler.lambda_handler", architecture=settings.architecture),
            architecture=architecture_of(settings),
            memory_size=_MEMORY_MB,
            timeout=Duration.seconds(_TIMEOUT_S),
            environment=dict(environment),
            role=own.role,
            log_group=own.log_group,
        )
