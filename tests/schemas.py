"""Holding what was sent and answered against the schemas of the documentation."""

from collections.abc import Iterator
from typing import Any

from openapi_schema_validator import OAS31Validator

from reelhaul.documentation.replies import ALL
from reelhaul.documentation.requests import bodies

COMPONENTS = bodies(max_retention_days=30) | ALL
Schema = dict[str, Any]


def validator(schema: Schema) -> OAS31Validator:
    return OAS31Validator(
        {"components": {"schemas": COMPONENTS}, **schema}, format_checker=OAS31Validator.FORMAT_CHECKER
    )


def undocumented(value: object, schema: Schema, path: str = "$") -> list[str]:
    """Where `value` has fields that no part of `schema` mentions."""
    parts = list(_parts(schema))
    if isinstance(value, list):
        items = {"anyOf": [part["items"] for part in parts if "items" in part]}
        return [found for index, item in enumerate(value) for found in undocumented(item, items, f"{path}[{index}]")]
    if not isinstance(value, dict):
        return []
    missing: list[str] = []
    for name, inner in value.items():
        said = [part["properties"][name] for part in parts if name in part.get("properties", {})]
        missing += undocumented(inner, {"anyOf": said}, f"{path}.{name}") if said else [f"{path}.{name}"]
    return missing


def _parts(schema: Schema) -> Iterator[Schema]:
    """The schema and all that it is put together from."""
    if "$ref" in schema:
        yield from _parts(COMPONENTS[schema["$ref"].rpartition("/")[2]])
    yield schema
    for kind in ("allOf", "anyOf", "oneOf"):
        for inner in schema.get(kind, []):
            yield from _parts(inner)
