"""The function that looks at a source without downloading it: the downloader's image, started differently."""

from collections.abc import Mapping

from constructs import Construct

from infra.image_function import image_function
from infra.settings import Settings

_TIMEOUT_S = 29  # API Gateway waits for 30
_MEMORY_MB = 1769  # as the downloader's: yt-dlp and Deno are the same here


class Inspector(Construct):
    """The function from `functions/inspect_source`. It reads what strangers serve, and so has no rights at all."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings, environment: Mapping[str, str]) -> None:
        super().__init__(scope, name)
        self.function = image_function(
            self,
            "inspect_source.handler.lambda_handler",
            settings=settings,
            environment=environment,
            memory_mb=_MEMORY_MB,
            timeout_s=_TIMEOUT_S,
        )
