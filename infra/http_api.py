"""The HTTP API: routes, the authorizer before each of them, throttling and the access log."""

import json

import jsii
from aws_cdk import Duration, RemovalPolicy, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_lambda as lambda_
from aws_cdk import aws_logs as logs
from constructs import Construct

_REQUEST = "requestId requestTime identity.sourceIp httpMethod path routeKey authorizer.tenant authorizer.key_id"
_RESPONSE = "status responseLength responseLatency integrationLatency integrationErrorMessage"


class HttpApi(Construct):
    """No CORS: a web page is no place for a key. Rates are requests a second, over all clients together."""

    def __init__(self, scope: Construct, name: str, *, authorizer: lambda_.IFunction, rate: int, burst: int) -> None:
        super().__init__(scope, name)
        self.api = apigatewayv2.HttpApi(
            self,
            "Api",
            api_name=Stack.of(self).stack_name,
            create_default_stage=False,
            default_authorizer=_always_asked(authorizer),
        )
        apigatewayv2.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigatewayv2.ThrottleSettings(rate_limit=rate, burst_limit=burst),
            access_log_settings=_AccessLog(self),
        )

    def route(self, function: lambda_.IFunction, *routes: str) -> None:
        """Send each of `routes`, "METHOD /path", to `function`."""
        integration = integrations.HttpLambdaIntegration("Integration", function)
        for method, path in (route.split() for route in routes):
            self.api.add_routes(path=path, methods=[apigatewayv2.HttpMethod(method)], integration=integration)


def _always_asked(function: lambda_.IFunction) -> authorizers.HttpLambdaAuthorizer:
    """An authorizer that is asked for every request and lets all of them pass, with or without a tenant.

    API Gateway refuses in its own words, 401 for a missing identity source and 403 for a refusal, and takes one header
    as identity where we take either of two. Our functions answer 401 in our own error's shape. Without an identity
    source there is nothing to cache by: a revoked key stops working with the next request.
    """
    return authorizers.HttpLambdaAuthorizer(
        "Authorizer",
        function,
        identity_source=[],
        response_types=[authorizers.HttpLambdaResponseType.SIMPLE],
        results_cache_ttl=Duration.seconds(0),
    )


@jsii.implements(apigatewayv2.IAccessLogSettings)
class _AccessLog:
    """One JSON object a request. Neither query nor headers: a key never reaches a log."""

    def __init__(self, scope: Construct) -> None:
        log = logs.LogGroup(
            scope, "AccessLog", retention=logs.RetentionDays.ONE_MONTH, removal_policy=RemovalPolicy.DESTROY
        )
        self._destination = apigatewayv2.LogGroupLogDestination(log)

    @property
    def destination(self) -> apigatewayv2.IAccessLogDestination:
        return self._destination

    @property
    def format(self) -> apigateway.AccessLogFormat:
        fields = f"{_REQUEST} {_RESPONSE}".split()
        return apigateway.AccessLogFormat.custom(json.dumps({name: f"$context.{name}" for name in fields}))
