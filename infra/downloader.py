"""The worker: a container image that takes one job at a time from a queue."""

from collections.abc import Mapping

from aws_cdk import aws_lambda_event_sources as event_sources
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra.image_function import image_function
from infra.settings import Settings


class Downloader(Construct):
    """The function from `functions/downloader`, as large and as patient as the settings say."""

    def __init__(self, scope: Construct, name: str, *, settings: Settings, environment: Mapping[str, str]) -> None:
        super().__init__(scope, name)
        self.function = image_function(
            self,
            "downloader.handler.lambda_handler",
            settings=settings,
            environment=environment,
            memory_mb=settings.worker_memory_mb,
            timeout_s=settings.worker_timeout_s,
            tmp_mb=settings.worker_tmp_mb,
        )

    def take_from(self, queue: sqs.IQueue, *, max_concurrency: int) -> None:
        """Run for each message of `queue`, at most `max_concurrency` at the same time. Grants what that takes."""
        self.function.add_event_source(
            event_sources.SqsEventSource(
                queue, batch_size=1, max_concurrency=max_concurrency, report_batch_item_failures=True
            )
        )
