"""The alarms. Each says in its description what has happened and what is to be done; the address hears of it by e-mail.

CloudWatch counts by the metric (0.10 USD a month beyond the first ten), so a rate is one of two metrics, and what
another alarm shows anyway has none of its own: a throttled function of the API is its 5xx, a throttled sweeper silent.
"""

from collections.abc import Mapping, Sequence

from aws_cdk import Duration, Stack
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_cloudwatch_actions as actions
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs
from constructs import Construct

from infra import watched
from infra.alarm_topic import AlarmTopic
from infra.watched import FIVE_MINUTES, MINUTE
from reelhaul import metrics
from reelhaul.metrics import Kind, Outcome

_HOUR, _QUARTER = Duration.hours(1), Duration.minutes(15)
_AT_LEAST = cloudwatch.ComparisonOperator.GREATER_THAN_OR_EQUAL_TO_THRESHOLD
_MORE_THAN = cloudwatch.ComparisonOperator.GREATER_THAN_THRESHOLD
_LESS_THAN = cloudwatch.ComparisonOperator.LESS_THAN_THRESHOLD
_QUIET, _SILENT = cloudwatch.TreatMissingData.NOT_BREACHING, cloudwatch.TreatMissingData.BREACHING
_BACKLOG_S = 900


class Alarms(Construct):
    """Alarms are called `<stack>-<what>`. Without an `email` they have no action, and are seen in CloudWatch only."""

    def __init__(self, scope: Construct, name: str, *, email: str | None) -> None:
        super().__init__(scope, name)
        self._service = Stack.of(self).stack_name
        told = AlarmTopic(self, "Told", email=email) if email else None
        self._action = actions.SnsAction(told.topic) if told else None
        self.subscriptions = [told.subscription] if told else []
        self.all: list[cloudwatch.Alarm] = []

    def watch_queues(
        self,
        *,
        taken: Mapping[str, sqs.IQueue],
        left: Mapping[str, sqs.IQueue],
        work: Sequence[sqs.IQueue],
        worker_timeout_s: int,
    ) -> None:
        """Dead letters by a name for their queue: some are `taken` at once by a function, others `left` for people.

        Jobs wait in the queues of `work`.
        """
        for name, queue in taken.items():  # so fast that a look once a minute hardly ever sees one lie there
            received = watched.of_queue("NumberOfMessagesReceived", queue, statistic="Sum", period=FIVE_MINUTES)
            self._add(
                f"{name}DeadLetters", received, _AT_LEAST, 1,
                "A job's message was given up after five deliveries, and its job was ended as job.dead_letter. Look "
                "for message_broken and job_attempt_broken in the downloader's log; what it cannot read is a bug of "
                "ours.",
            )  # fmt: skip
        for name, queue in left.items():
            visible = watched.of_queue("ApproximateNumberOfMessagesVisible", queue)
            self._add(
                f"{name}DeadLetters", visible, _AT_LEAST, 1,
                "Something was given up and waits here for 14 days. Look into the log of the function before this "
                "queue, mend the cause, then redrive the queue; repetitions do no harm.",
            )  # fmt: skip
        self._add(
            "Backlog", _oldest(work), _MORE_THAN, worker_timeout_s + _BACKLOG_S,
            "Jobs wait: the oldest message is 15 minutes older than the longest download can take (one that is being"
            " worked on counts as well). More is asked for than the workers can do, or they fail. See the throttles "
            "and the failures; else raise worker_concurrency.",
            periods=5,
        )  # fmt: skip

    def watch_failures(self) -> None:
        """Failed jobs by kind. Faults of the request itself, Kind.PERMANENT, are nobody's business but its user's."""
        self._failure_rate(
            Kind.OURS, percent=5, least=3, period=_QUARTER,
            text="More than 5 % of the jobs fail by our own fault: storage, a crashed worker, a message given up. "
            "Look for job_attempt_broken and fetcher_died in the downloader's log, and for the memory it uses.",
        )  # fmt: skip
        self._failure_rate(
            Kind.BLOCKED, percent=20, least=5, period=_HOUR,
            text="More than 20 % of the jobs are taken for a robot's. Which sites, tells fetch_failed in the "
            "downloader's log; they need cookies or a proxy.",
        )  # fmt: skip
        self._failure_rate(
            Kind.TRANSIENT, percent=25, least=5, period=_HOUR,
            text="More than 25 % of the jobs fail three times because a source does not answer or breaks off. One "
            "site: it is down. All sites: look at the way out of this service, name resolution first.",
        )  # fmt: skip
        self._add(
            "ExtractorBroken", watched.ended(self._service, Outcome.FAILED, Kind.BROKEN, period=_HOUR), _AT_LEAST, 3,
            "Three jobs in an hour met a site that has changed. The dashboard tells which extractors; deploy with "
            "the newest yt-dlp.",
        )  # fmt: skip

    def watch_functions(
        self,
        *,
        sweeper: lambda_.IFunction,
        downloader: lambda_.IFunction,
        announcer: lambda_.IFunction,
        dead_letters: lambda_.IFunction,
        rotation: lambda_.IFunction | None,
    ) -> None:
        self._add(
            "SweeperSilent", watched.of_function("Invocations", sweeper, period=MINUTE), _LESS_THAN, 1,
            "The sweeper has not run for five minutes: jobs whose worker died are not taken up, and nothing expires."
            " See whether the rule EveryMinute is enabled, and whether the account's concurrency is used up.",
            periods=5, missing=_SILENT,
        )  # fmt: skip
        self._add(
            "SweeperFails", watched.of_function("Errors", sweeper), _AT_LEAST, 3,
            "The sweeper runs and fails, several times in a row. What it could not do is in its log; it tries again "
            "every minute.",
        )  # fmt: skip
        self._add(
            "DownloaderThrottled", watched.of_function("Throttles", downloader), _AT_LEAST, 1,
            "Lambda refuses to start workers: the account's concurrency is used up. Ask AWS for more, or lower "
            "worker_concurrency.",
        )  # fmt: skip
        self._add(
            "AnnouncerLate", watched.of_function("IteratorAge", announcer, statistic="Maximum"), _MORE_THAN, 600_000,
            "Ends of jobs are announced more than ten minutes late: webhooks wait, and playlists do not end. See "
            "announcement_postponed in the announcer's log.",
        )  # fmt: skip
        self._add(
            "DeadLettersFail", watched.of_function("Errors", dead_letters), _AT_LEAST, 1,
            "The function that ends the jobs of dead letters fails itself, and those jobs stay as they are. What it "
            "could not do is in its log; their messages come again until it can.",
        )  # fmt: skip
        if rotation is not None:
            self._watch_rotation(rotation)

    def _watch_rotation(self, rotation: lambda_.IFunction) -> None:
        self._add(
            "RotationFails", watched.of_function("Errors", rotation, period=_HOUR), _AT_LEAST, 1,
            "The key that links are signed with could not be exchanged. Links go on working with the old one. See "
            "the rotation's log; Secrets Manager repeats it, or start it anew by rotate-secret.",
        )  # fmt: skip

    def watch_table(self, table: dynamodb.ITableV2) -> None:
        throttled = cloudwatch.MathExpression(
            expression="SUM(METRICS())",
            using_metrics={
                "reads": watched.of_table("ReadThrottleEvents", table),
                "writes": watched.of_table("WriteThrottleEvents", table),
            },
            period=FIVE_MINUTES,
        )
        self._add(
            "TableThrottled", throttled, _AT_LEAST, 10,
            "DynamoDB refuses reads or writes: one tenant's partition is too hot, or the table's ceiling is reached,"
            " which is in jobs_table.py. The SDK repeats them; users notice 503s and slow progress.",
        )  # fmt: skip

    def watch_api(self, api: apigatewayv2.IHttpApi) -> None:
        failing = self._rate(watched.of_api("5xx", api), of=watched.of_api("Count", api), least=5, period=FIVE_MINUTES)
        self._add(
            "ApiFails", failing, _MORE_THAN, 5,
            "More than 5 % of the API's replies are errors of ours. See request_failed and request_crashed in the "
            "logs of its functions, and integrationErrorMessage in its access log (throttled functions show there).",
        )  # fmt: skip

    def _failure_rate(self, kind: Kind, *, percent: int, least: int, period: Duration, text: str) -> None:
        failed = watched.ended(self._service, Outcome.FAILED, kind, period=period)
        total = watched.ours(metrics.JOBS, self._service, period=period)
        rate = self._rate(failed, of=total, least=least, period=period)
        self._add(f"Failures{kind.value.capitalize()}", rate, _MORE_THAN, percent, text)

    def _rate(
        self, part: cloudwatch.Metric, *, of: cloudwatch.Metric, least: int, period: Duration
    ) -> cloudwatch.MathExpression:
        """Percent, and 0 for fewer than `least`: one of two is no rate."""
        return cloudwatch.MathExpression(
            expression=f"IF(part >= {least}, 100 * part / whole, 0)",
            using_metrics={"part": part, "whole": of},
            period=period,
            label="%",
        )

    def _add(
        self,
        name: str,
        metric: cloudwatch.IMetric,
        operator: cloudwatch.ComparisonOperator,
        threshold: float,
        text: str,
        *,
        periods: int = 1,
        missing: cloudwatch.TreatMissingData = _QUIET,  # a metric that nobody writes has nothing to tell
    ) -> None:
        alarm = cloudwatch.Alarm(
            self,
            name,
            alarm_name=f"{self._service}-{name}",
            alarm_description=text,
            metric=metric,
            comparison_operator=operator,
            threshold=threshold,
            evaluation_periods=periods,
            treat_missing_data=missing,
        )
        if self._action is not None:
            alarm.add_alarm_action(self._action)
            alarm.add_ok_action(self._action)
        self.all.append(alarm)


def _oldest(queues: Sequence[sqs.IQueue]) -> cloudwatch.MathExpression:
    """Seconds since the oldest message of all was sent."""
    ages = {
        f"queue{number}": watched.of_queue("ApproximateAgeOfOldestMessage", one) for number, one in enumerate(queues)
    }
    return cloudwatch.MathExpression(expression="MAX(METRICS())", using_metrics=dict(ages), period=MINUTE)
