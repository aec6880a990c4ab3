"""What the functions behind the HTTP API share: who asks, what the body says, and how errors become replies."""

import json
import re
from collections.abc import Callable
from typing import Any, NoReturn

from aws_lambda_powertools import Logger
from aws_lambda_powertools.event_handler import APIGatewayHttpResolver, Response
from aws_lambda_powertools.event_handler.exceptions import NotFoundError
from aws_lambda_powertools.utilities.data_classes import APIGatewayProxyEventV2

from reelhaul.contracts import replies
from reelhaul.errors import InvalidRequest, ReelhaulError, RequestTooLarge, RouteNotFound, Unauthorized

MAX_BODY_BYTES = 16 * 1024  # as the contract says
_HOST = re.compile(r"[A-Za-z0-9.-]{1,253}(:[0-9]{1,5})?", re.ASCII)

Event = APIGatewayProxyEventV2
ErrorBody = Callable[[ReelhaulError, str], replies.Body]  # error, path of the request -> body


def _plain_error(error: ReelhaulError, _path: str) -> replies.Body:
    return replies.error_body(error)


def resolver(logger: Logger, *, error_body: ErrorBody = _plain_error) -> APIGatewayHttpResolver:
    """A resolver whose routes are for tenants only, and whose every error is a reply of the contract."""
    app = APIGatewayHttpResolver(serializer=replies.dumps, debug=False)

    def refuse(error: ReelhaulError) -> Response[str]:
        status = replies.status_of(error)
        body = replies.dumps(error_body(error, app.current_event.path))
        return Response(status, "application/json", body, headers=replies.HEADERS)

    def explain(error: ReelhaulError) -> Response[str]:
        if replies.status_of(error) >= 500:
            logger.error("request_failed", code=error.code, cause=repr(error.__cause__))
        return refuse(error)

    def conceal(error: Exception) -> Response[str]:
        logger.error("request_crashed", exc_info=error, route=app.current_event.get("routeKey"))
        return refuse(ReelhaulError())

    def lose_way(_error: NotFoundError) -> NoReturn:
        raise RouteNotFound

    app.exception_handler(ReelhaulError)(explain)
    app.exception_handler(Exception)(conceal)
    app.not_found(lose_way)
    app.use(middlewares=[_for_tenants])
    return app


def _for_tenants(app: APIGatewayHttpResolver, next_middleware: Callable[..., Response[Any]]) -> Response[Any]:
    """Nobody gets past without a key."""
    app.context["tenant"] = _tenant(app.current_event)
    response = next_middleware(app)
    response.headers.update(replies.HEADERS)
    return response


def _tenant(event: Event) -> str:
    """The authorizer lets everybody through and says whose key it saw; the 401, in the contract's form, is given here.

    Raises `Unauthorized`.
    """
    authorizer = (event.get("requestContext") or {}).get("authorizer") or {}
    tenant = (authorizer.get("lambda") or {}).get("tenant")
    if not isinstance(tenant, str) or not tenant:
        raise Unauthorized
    return tenant


def caller(app: APIGatewayHttpResolver) -> str:
    """The tenant on whose behalf the current request is."""
    tenant: str = app.context["tenant"]
    return tenant


def json_object(event: Event, *, required: bool = True) -> dict[str, Any]:
    """The body as a JSON object, empty where there is none and none is `required`.

    Raises `InvalidRequest`, and `RequestTooLarge` beyond `MAX_BODY_BYTES`.
    """
    text = _body(event)
    if not text and not required:
        return {}
    try:
        body = json.loads(text, parse_constant=_no_constant)
    except (ValueError, RecursionError) as error:
        raise InvalidRequest("The body is not valid JSON.") from error
    if not isinstance(body, dict):
        raise InvalidRequest("The body must be a JSON object.")
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


def _no_constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


def origin(event: Event) -> str:
    """Where this service was reached: scheme, host and, unless it is the default one, stage."""
    headers, context = event.headers, event.request_context
    host = headers.get("host", "")
    if not _HOST.fullmatch(host):
        host = context.domain_name
    scheme = "http" if headers.get("x-forwarded-proto") == "http" else "https"
    return f"{scheme}://{host}" + ("" if context.stage == "$default" else f"/{context.stage}")


def output_url(event: Event, job_id: str) -> str:
    """Where the first contract's clients wait for a job."""
    return f"{origin(event)}/async-response/{job_id}"
