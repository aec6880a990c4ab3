"""What the functions behind the HTTP API share: who asks, what the body says, and how errors become replies."""

import json
import re
from collections.abc import Callable, Iterable, Mapping
from typing import Any, NoReturn
from urllib.parse import parse_qsl

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2
from aws_lambda_powertools.utilities.typing import LambdaContext

from reelhaul.contracts import replies
from reelhaul.errors import (
    InvalidRequest,
    JobNotFound,
    ReelhaulError,
    RequestTooLarge,
    RouteNotFound,
    ServiceUnavailable,
    Unauthorized,
    UnsupportedMediaType,
)
from reelhaul.ids import is_id
from reelhaul.limits import Limits

MAX_BODY_BYTES = 16 * 1024  # as the contract says, like the next one
MAX_DEPTH = 5  # objects and lists within one another; the body itself is the first
MAX_PARAMETERS = 50  # of a query string: far more than there are
_JSON_TYPE = re.compile(r"application/([!#$&^_.+a-z0-9-]+\+)?json", re.ASCII)
# What clients say who say nothing in particular: curl -d, and a browser's fetch with a text for a body.
_UNSAID_TYPES = {"", "application/x-www-form-urlencoded", "text/plain"}
_ATTRIBUTES = ("tenant", "job_id")
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?", re.ASCII)

Event = APIGatewayProxyEventV2
ErrorBody = Callable[[ReelhaulError, str], replies.Body]  # error, path of the request -> body


class _Resolver(APIGatewayHttpResolver):
    """Whatever a reply came by, a route, an error or an odd request: it has the headers that all have."""

    def resolve(self, event: Mapping[str, Any], context: LambdaContext) -> dict[str, Any]:
        reply = super().resolve(event, context)
        ours = replies.HEADERS | ({} if scheme(self.current_event) == "http" else replies.TLS_HEADERS)
        reply["headers"] = ours | reply["headers"]
        reply["body"] = reply["body"] or ""  # for 204 and 304 there is none; not every reader takes null for that
        return reply


def _plain_error(error: ReelhaulError, _path: str) -> replies.Body:
    return replies.error_body(error)


def resolver(
    logger: Logger, *, error_body: ErrorBody = _plain_error, for_tenants: bool = True
) -> APIGatewayHttpResolver:
    """A resolver whose every error is a reply of the contract, and whose routes are open to tenants only.

    Without `for_tenants` they are open to everybody, and no `caller` is known.
    """
    app = _Resolver(serializer=replies.dumps, debug=False)

    def refuse(error: ReelhaulError) -> Response[str]:
        status = replies.status_of(error)
        body = replies.dumps(error_body(error, app.current_event.path))
        return Response(status, "application/json", body, headers=replies.headers_of(error))

    def explain(error: ReelhaulError) -> Response[str]:
        if replies.status_of(error) >= 500:
            logger.error("request_failed", code=error.code, cause=repr(error.__cause__))
        return refuse(error)

    def conceal(error: Exception) -> Response[str]:
        logger.error("request_crashed", exc_info=error, route=app.current_event.get("routeKey"))
        return refuse(ReelhaulError())

    def lose_way(_error: NotFoundError) -> NoReturn:
        # The API found a route; the resolver has none for an id of odd characters, which is an unknown one like others.
        raise JobNotFound if "{id}" in str(app.current_event.get("routeKey")) else RouteNotFound

    app.exception_handler(ReelhaulError)(explain)
    app.exception_handler(Exception)(conceal)
    app.not_found(lose_way)
    if for_tenants:
        app.use(middlewares=[_for_tenants(logger)])
    return app


def _for_tenants(logger: Logger) -> Callable[..., Response[Any]]:
    """Nobody gets past without a key; and every line of the log says from here on who it was, and about which job."""

    def attributed(app: APIGatewayHttpResolver, next_middleware: Callable[..., Response[Any]]) -> Response[Any]:
        logger.remove_keys(_ATTRIBUTES)  # of the request before: errors are logged after this has been left
        tenant = app.context["tenant"] = _tenant(app.current_event)
        job_id = (app.current_event.path_parameters or {}).get("id", "")
        logger.append_keys(tenant=tenant, **({"job_id": job_id} if is_id(job_id) else {}))
        return next_middleware(app)

    return attributed


def _tenant(event: Event) -> str:
    """The authorizer lets everybody through and says whose key it saw; the 401, in the contract's form, is given here.

    Raises `Unauthorized`, and `ServiceUnavailable` when it could not look the key up.
    """
    said = _said(event)
    if said.get("unavailable"):
        raise ServiceUnavailable
    tenant = said.get("tenant")
    if not isinstance(tenant, str) or not tenant:
        raise Unauthorized
    return tenant


def caller(app: APIGatewayHttpResolver) -> str:
    """The tenant on whose behalf the current request is."""
    tenant: str = app.context["tenant"]
    return tenant


def limits(event: Event) -> Limits:
    """What the caller's key allows, as the authorizer says.

    Raises `ServiceUnavailable` for what cannot be read: a limit that is not understood is not one that is not there.
    """
    try:
        return Limits.from_texts(_said(event))
    except InvalidRequest as error:
        raise ServiceUnavailable from error


def _said(event: Event) -> dict[str, Any]:
    """What the authorizer has said of the caller."""
    authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
    return authorizer.get("lambda") or {}


def query(event: Event) -> dict[str, str]:
    """The query string, each parameter once. Raises `InvalidRequest` for one that is given twice.

    API Gateway's own reading of it joins such values with a comma.
    """
    try:
        pairs = parse_qsl(event.raw_query_string or "", keep_blank_values=True, max_num_fields=MAX_PARAMETERS)
    except ValueError as error:
        raise InvalidRequest(f"The query string has more than {MAX_PARAMETERS} parameters.") from error
    return _once(pairs)


def parameters(event: Event, *known: str) -> dict[str, str]:
    """As `query`. A misspelt filter that is silently ignored would look like an answer: it is an `InvalidRequest`."""
    given = query(event)
    unknown = [replies.echo(name) for name in given if name not in known]
    if unknown:
        raise InvalidRequest(f"Unknown parameter: {', '.join(unknown)}.", field=unknown[0])
    return given


def has_already(event: Event, etag: str) -> bool:
    """Whether the client says that it has what is tagged so (If-None-Match; RFC 9110, 13.1.2)."""
    tags = {tag.strip().removeprefix("W/") for tag in (event.headers.get("if-none-match") or "").split(",")}
    return bool(tags & {etag, "*"})


def json_object(event: Event, *, required: bool = True) -> dict[str, Any]:
    """The body as a JSON object, empty where there is none and none is `required`.

    Raises `InvalidRequest`, `RequestTooLarge` beyond `MAX_BODY_BYTES`, and `UnsupportedMediaType`.
    """
    text = _body(event)
    if not text and not required:
        return {}
    _check_type(event.headers.get("content-type") or "")
    try:
        body = json.loads(text, parse_constant=_no_constant, object_pairs_hook=_once)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object.")
    _check_depth(body)
    return body


def _body(event: Event) -> str:
    # Base64 is a third longer; whatever is longer than that need not be decoded to be refused.
    if len(event.body or "") > MAX_BODY_BYTES * 3 // 2:
        raise RequestTooLarge(f"The body is larger than {MAX_BODY_BYTES} bytes.")
    try:
        text = event.decoded_body or ""
    except ValueError as error:
        raise InvalidRequest("The body is not UTF-8 text.") from error
    if len(text.encode(errors="surrogatepass")) > MAX_BODY_BYTES:
        raise RequestTooLarge(f"The body is larger than {MAX_BODY_BYTES} bytes.")
    return text


def _check_type(content_type: str) -> None:
    media_type = content_type.partition(";")[0].strip().lower()
    if media_type not in _UNSAID_TYPES and not _JSON_TYPE.fullmatch(media_type):
        raise UnsupportedMediaType("The body must be JSON: Content-Type: application/json.", field="Content-Type")


def _check_depth(body: object) -> None:
    level = [body]
    for _ in range(MAX_DEPTH):
        level = [inner for outer in level for inner in _contained(outer) if isinstance(inner, dict | list)]
    if level:
        raise InvalidRequest(f"The body is nested more than {MAX_DEPTH} levels deep.")


def _contained(container: object) -> Iterable[object]:
    if isinstance(container, dict):
        return container.values()
    return container if isinstance(container, list) else ()


def _once(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Of two values for one name, one reader takes the first and another the second: neither is taken here."""
    given: dict[str, Any] = {}
    for name, value in pairs:
        if name in given:
            shown = replies.echo(name)
            raise InvalidRequest(f"{shown} is given twice.", field=shown)
        given[name] = value
    return given


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def origin(event: Event) -> str:
    """Where this service was reached: scheme, host and, unless it is the default one, stage."""
    headers, context = event.headers, event.request_context
    host = headers.get("host", "")
    if not _HOST.fullmatch(host):
        host = context.domain_name
    return f"{scheme(event)}://{host}" + ("" if context.stage == "$default" else f"/{context.stage}")


def scheme(event: Event) -> str:
    """How this service was reached. AWS knows https only, and its front door overwrites what a client claims."""
    return "http" if event.headers.get("x-forwarded-proto") == "http" else "https"


def output_url(event: Event, job_id: str) -> str:
    """Where the first contract's clients wait for a job."""
    return f"{origin(event)}/async-response/{job_id}"
