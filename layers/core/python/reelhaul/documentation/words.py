"""How schemas are written here: a few functions that keep the tables readable. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any

Schema = dict[str, Any]


def ref(name: str, *, kind: str = "schemas") -> Schema:
    return {"$ref": f"#/components/{kind}/{name}"}


def text(description: str, **more: object) -> Schema:
    return {"type": "string", "description": description, **more}


def choice(values: Sequence[str], description: str, **more: object) -> Schema:
    return {"type": "string", "enum": list(values), "description": description, **more}


def whole(description: str, *, low: int = 0, **more: object) -> Schema:
    return {"type": "integer", "minimum": low, "description": description, **more}


def number(description: str, *, low: int = 0, **more: object) -> Schema:
    return {"type": "number", "minimum": low, "description": description, **more}


def flag(description: str) -> Schema:
    return {"type": "boolean", "description": description}


def always(value: object, description: str = "") -> Schema:
    return {"const": value, **({"description": description} if description else {})}


def time(description: str) -> Schema:
    return text(f"{description} RFC 3339, UTC.", format="date-time")


def many(items: Schema, description: str, **more: object) -> Schema:
    return {"type": "array", "items": items, "description": description, **more}


def or_null(schema: Schema) -> Schema:
    """The same, or `null`."""
    if "$ref" in schema:
        return {"anyOf": [schema, {"type": "null"}]}
    types = schema["type"] if isinstance(schema["type"], list) else [schema["type"]]
    nullable = schema | {"type": [*types, "null"]}
    return nullable | {"enum": [*schema["enum"], None]} if "enum" in schema else nullable


def record(fields: Mapping[str, Schema], *, optional: Sequence[str] = (), description: str = "") -> Schema:
    """An object of a reply. It may have more fields than these one day; clients leave unread what they do not know."""
    return {
        "type": "object",
        **({"description": description} if description else {}),
        "properties": dict(fields),
        "required": [name for name in fields if name not in optional],
    }


def closed(
    fields: Mapping[str, Schema], *, required: Sequence[str] = (), description: str = "", **more: object
) -> Schema:
    """An object of a request: a field that is not named here is an error."""
    return {
        "type": "object",
        "description": description,
        "properties": dict(fields),
        "required": list(required),
        "additionalProperties": False,
        **more,
    }
