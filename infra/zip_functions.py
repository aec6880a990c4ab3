"""The functions that are deployed as zip files, and the two layers that they share."""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra import assets
from infra.own_role import OwnRole
from infra.settings import Settings

MEMORY_MB = 512  # more is more CPU: below this a cold start is much slower, above it hardly faster


class ZipFunctions(Construct):
    """Makes functions of the folders in `functions/`, each with a role and a log of its own."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings) -> None:
        super().__init__(scope, name)
        self._architecture = architecture_of(settings)
        self._log_retention_days = settings.log_retention_days
        self._target = {"python": settings.layer_python, "platform": settings.layer_platform}
        self._layers = [self._layer("Core", assets.core_layer()), self.packages("dependencies")]

    def add(
        self,
        name: str,
        environment: Mapping[str, str],
        *,
        timeout_s: int = 10,
        memory_mb: int = MEMORY_MB,
        code: lambda_.Code | None = None,
        layers: Sequence[lambda_.LayerVersion] = (),
    ) -> lambda_.Function:
        """The function in `functions/<name>`, called <Name> in the template. `code` has that folder and more in it.

        `layers` are those that it has beyond the two that all have.
        """
        scope = Construct(self, "".join(word.capitalize() for word in name.split("_")))
        own = OwnRole(scope, "Own", log_retention_days=self._log_retention_days)
        return lambda_.Function(
            scope,
            "Function",
            code=code or assets.zip_function(name),
            handler=f"{name}.handler.lambda_handler",
            runtime=lambda_.Runtime.PYTHON_3_13,
            architecture=self._architecture,
            layers=[*self._layers, *layers],
            memory_size=memory_mb,
            timeout=Duration.seconds(timeout_s),
            environment=dict(environment),
            role=own.role,
            log_group=own.log_group,
        )

    def packages(self, name: str) -> lambda_.LayerVersion:
        """The layer of the packages that `layers/<name>` asks for."""
        return self._layer(name.capitalize(), assets.packages_layer(name, **self._target))

    def _layer(self, name: str, code: lambda_.Code) -> lambda_.LayerVersion:
        return lambda_.LayerVersion(
            self,
            name,
            code=code,
            compatible_architectures=[self._architecture],
            compatible_runtimes=[lambda_.Runtime.PYTHON_3_13],
        )


def architecture_of(settings: Settings) -> lambda_.Architecture:
    return lambda_.Architecture.ARM_64 if settings.architecture == "arm64" else lambda_.Architecture.X86_64
