"""Requests of an HTTP API (payload format 2.0) to functions of ours, by method and path.

As Powertools' event handler has it, of which it is the part that is needed here: to import that one, with what it has
for other kinds of events, takes a quarter as long as boto3, on each cold start of the API.
"""

import base64
import dataclasses
import re
import zlib
from collections.abc import Callable, Mapping
from typing import Any

_PARAMETER = re.compile(r"<(\w+)>")
_ONE_SEGMENT = (
    r"(?P<\1>[-._~()'!*:@,;=+&$%<> \\[\\]{}|^\\w]+)"  # what RFC 3986 has in one, and what clients send besides
)
_GZIP = 16 + zlib.MAX_WBITS  # zlib.compressobj: with gzip's header


class Headers(dict[str, str]):
    """By their names in any case."""

    def __init__(self, given: Mapping[str, str]) -> None:
        super().__init__({name.lower(): value for name, value in given.items()})

    def get(self, name: str, default: Any = None) -> Any:
        return super().get(name.lower(), default)


class Event:
    """A request; `raw` is what AWS sent."""

    def __init__(self, raw: Mapping[str, Any]) -> None:
        self.raw = raw
        self.headers = Headers(raw.get("headers") or {})
        context = raw.get("requestContext") or {}
        self.stage: str = context.get("stage") or "$default"
        self.domain_name: str = context.get("domainName") or ""
        self.http_method: str = (context.get("http") or {}).get("method") or ""
        # What the authorizer has said of the caller.
        self.said: dict[str, Any] = (context.get("authorizer") or {}).get("lambda") or {}

    @property
    def path(self) -> str:
        """Without the stage that it may begin with."""
        path: str = self.raw.get("rawPath") or ""
        return path if self.stage == "$default" else path.removeprefix(f"/{self.stage}")

    @property
    def route_key(self) -> str:
        """What the API took it for, as "GET /download/{id}"."""
        return str(self.raw.get("routeKey"))

    @property
    def path_parameters(self) -> Mapping[str, str]:
        return self.raw.get("pathParameters") or {}

    @property
    def raw_query_string(self) -> str:
        return self.raw.get("rawQueryString") or ""

    @property
    def body(self) -> str:
        return self.raw.get("body") or ""

    @property
    def decoded_body(self) -> str:
        """Raises `ValueError` for what is no base64, or no UTF-8 within."""
        return base64.b64decode(self.body).decode() if self.raw.get("isBase64Encoded") else self.body


@dataclasses.dataclass
class Response:
    """`body`: bytes go to the API in base64."""

    status_code: int
    content_type: str | None = None
    body: str | bytes | None = None
    headers: Mapping[str, str] = dataclasses.field(default_factory=dict)


Returned = Response | dict[str, Any]
Handler = Callable[..., Returned]


@dataclasses.dataclass(frozen=True)
class _Route:
    method: str
    rule: str
    pattern: re.Pattern[str]
    handler: Handler
    compress: bool


class Router:
    """What is current is so within `resolve`: a process has one request at a time."""

    current_event: Event
    lambda_context: Any
    context: dict[str, Any]

    def __init__(
        self,
        *,
        dumps: Callable[[Any], str],
        first: Callable[[Event], None],
        not_found: Handler,
        refuse: Callable[[Exception], Response],
    ) -> None:
        """`first` sees each request. What that raises, or whoever handles it, `refuse` makes a reply of."""
        self._routes: list[_Route] = []
        self._dumps, self._first, self._not_found, self._refuse = dumps, first, not_found, refuse

    @property
    def routes(self) -> list[tuple[str, str]]:
        """Methods and rules."""
        return [(route.method, route.rule) for route in self._routes]

    def get(self, rule: str, *, compress: bool = False) -> Callable[[Handler], Handler]:
        """Decorates what answers, a `Response` or a JSON object. Of a `<name>` in the path it gets what is there."""
        return self._route("GET", rule, compress=compress)

    def post(self, rule: str) -> Callable[[Handler], Handler]:
        return self._route("POST", rule)

    def delete(self, rule: str) -> Callable[[Handler], Handler]:
        return self._route("DELETE", rule)

    def not_found(self, handler: Handler) -> None:
        """What answers where there is no route."""
        self._not_found = handler

    def _route(self, method: str, rule: str, *, compress: bool = False) -> Callable[[Handler], Handler]:
        pattern = re.compile(_PARAMETER.sub(_ONE_SEGMENT, rule))

        def add(handler: Handler) -> Handler:
            self._routes.append(_Route(method, rule, pattern, handler, compress))
            return handler

        return add

    def resolve(self, event: Mapping[str, Any], context: Any) -> dict[str, Any]:
        """The reply to `event`, as API Gateway takes it. Raises nothing."""
        self.current_event, self.lambda_context, self.context = Event(event), context, {}
        route, values = self._found()
        try:
            self._first(self.current_event)
            returned = route.handler(**values) if route else self._not_found()
        except Exception as error:  # noqa: BLE001 - whatever it is, there is a reply
            returned = self._refuse(error)
        if isinstance(returned, dict):
            returned = Response(200, "application/json", self._dumps(returned))
        is_taken = "gzip" in self.current_event.headers.get("accept-encoding", "")
        return _reply(returned, compress=bool(route and route.compress and is_taken))

    def _found(self) -> tuple[_Route | None, dict[str, str]]:
        path, method = self.current_event.path, self.current_event.http_method.upper()
        for route in self._routes:
            if route.method == method and (match := route.pattern.fullmatch(path)):
                return route, match.groupdict()
        return None, {}


def _reply(response: Response, *, compress: bool) -> dict[str, Any]:
    headers, body = dict(response.headers), response.body
    if response.content_type:
        headers["Content-Type"] = response.content_type
    if compress and body is not None:
        headers["Content-Encoding"] = "gzip"
        compressor = zlib.compressobj(9, zlib.DEFLATED, _GZIP)
        body = compressor.compress(body.encode() if isinstance(body, str) else body) + compressor.flush()
    is_binary = isinstance(body, bytes)
    text = base64.b64encode(body).decode() if isinstance(body, bytes) else body
    return {
        "statusCode": response.status_code, "body": text, "isBase64Encoded": is_binary, "headers": headers,
        "cookies": [],
    }  # fmt: skip
