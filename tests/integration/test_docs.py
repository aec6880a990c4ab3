"""What the API says about itself, from the function as it is deployed: with the document beside its handler."""

import gzip
import json
import re
from base64 import b64decode
from typing import Any

import pytest
from openapi_spec_validator import validate

from tests.integration.conftest import Docs
from tests.routes import OPEN_ROUTES, ROUTES


def body(reply: dict[str, Any]) -> Any:
    return json.loads(reply["body"])


def test_health_is_told_without_a_key(docs: Docs) -> None:
    reply = docs("GET", "/health")
    assert (reply["statusCode"], body(reply)) == (200, {"status": "ok"})
    assert reply["headers"]["Cache-Control"] == "no-store"


def test_document_is_valid_openapi(docs: Docs) -> None:
    reply = docs("GET", "/openapi.json")
    assert (reply["statusCode"], reply["headers"]["Content-Type"]) == (200, "application/json")
    assert body(reply)["openapi"].startswith("3.1.")
    validate(body(reply))


@pytest.mark.parametrize("path", ["/openapi.json", "/docs/swagger-ui.js"])
def test_what_is_large_is_compressed_for_those_who_can_read_it(path: str, docs: Docs) -> None:
    plain, packed = docs("GET", path), docs("GET", path, headers={"accept-encoding": "br, gzip"})
    assert "Content-Encoding" not in plain["headers"]
    assert packed["headers"]["Content-Encoding"] == "gzip"
    assert "Accept-Encoding" in packed["headers"]["Vary"]
    assert len(packed["body"]) < len(plain["body"]) / 2
    assert gzip.decompress(b64decode(packed["body"])).decode() == plain["body"]


def test_page_names_nothing_but_files_of_this_service(docs: Docs) -> None:
    page = docs("GET", "/docs")
    assert page["headers"]["Content-Type"].startswith("text/html")
    assert "//" not in page["body"]
    named = re.findall(r'(?:src|href)="([^"]+)"', page["body"])
    for name in set(named) - {"data:,"}:
        assert docs("GET", f"/{name}")["statusCode"] == 200, name
    assert {"docs/swagger-ui.js", "docs/swagger-ui.css", "openapi.json"} <= set(named)


def test_page_forbids_browsers_to_load_from_elsewhere(docs: Docs) -> None:
    said = docs("GET", "/docs")["headers"]["Content-Security-Policy"]
    policy = dict(directive.split(" ", 1) for directive in said.split("; "))
    assert policy["default-src"] == "'none'"
    assert policy["script-src"] == policy["connect-src"] == "'self'"
    allowed = {source for sources in policy.values() for source in sources.split()}
    assert allowed == {"'none'", "'self'", "'unsafe-inline'", "data:"}
    assert "'unsafe-inline'" not in policy["script-src"]


def test_documented_files_of_the_page_are_those_that_there_are(docs: Docs) -> None:
    schema = body(docs("GET", "/openapi.json"))["components"]["parameters"]["File"]["schema"]
    found = {name: docs("GET", f"/docs/{name}") for name in schema["enum"]}
    assert {reply["statusCode"] for reply in found.values()} == {200}
    assert {f"docs/{name}" for name in found} == set(re.findall(r"docs/[\w.-]+", docs("GET", "/docs")["body"]))


def test_swagger_ui_is_told_to_ask_no_validator(docs: Docs) -> None:
    assert "validatorUrl: null" in docs("GET", "/docs/start.js")["body"]


@pytest.mark.parametrize(
    "path", ["/nowhere", "/assets", "/docs/nothing.js", "/docs/..%2Fhandler.py", "/health/", "//health"]
)
def test_unknown_address_is_404_in_the_one_shape(path: str, docs: Docs) -> None:
    reply = docs("GET", path)
    assert reply["statusCode"] == 404
    sentence = "There is nothing at this address."
    assert body(reply) == {"success": False, "message": sentence, "detail": sentence, "code": "route.not_found"}


@pytest.mark.parametrize("route", sorted(ROUTES.keys() | OPEN_ROUTES.keys() - {"$default"}))
def test_other_method_at_a_known_address_is_405_and_says_which_there_are(route: str, docs: Docs) -> None:
    method, path = route.split()
    reply = docs("PATCH", path.replace("{id}", "download-1").replace("{file}", "start.js"))
    assert (reply["statusCode"], body(reply)["code"]) == (405, "request.method_not_allowed")
    assert method in reply["headers"]["Allow"].split(", ")
    assert "PATCH" not in reply["headers"]["Allow"]


def test_a_browsers_question_before_a_request_is_answered(docs: Docs) -> None:
    """API Gateway adds the headers of CORS to whatever it is answered with, but an error would be the end of it."""
    reply = docs("OPTIONS", "/api/download/download-1/file")
    assert (reply["statusCode"], reply["headers"]["Allow"]) == (204, "GET")
    assert docs("OPTIONS", "/nowhere")["statusCode"] == 404


def test_what_a_browser_asks_opens_nothing_by_itself(docs: Docs) -> None:
    page = {"origin": "https://page.example", "access-control-request-method": "POST"}
    reply = docs("OPTIONS", "/download", headers=page)
    assert not [name for name in reply["headers"] if name.lower().startswith("access-control-")]


def test_address_has_the_methods_of_all_functions_that_are_behind_it(docs: Docs) -> None:
    assert docs("PUT", "/download")["headers"]["Allow"] == "DELETE, GET, POST"
    assert docs("POST", "/api/downloads/download-1")["headers"]["Allow"] == "DELETE"
    assert docs("HEAD", "/health")["headers"]["Allow"] == "GET"
    assert docs("POST", "/")["headers"]["Allow"] == "GET, HEAD"
