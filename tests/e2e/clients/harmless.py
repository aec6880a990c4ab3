"""Made-up addresses, turned to this machine: whatever a fuzzer asks for, no packet leaves."""

import json
import re
from typing import Any
from urllib.parse import urlsplit

LOOPBACK = "127.0.0.1"  # which the egress guard refuses, whatever the port


def harmless_body(body: Any) -> Any:
    """The body of a request with every address in it on this machine. What is not JSON is no request."""
    try:
        value = json.loads(body)
    except (TypeError, ValueError):
        return body
    changed = _harmless(value)
    return body if changed == value else json.dumps(changed).encode()


def _harmless(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _harmless(inner) for name, inner in value.items()}
    if isinstance(value, list):
        return [_harmless(inner) for inner in value]
    return harmless_address(value) if isinstance(value, str) else value


def harmless_address(text: str) -> str:
    """The same address on this machine, as wrong as it was, if it was. The service reads it in the same way."""
    try:
        parts = urlsplit(text)
        host = parts.hostname
    except ValueError:
        return text
    if not parts.netloc or not host:
        return text
    user, at, _ = parts.netloc.rpartition("@")
    _, colon, port = parts.netloc.rpartition("@")[2].rpartition("]")[2].rpartition(":")
    return parts._replace(netloc=f"{user}{at}{LOOPBACK}{colon}{port if colon else ''}").geturl()


def sound_address(text: str, *, longest: int) -> str:
    """An address that looks like one, on this machine, and so that it parses and can be printed."""
    printable = "".join(char for char in text if char.isprintable())
    return re.sub(r"//[^/?#]*", f"//{LOOPBACK}", printable, count=1)[:longest]
