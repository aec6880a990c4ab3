"""Requests find who answers them, and come back as API Gateway takes replies."""

import base64
import gzip
from typing import Any

import pytest

from reelhaul.contracts import replies
from reelhaul.errors import RouteNotFound
from reelhaul.routing import Event, Response, Router
from tests.events import Context, HttpRequest

TEXT = "a text that is long enough to be worth it " * 20


@pytest.fixture
def router() -> Router:
    def not_found() -> Response:
        raise RouteNotFound

    app = Router(
        dumps=replies.dumps,
        first=lambda _: None,
        not_found=not_found,
        refuse=lambda error: Response(500, "text/plain", type(error).__name__),
    )
    app.get("/jobs/<job_id>")(lambda job_id: {"got": job_id})
    app.delete("/jobs/<job_id>/file")(lambda job_id: {"deleted": job_id})
    app.get("/text", compress=True)(lambda: Response(200, "text/plain", TEXT, headers={"Vary": "Accept-Encoding"}))
    app.get("/bytes")(lambda: Response(200, "image/png", b"\x89"))
    return app


def send(router: Router, method: str, path: str, **how: Any) -> dict[str, Any]:
    return router.resolve(HttpRequest(method=method, path=path, **how).event(), Context())


@pytest.mark.parametrize("stage", ["$default", "dev"])
def test_a_part_of_the_path_is_handed_on(router: Router, stage: str) -> None:
    reply = send(router, "GET", "/jobs/a-1", stage=stage)
    assert (reply["statusCode"], reply["body"]) == (200, '{"got":"a-1"}')
    assert reply["headers"] == {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("method", "path"), [("POST", "/jobs/1"), ("GET", "/jobs/1/2"), ("GET", "/jobs/"), ("GET", "/jobs/1\n")]
)
def test_another_method_or_path_has_no_route(router: Router, method: str, path: str) -> None:
    assert send(router, method, path)["body"] == "RouteNotFound"


def test_what_a_handler_raises_becomes_a_reply(router: Router) -> None:
    router.get("/broken")(lambda: {"number": int("none")})
    assert send(router, "GET", "/broken")["body"] == "ValueError"


def test_a_text_is_compressed_for_those_who_take_it(router: Router) -> None:
    plain, small = (send(router, "GET", "/text", headers={"Accept-Encoding": how}) for how in ("br", "gzip, br"))
    assert (plain["body"], plain["isBase64Encoded"]) == (TEXT, False)
    assert gzip.decompress(base64.b64decode(small["body"])).decode() == TEXT
    assert small["headers"]["Content-Encoding"] == "gzip"
    assert len(small["body"]) < len(TEXT) / 2


def test_bytes_are_replied_in_base64(router: Router) -> None:
    reply = send(router, "GET", "/bytes")
    assert (reply["body"], reply["isBase64Encoded"]) == ("iQ==", True)


def test_headers_are_found_in_any_case() -> None:
    event = Event(HttpRequest(method="GET", path="/", headers={"X-Thing": "1"}).event())
    assert event.headers.get("x-thing") == event.headers.get("X-THING") == "1"


@pytest.mark.parametrize("body", [b"\xff", "not base64!"])
def test_a_body_that_is_no_text_is_a_value_error(body: str | bytes) -> None:
    raw = HttpRequest(method="POST", path="/", body=body).event() | {"isBase64Encoded": True}
    with pytest.raises(ValueError, match=r"decode|base64|padding"):
        _ = Event(raw).decoded_body
