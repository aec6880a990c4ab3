"""The OpenAPI document in the template's assets: the routes of the template and of the handlers, all of them."""

import json
import re
from pathlib import Path
from typing import Any

import pytest

from infra import openapi
from reelhaul import errors
from reelhaul.documentation import document as documentation
from reelhaul.documentation.operations import OPERATIONS
from tests.infra.template import Template


@pytest.fixture(scope="module")
def document(template: Template) -> dict[str, Any]:
    (path,) = template.outdir.glob("asset.*/docs/openapi.json")
    return dict(json.loads(path.read_text()))


def routes(document: dict[str, Any]) -> set[str]:
    return {f"{method.upper()} {path}" for path, methods in document["paths"].items() for method in methods}


def test_document_has_the_routes_of_the_template_and_no_others(template: Template, document: dict[str, Any]) -> None:
    deployed = {route["RouteKey"] for route in template.of_type("AWS::ApiGatewayV2::Route").values()}
    assert routes(document) == deployed - {"$default"}


def test_routes_that_ask_for_no_key_are_those_of_the_template(template: Template, document: dict[str, Any]) -> None:
    found = template.of_type("AWS::ApiGatewayV2::Route").values()
    open_ones = {route["RouteKey"] for route in found if route.get("AuthorizationType", "NONE") == "NONE"}
    said = {route for route in routes(document) if not operation(document, route)["security"]}
    assert said == open_ones - {"$default"}


def test_all_others_take_either_of_two_headers(document: dict[str, Any]) -> None:
    schemes = document["components"]["securitySchemes"]
    assert schemes["accessToken"]["name"] == "x-access-token"
    assert schemes["bearer"]["scheme"] == "bearer"
    for route in routes(document):
        assert operation(document, route)["security"] in ([], [{"accessToken": []}, {"bearer": []}]), route


def operation(document: dict[str, Any], route: str) -> dict[str, Any]:
    method, path = route.split()
    return dict(document["paths"][path][method.lower()])


def test_route_without_documentation_fails_the_synthesis() -> None:
    skeleton = _skeleton() | {"paths": _skeleton()["paths"] | {"/new": {"get": {}}}}
    with pytest.raises(documentation.RoutesDiffer, match=r"Without documentation: \['GET /new'\]"):
        documentation.document(skeleton, max_retention_days=30)


def test_documentation_without_a_route_fails_the_synthesis() -> None:
    skeleton = _skeleton()
    del skeleton["paths"]["/health"]
    with pytest.raises(documentation.RoutesDiffer, match=r"Without a route: \['GET /health'\]"):
        documentation.document(skeleton, max_retention_days=30)


def test_handlers_that_do_not_load_fail_the_synthesis(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['create_download'] = None\n")
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with pytest.raises(openapi.DocumentFailed, match="create_download"):
        openapi.make(max_retention_days=29)


def _skeleton() -> dict[str, Any]:
    paths: dict[str, dict[str, object]] = {}
    for route in OPERATIONS:
        method, path = route.split()
        paths.setdefault(path, {})[method.lower()] = {}
    return {"openapi": "3.1.0", "info": {"version": "1"}, "paths": paths}


def test_longest_retention_is_the_one_that_the_operator_chose(template: Template, document: dict[str, Any]) -> None:
    chosen = template.functions["create_download"]["Environment"]["Variables"]["MAX_RETENTION_DAYS"]
    body = document["components"]["schemas"]["DownloadRequest"]["properties"]["retention_days"]
    assert str(body["maximum"]) == chosen


def test_longest_playlist_is_the_one_that_the_operator_chose(other_template: Template) -> None:
    asset = other_template.outdir / ("asset." + other_template.functions["docs"]["Code"]["S3Key"].removesuffix(".zip"))
    chosen = json.loads((asset / "docs" / "openapi.json").read_text())["components"]["schemas"]["DownloadRequest"]
    assert chosen["properties"]["playlist_limit"]["maximum"] == 20


def test_codes_are_those_of_the_errors(document: dict[str, Any]) -> None:
    known = {error.code for error in _all_of(errors.ReelhaulError)}
    named = {code for codes in _values_of(document, "enum", below="code") for code in codes}
    assert {"request.invalid", "auth.unauthorized", "job.not_found", "job.conflict"} <= named <= known


def _all_of(cls: type[errors.ReelhaulError]) -> list[type[errors.ReelhaulError]]:
    return [cls, *(deeper for child in cls.__subclasses__() for deeper in _all_of(child))]


def _values_of(node: object, name: str, *, below: str) -> list[Any]:
    """What is called `name` in anything that is called `below`."""
    if isinstance(node, list):
        return [value for inner in node for value in _values_of(inner, name, below=below)]
    if not isinstance(node, dict):
        return []
    here = node.get(below)
    found = [here[name]] if isinstance(here, dict) and name in here else []
    return found + [value for inner in node.values() for value in _values_of(inner, name, below=below)]


def test_document_names_no_host(document: dict[str, Any]) -> None:
    assert document["servers"] == [{"url": "/"}]
    hosts = set(re.findall(r"https?://([^/\"\\]+)", json.dumps(document["paths"])))
    assert {host for host in hosts if not host.endswith(".example")} == set()


def test_objects_of_requests_are_closed(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    bodies = [name for name in schemas if name.endswith("Request")] + ["Clip"]
    assert len(bodies) >= 6
    assert all(schemas[name]["additionalProperties"] is False for name in bodies)


def test_neither_layer_nor_image_carry_what_is_for_people_or_for_synthesis(template: Template) -> None:
    assert list(template.outdir.glob("asset.*/python/reelhaul/jobs.py"))
    for part in ("documentation/*", "client/*", "command/*", "cli.py"):
        assert not list(template.outdir.glob(f"asset.*/**/reelhaul/{part}"))
