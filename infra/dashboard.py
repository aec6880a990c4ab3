"""The dashboard: four rows, from what users notice down to what may be the reason. The README says how to read it."""

from collections.abc import Mapping, Sequence

from aws_cdk import Stack
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import watched
from reelhaul import metrics
from reelhaul.metrics import FAILURES, SERIES, Outcome

_THIRD, _HEIGHT = 8, 6  # a dashboard is 24 wide


class Dashboard(Construct):
    """One, called like the stack: an account's first three cost nothing."""

    def __init__(self, scope: Construct, name: str) -> None:
        super().__init__(scope, name)
        self._service = Stack.of(self).stack_name
        self._board = cloudwatch.Dashboard(self, "Dashboard", dashboard_name=self._service)

    def show_jobs(self, *, alarms: Sequence[cloudwatch.Alarm], work: Mapping[str, sqs.IQueue]) -> None:
        """What users get, and how long they wait for it."""
        ends = [self._named(watched.ended(self._service, *series), series[0].value) for series in SERIES[:2]]
        failed = [watched.ended(self._service, Outcome.FAILED, kind) for kind in FAILURES]
        self._board.add_widgets(
            cloudwatch.AlarmStatusWidget(alarms=list(alarms), title="Alarms", width=_THIRD, height=_HEIGHT),
            self._graph(
                "Jobs by outcome",
                [*ends, *(self._named(metric, kind.value) for metric, kind in zip(failed, FAILURES, strict=True))],
                stacked=True,
            ),
            self._graph(
                "Queue",
                [
                    *self._of_queues("ApproximateNumberOfMessagesVisible", work, "waiting"),
                    *self._of_queues("ApproximateNumberOfMessagesNotVisible", work, "worked on"),
                ],
                right=self._of_queues("ApproximateAgeOfOldestMessage", work, "oldest, s"),
            ),
        )  # fmt: skip

    def show_transfers(self) -> None:
        """Where the time goes."""
        ratio = (watched.ours(metrics.TRANSFER_RATIO, self._service, statistic=one) for one in ("p50", "p95"))
        self._board.add_widgets(
            self._graph(
                "Seconds per phase (average)",
                [watched.ours(name, self._service, statistic="Average") for name in metrics.PHASES],
                stacked=True,
            ),
            self._graph("Transfer ratio (1.0: as fast as the source)", list(ratio)),
            self._graph("Bytes stored", [watched.ours(metrics.BYTES, self._service)]),
        )

    def show_failures(self, *, api: apigatewayv2.IHttpApi, dead_letters: Mapping[str, sqs.IQueue]) -> None:
        """What goes wrong."""
        broken = cloudwatch.SearchExpression(
            expression=f"SEARCH('{{{metrics.NAMESPACE},{metrics.EXTRACTOR},{metrics.SERVICE}}} "
            f'MetricName="{metrics.EXTRACTOR_BROKEN}" {metrics.SERVICE}="{self._service}"\', \'Sum\')',
            period=watched.FIVE_MINUTES,
            label="",
        )
        left = [
            self._named(watched.of_queue("ApproximateNumberOfMessagesVisible", queue), name)
            for name, queue in dead_letters.items()
        ]
        requests = [watched.of_api(name, api) for name in ("Count", "4xx", "5xx")]
        latency = [watched.of_api("Latency", api, statistic=one) for one in ("p50", "p95")]
        self._board.add_widgets(
            self._graph("Broken extractors", [broken], stacked=True),
            self._graph("Dead letters", left),
            self._graph("API", requests, right=latency),
        )

    def show_limits(self, *, functions: Mapping[str, lambda_.IFunction], table: dynamodb.ITableV2) -> None:
        """What it may run into. The functions by the names that they have on the board."""
        running = [
            self._named(watched.of_function("ConcurrentExecutions", function, statistic="Maximum"), name)
            for name, function in functions.items()
        ]
        refused = [
            *(self._named(watched.of_function("Throttles", function), name) for name, function in functions.items()),
            *(watched.of_table(name, table) for name in ("ReadThrottleEvents", "WriteThrottleEvents")),
        ]
        errors = [self._named(watched.of_function("Errors", function), name) for name, function in functions.items()]
        self._board.add_widgets(
            self._graph("Functions at once", running),
            self._graph("Throttles", refused),
            self._graph("Functions that fail", errors),
        )

    def _of_queues(self, name: str, queues: Mapping[str, sqs.IQueue], what: str) -> list[cloudwatch.Metric]:
        return [self._named(watched.of_queue(name, queue), f"{lane}: {what}") for lane, queue in queues.items()]

    def _named(self, metric: cloudwatch.Metric, label: str) -> cloudwatch.Metric:
        return metric.with_(label=label)

    def _graph(
        self,
        title: str,
        left: Sequence[cloudwatch.IMetric],
        *,
        right: Sequence[cloudwatch.IMetric] = (),
        stacked: bool = False,
    ) -> cloudwatch.GraphWidget:
        return cloudwatch.GraphWidget(
            title=title, left=list(left), right=list(right), stacked=stacked, width=_THIRD, height=_HEIGHT
        )
