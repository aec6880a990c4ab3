"""What the template says about the HTTP API."""

import json

from tests.infra.template import Template
from tests.routes import OPEN_ROUTES, ROUTES


def test_every_route_leads_to_its_function_and_there_are_no_others(template: Template) -> None:
    found = {}
    for route in template.of_type("AWS::ApiGatewayV2::Route").values():
        _, (kind, integration) = route["Target"]["Fn::Join"]
        assert kind == "integrations/"
        properties = template.resources[integration["Ref"]]["Properties"]
        assert (properties["IntegrationType"], properties["PayloadFormatVersion"]) == ("AWS_PROXY", "2.0")
        found[route["RouteKey"]] = template.function_behind(properties["IntegrationUri"])
    assert found == ROUTES | OPEN_ROUTES


def test_every_route_asks_the_authorizer_but_those_that_are_open_to_all(template: Template) -> None:
    (authorizer,) = template.of_type("AWS::ApiGatewayV2::Authorizer")
    routes = {route["RouteKey"]: route for route in template.of_type("AWS::ApiGatewayV2::Route").values()}
    for key in ROUTES:
        assert routes[key]["AuthorizationType"] == "CUSTOM", key
        assert routes[key]["AuthorizerId"] == {"Ref": authorizer}, key
    for key in OPEN_ROUTES:
        assert routes[key]["AuthorizationType"] == "NONE", key


def test_authorizer_is_asked_for_every_request_whatever_its_headers(template: Template) -> None:
    authorizer = template.only("AWS::ApiGatewayV2::Authorizer")
    assert authorizer["AuthorizerType"] == "REQUEST"
    assert authorizer["AuthorizerPayloadFormatVersion"] == "2.0"
    assert authorizer["EnableSimpleResponses"] is True
    assert authorizer["IdentitySource"] == []  # left out, some engines take the Authorization header
    assert authorizer["AuthorizerResultTtlInSeconds"] == 0
    assert template.function_behind(authorizer["AuthorizerUri"]) == "authorizer"


def test_api_may_call_a_function_for_its_own_routes_only(template: Template) -> None:
    allowed = set()
    for permission in template.of_type("AWS::Lambda::Permission").values():
        if permission["Principal"] == "apigateway.amazonaws.com":
            source = template.plain(permission["SourceArn"])
            assert ":api/" in source
            allowed.add((source.split(":api/")[1], template.function_behind(permission["FunctionName"])))
    (authorizer,) = template.of_type("AWS::ApiGatewayV2::Authorizer")
    everything = ROUTES | OPEN_ROUTES
    expected = {(f"*/*{route.partition(' ')[2]}", function) for route, function in everything.items()}
    assert allowed == expected | {(f"authorizers/{template.plain({'Ref': authorizer})}", "authorizer")}


def test_pages_of_other_origins_may_not_use_the_api_by_default(template: Template) -> None:
    assert "CorsConfiguration" not in template.only("AWS::ApiGatewayV2::Api")
    assert "CorsConfiguration" not in template.only("AWS::S3::Bucket")


def test_pages_that_may_use_the_api_do_so_with_a_key_but_never_with_cookies(other_template: Template) -> None:
    cors = other_template.only("AWS::ApiGatewayV2::Api")["CorsConfiguration"]
    assert set(cors["AllowMethods"]) == {"GET", "POST", "DELETE"}
    sent = {"authorization", "x-access-token", "content-type", "idempotency-key", "if-none-match"}
    assert set(cors["AllowHeaders"]) == sent
    assert {"content-disposition", "etag", "location", "retry-after"} <= set(cors["ExposeHeaders"])
    assert "AllowCredentials" not in cors


def test_operator_says_which_origins_web_pages_come_from(other_template: Template) -> None:
    cors = other_template.only("AWS::ApiGatewayV2::Api")["CorsConfiguration"]
    assert cors["AllowOrigins"] == ["https://example.com", "http://localhost:3000"]


def test_stage_is_the_default_one_and_throttled(template: Template, other_template: Template) -> None:
    stage = template.only("AWS::ApiGatewayV2::Stage")
    assert (stage["StageName"], stage["AutoDeploy"]) == ("$default", True)
    assert stage["DefaultRouteSettings"] == {"ThrottlingRateLimit": 50, "ThrottlingBurstLimit": 100}
    chosen = other_template.only("AWS::ApiGatewayV2::Stage")["DefaultRouteSettings"]
    assert chosen == {"ThrottlingRateLimit": 5, "ThrottlingBurstLimit": 7}


def test_access_log_tells_who_asked_for_what_without_query_or_headers(template: Template) -> None:
    log = template.only("AWS::ApiGatewayV2::Stage")["AccessLogSettings"]
    assert log["DestinationArn"]["Fn::GetAtt"][0] in template.of_type("AWS::Logs::LogGroup")
    fields = set(json.loads(log["Format"]).values())
    assert {"$context.requestId", "$context.routeKey", "$context.status", "$context.authorizer.key_id"} <= fields
    assert not any("header" in field or "query" in field for field in fields)


def test_domain_of_the_operators_own_leads_to_the_api_over_tls(template: Template, other_template: Template) -> None:
    assert not template.of_type("AWS::ApiGatewayV2::DomainName")
    domain = other_template.only("AWS::ApiGatewayV2::DomainName")
    assert domain["DomainName"] == "media.example.com"
    (served,) = domain["DomainNameConfigurations"]
    assert served == {
        "CertificateArn": "arn:aws:acm:eu-central-1:000000000000:certificate/made-up",
        "EndpointType": "REGIONAL",
        "SecurityPolicy": "TLS_1_2",
    }
    mapping = other_template.only("AWS::ApiGatewayV2::ApiMapping")
    assert other_template.plain(mapping["ApiId"]) == "api"
    assert mapping["DomainName"]["Ref"] in other_template.of_type("AWS::ApiGatewayV2::DomainName")
    assert mapping["Stage"] == other_template.only("AWS::ApiGatewayV2::Stage")["StageName"] == "$default"


def test_outputs_lead_to_the_domain(template: Template, other_template: Template) -> None:
    assert "DomainTarget" not in template.body["Outputs"]
    assert other_template.body["Outputs"]["ApiUrl"]["Value"] == "https://media.example.com"
    (name,) = other_template.of_type("AWS::ApiGatewayV2::DomainName")
    assert other_template.body["Outputs"]["DomainTarget"]["Value"] == {"Fn::GetAtt": [name, "RegionalDomainName"]}


def test_the_apis_own_address_goes_once_the_operator_says_so(template: Template, other_template: Template) -> None:
    assert "DisableExecuteApiEndpoint" not in template.only("AWS::ApiGatewayV2::Api")
    assert other_template.only("AWS::ApiGatewayV2::Api")["DisableExecuteApiEndpoint"] is True
