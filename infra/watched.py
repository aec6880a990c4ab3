"""The metrics that alarms and dashboard look at: AWS's own by their resources, ours as `reelhaul.metrics` has them."""

from aws_cdk import Duration
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_cloudwatch as cloudwatch
from aws_cdk import aws_dynamodb as dynamodb
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_sqs as sqs

from reelhaul import metrics
from reelhaul.metrics import Kind, Outcome

MINUTE = Duration.minutes(1)
FIVE_MINUTES = Duration.minutes(5)


def ours(
    name: str, service: str, *, statistic: str = "Sum", period: Duration = FIVE_MINUTES, **dimensions: str
) -> cloudwatch.Metric:
    """One that the functions write, for the stack called `service`."""
    return cloudwatch.Metric(
        namespace=metrics.NAMESPACE,
        metric_name=name,
        dimensions_map={metrics.SERVICE: service, **dimensions},
        statistic=statistic,
        period=period,
    )


def ended(service: str, outcome: Outcome, kind: Kind, *, period: Duration = FIVE_MINUTES) -> cloudwatch.Metric:
    """Jobs that ended in this way."""
    dimensions = {metrics.OUTCOME: outcome.value, metrics.KIND: kind.value}
    return ours(metrics.JOBS, service, period=period, **dimensions)


def of_function(
    name: str, function: lambda_.IFunction, *, statistic: str = "Sum", period: Duration = FIVE_MINUTES
) -> cloudwatch.Metric:
    return _of("AWS/Lambda", name, {"FunctionName": function.function_name}, statistic, period)


def of_queue(
    name: str, queue: sqs.IQueue, *, statistic: str = "Maximum", period: Duration = MINUTE
) -> cloudwatch.Metric:
    return _of("AWS/SQS", name, {"QueueName": queue.queue_name}, statistic, period)


def of_table(name: str, table: dynamodb.ITableV2, *, period: Duration = FIVE_MINUTES) -> cloudwatch.Metric:
    return _of("AWS/DynamoDB", name, {"TableName": table.table_name}, "Sum", period)


def of_api(
    name: str, api: apigatewayv2.IHttpApi, *, statistic: str = "Sum", period: Duration = FIVE_MINUTES
) -> cloudwatch.Metric:
    return _of("AWS/ApiGateway", name, {"ApiId": api.api_id}, statistic, period)


def _of(namespace: str, name: str, dimensions: dict[str, str], statistic: str, period: Duration) -> cloudwatch.Metric:
    return cloudwatch.Metric(
        namespace=namespace, metric_name=name, dimensions_map=dimensions, statistic=statistic, period=period
    )
