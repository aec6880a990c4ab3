"""Who asks? Tells the API's functions whose key it is and what it allows, an empty tenant where there is no valid key.

It never denies: an HTTP API would answer that with a 403 of its own, and the contract wants a 401 in its error shape,
which the functions give. Nor does it raise when the key cannot be looked up: the functions are told, and answer 503, as
an outage of ours must not tell a client that its key is wrong.
"""

import functools
import os
from collections.abc import Mapping
from typing import Any

from aws_lambda_powertools import Logger

from authorizer.settings import AuthorizerSettings
from reelhaul.aws import client
from reelhaul.errors import ServiceUnavailable, Unauthorized
from reelhaul.keys import KeyStore, pepper_from

logger = Logger(service="authorizer")


@functools.cache
def dependencies() -> KeyStore:
    settings = AuthorizerSettings.from_env(os.environ)
    pepper = pepper_from(client("secretsmanager"), settings.pepper_secret_arn)
    return KeyStore(client("dynamodb"), settings.table_name, pepper)


def lambda_handler(event: dict[str, Any], _context: object) -> dict[str, Any]:
    try:
        record = dependencies().verify(presented_key(event.get("headers") or {}))
    except Unauthorized:
        return {"isAuthorized": True, "context": {"tenant": ""}}
    except ServiceUnavailable:
        logger.exception("key_not_looked_up")
        return {"isAuthorized": True, "context": {"tenant": "", "unavailable": "true"}}
    logger.info("key_accepted", tenant=record.tenant, key_id=record.id)
    return {"isAuthorized": True, "context": {"tenant": record.tenant, "key_id": record.id, **record.limits.to_texts()}}


def presented_key(headers: Mapping[str, str]) -> str:
    """The key in `x-access-token` or `Authorization: Bearer`. Raises `Unauthorized` for none, or two that differ."""
    lower = {name.lower(): value for name, value in headers.items()}
    scheme, _, credentials = lower.get("authorization", "").strip().partition(" ")
    bearer = credentials.strip() if scheme.lower() == "bearer" else ""
    keys = {key for key in (lower.get("x-access-token", "").strip(), bearer) if key}
    if len(keys) != 1:
        raise Unauthorized
    return keys.pop()
