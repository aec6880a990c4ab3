"""`next_token`: where a listing goes on. Pure.

A token is a place in one tenant's list with one filter, and proves by a MAC that this service has given it away for
just that. Nothing is stored: it is checked with the key that made it, and costs the same at any depth.
"""

import base64
import hashlib
import hmac
import json
from collections.abc import Iterable

from reelhaul.errors import InvalidRequest
from reelhaul.ids import is_id

_MAC_BYTES = 16  # 128 bits cannot be guessed, and a token is to be short
_MAX_CHARS = 200  # ours have 56 and a few more with a filter; longer texts are not worth decoding
_PREFIX = "download-"
_PURPOSE = b"reelhaul next_token 1"


def token_key(secret: str) -> bytes:
    """A key for tokens alone, derived from a secret that is used for something else as well."""
    return hmac.digest(secret.encode(), _PURPOSE, "sha256")


def make_token(key: bytes, *, tenant: str, status: str | None, after: str) -> str:
    """A token for what follows the job `after` in the list of `tenant` that `status` filters."""
    payload = f"{after.removeprefix(_PREFIX)}{status or ''}"
    return base64.urlsafe_b64encode(_mac(key, tenant, payload) + payload.encode()).decode().rstrip("=")


def read_token(token: str, keys: Iterable[bytes], *, tenant: str, status: str | None) -> str:
    """The id of the job after which the list goes on. The `keys` are tried, and fetched, one after the other.

    Raises `InvalidRequest` for whatever `make_token` has not made for this tenant and filter with one of them.
    """
    mac, payload = _taken_apart(token)
    if not any(hmac.compare_digest(mac, _mac(key, tenant, payload)) for key in keys):
        raise _refusal()
    ulid, made_for = payload[:26], payload[26:] or None
    if made_for != status:
        raise InvalidRequest("next_token belongs to a listing with another status.", field="next_token")
    return _PREFIX + ulid


def _taken_apart(token: str) -> tuple[bytes, str]:
    try:
        if len(token) > _MAX_CHARS:
            raise _refusal()
        raw = base64.b64decode(token + "=" * (-len(token) % 4), altchars=b"-_", validate=True)
        mac, payload = raw[:_MAC_BYTES], raw[_MAC_BYTES:].decode("ascii")
    except ValueError as error:
        raise _refusal() from error
    if not is_id(_PREFIX + payload[:26]):
        raise _refusal()
    return mac, payload


def _mac(key: bytes, tenant: str, payload: str) -> bytes:
    """As JSON, so that no tenant's name can be moved into the payload or out of it."""
    return hmac.digest(key, json.dumps([tenant, payload]).encode(), hashlib.sha256)[:_MAC_BYTES]


def _refusal() -> InvalidRequest:
    return InvalidRequest("next_token is not one of ours.", field="next_token")
