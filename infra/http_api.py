"""The HTTP API: routes, the authorizer before most of them, what web pages may do, throttling and the access log."""

import json

import jsii
from aws_cdk import Duration, Stack
from aws_cdk import aws_apigateway as apigateway
from aws_cdk import aws_apigatewayv2 as apigatewayv2
from aws_cdk import aws_apigatewayv2_authorizers as authorizers
from aws_cdk import aws_apigatewayv2_integrations as integrations
from aws_cdk import aws_certificatemanager as acm
from aws_cdk import aws_lambda as lambda_
from constructs import Construct

from infra.logs import log_group

_REQUEST = "requestId requestTime identity.sourceIp httpMethod path routeKey authorizer.tenant authorizer.key_id"
_RESPONSE = "status responseLength responseLatency integrationLatency integrationErrorMessage"


# What a page of another origin may send, and of a reply's headers see. A request that needs more is not one of ours.
_SENT = ["authorization", "content-type", "idempotency-key", "if-none-match", "x-access-token"]
_SHOWN = ["apigw-requestid", "content-disposition", "content-length", "etag", "location", "retry-after"]
_PREFLIGHT_KEPT = Duration.hours(1)


class HttpApi(Construct):
    """Rates are requests a second, over all clients together. Pages of the origins in `open_to` may use the API, and
    where there are none, no page of another origin may.

    They prove who they are by a header, as everybody: a browser adds no key of its own accord, as it would a cookie.
    """

    def __init__(
        self,
        scope: Construct,
        name: str,
        *,
        authorizer: lambda_.IFunction,
        open_to: tuple[str, ...],
        rate: int,
        burst: int,
        log_retention_days: int,
        has_default_endpoint: bool = True,
    ) -> None:
        super().__init__(scope, name)
        self.api = apigatewayv2.HttpApi(
            self,
            "Api",
            api_name=Stack.of(self).stack_name,
            create_default_stage=False,
            disable_execute_api_endpoint=None if has_default_endpoint else True,
            default_authorizer=_always_asked(authorizer),
            cors_preflight=_for_pages_of(open_to) if open_to else None,
        )
        self.stage = apigatewayv2.HttpStage(
            self,
            "Stage",
            http_api=self.api,
            stage_name="$default",
            auto_deploy=True,
            throttle=apigatewayv2.ThrottleSettings(rate_limit=rate, burst_limit=burst),
            access_log_settings=_AccessLog(self, retention_days=log_retention_days),
        )

    def serve_at(self, domain_name: str, *, certificate_arn: str) -> apigatewayv2.DomainName:
        """Answer at this domain, too, over TLS 1.2 or newer. A DNS record has to lead to what is returned."""
        domain = apigatewayv2.DomainName(
            self,
            "Domain",
            domain_name=domain_name,
            certificate=acm.Certificate.from_certificate_arn(self, "Certificate", certificate_arn),
            security_policy=apigatewayv2.SecurityPolicy.TLS_1_2,
        )
        apigatewayv2.ApiMapping(self, "Mapping", api=self.api, domain_name=domain, stage=self.stage)
        return domain

    def route(self, function: lambda_.IFunction, *routes: str) -> None:
        """Send each of `routes`, "METHOD /path", to `function`."""
        integration = integrations.HttpLambdaIntegration("Integration", function)
        for method, path in (route.split() for route in routes):
            self.api.add_routes(path=path, methods=[apigatewayv2.HttpMethod(method)], integration=integration)

    def open_route(self, function: lambda_.IFunction, *routes: str) -> list[apigatewayv2.HttpRoute]:
        """As `route`, for everybody, with a key or without. Also for "$default": whatever is no other route."""
        integration = integrations.HttpLambdaIntegration("OpenIntegration", function)
        return [
            apigatewayv2.HttpRoute(
                self,
                f"Open {route.replace('/', ' ')}",
                http_api=self.api,
                route_key=_route_key(route),
                integration=integration,
                authorizer=apigatewayv2.HttpNoneAuthorizer(),
            )
            for route in routes
        ]


def _for_pages_of(origins: tuple[str, ...]) -> apigatewayv2.CorsPreflightOptions:
    return apigatewayv2.CorsPreflightOptions(
        allow_origins=list(origins),
        allow_methods=[apigatewayv2.CorsHttpMethod(method) for method in ("GET", "POST", "DELETE")],
        allow_headers=_SENT,
        expose_headers=_SHOWN,
        max_age=_PREFLIGHT_KEPT,
    )


def _route_key(route: str) -> apigatewayv2.HttpRouteKey:
    if route == "$default":
        return apigatewayv2.HttpRouteKey.DEFAULT
    method, path = route.split()
    return apigatewayv2.HttpRouteKey.with_(path, apigatewayv2.HttpMethod(method))


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

    def __init__(self, scope: Construct, *, retention_days: int) -> None:
        log = log_group(scope, "AccessLog", retention_days=retention_days)
        self._destination = apigatewayv2.LogGroupLogDestination(log)

    @property
    def destination(self) -> apigatewayv2.IAccessLogDestination:
        return self._destination

    @property
    def format(self) -> apigateway.AccessLogFormat:
        fields = f"{_REQUEST} {_RESPONSE}".split()
        return apigateway.AccessLogFormat.custom(json.dumps({name: f"$context.{name}" for name in fields}))
