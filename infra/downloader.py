"""The worker: a container image that takes one job at a time from a queue."""

from collections.abc import Mapping

from aws_cdk import Duration, Size
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import assets
from infra.own_role import OwnRole
from infra.settings import Settings
from infra.zip_functions import architecture_of


class Downloader(Construct):
    """The function from `functions/downloader`, as large and as patient as the settings say."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings, environment: Mapping[str, str]) -> None:
        super().__init__(scope, name)
        own = OwnRole(self, "Own")
        self.function = lambda_.DockerImageFunction(
            self,
            "Function",
            code=assets.image("downloader.handler.lambda_handler", architecture=settings.architecture),
            architecture=architecture_of(settings),
            memory_size=settings.worker_memory_mb,
            ephemeral_storage_size=Size.mebibytes(settings.worker_tmp_mb),
            timeout=Duration.seconds(settings.worker_timeout_s),
            environment=dict(environment),
            role=own.role,
            log_group=own.log_group,
        )

    def take_from(self, queue: sqs.IQueue, *, max_concurrency: int) -> None:
        """Run for each message of `queue`, at most `max_concurrency` at the same time. Grants what that takes."""
        self.function.add_event_source(
            event_sources.SqsEventSource(
                queue, batch_size=1, max_concurrency=max_concurrency, report_batch_item_failures=True
            )
        )
