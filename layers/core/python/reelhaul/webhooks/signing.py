"""Signatures of webhooks: symmetric, version 1 of the Standard Webhooks specification.

Each tenant has a secret of its own, so that no receiver can forge what another one trusts. All are derived from one
master secret: there is nothing to store with each new tenant, and nothing to lose.
"""

import base64
import hmac
import time
from collections.abc import Callable, Sequence
from typing import Any

from botocore.exceptions import ClientError

from reelhaul.aws import error_code, translated
from reelhaul.errors import ServiceUnavailable

_PREFIX = "whsec_"
_MAX_AGE_S = 300  # a rotated secret is picked up within this


def tenant_key(master: str, tenant: str) -> bytes:
    """The 32 bytes that a tenant's webhooks are signed with."""
    return hmac.digest(master.encode(), f"webhooks {tenant}".encode(), "sha256")


def as_secret(key: bytes) -> str:
    """A key in the form in which receivers' libraries take it."""
    return _PREFIX + base64.b64encode(key).decode()


def signed_headers(keys: Sequence[bytes], *, event_id: str, now: float, body: bytes) -> dict[str, str]:
    """The headers of one attempt at `now`. A receiver trusts it if it knows one of the `keys`."""
    timestamp = str(int(now))
    content = b".".join((event_id.encode(), timestamp.encode(), body))
    signatures = (base64.b64encode(hmac.digest(key, content, "sha256")).decode() for key in keys)
    return {
        "webhook-id": event_id,
        "webhook-timestamp": timestamp,
        "webhook-signature": " ".join(f"v1,{signature}" for signature in signatures),
    }


class WebhookSecrets:
    """The tenants' keys, from the master secret `secret_arn`. `client` is a boto3 Secrets Manager client.

    The master is rotated by storing another one. Until that happens again, the one before (AWSPREVIOUS) signs, too: so
    receivers can change over when they like, and none misses a webhook.
    """

    def __init__(self, client: Any, secret_arn: str, *, clock: Callable[[], float] = time.time) -> None:
        self._client = client
        self._secret_arn = secret_arn
        self._clock = clock
        self._masters: tuple[str, ...] = ()
        self._read_at = float("-inf")

    def keys(self, tenant: str) -> tuple[bytes, ...]:
        """The tenant's keys, the current one first. Raises `ServiceUnavailable` when there is no way to know them."""
        now = self._clock()
        if now - self._read_at > _MAX_AGE_S:
            try:
                self._masters = self._read()
            except ServiceUnavailable:
                if not self._masters:
                    raise  # else those that we have do: after a rotation they are still the previous one's
            self._read_at = now
        return tuple(tenant_key(master, tenant) for master in self._masters)

    def _read(self) -> tuple[str, ...]:
        with translated():
            current = self._version("AWSCURRENT")
            try:
                previous = self._version("AWSPREVIOUS")
            except ClientError as error:
                if error_code(error) != "ResourceNotFoundException":
                    raise
                return (current,)
        return (current, previous)

    def _version(self, stage: str) -> str:
        return str(self._client.get_secret_value(SecretId=self._secret_arn, VersionStage=stage)["SecretString"])
