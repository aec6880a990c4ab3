"""Access keys: issue, verify, revoke. The table holds keyed hashes only; the key itself is shown once, when it is made.

The hash is HMAC-SHA256 under a pepper from Secrets Manager: keys are random enough that a slow password hash would add
nothing, and without the pepper the table alone does not allow a guess to be checked.
"""

import dataclasses
import hashlib
import hmac
import re
import secrets
import time
from collections.abc import Callable
from typing import Any

from reelhaul.aws import translated
from reelhaul.errors import Conflict, InvalidRequest, KeyNotFound, Unauthorized
from reelhaul.items import Item
from reelhaul.limits import Limits, check_limits
from reelhaul.table import Table

_PREFIX = "sk-"
_MIN_CHARS, _MAX_CHARS = 8, 200  # of a key that somebody brings along
_MAX_LABEL_CHARS = 100
_TENANT = re.compile(r"[a-z0-9][a-z0-9-]{0,39}")
_LIST = "KEYS"
_NO_HASH = "0" * 64  # what the hash of an unknown key is compared with


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class KeyRecord:
    """What is known of a key. Times are seconds since the epoch; `hash` is the keyed hash, in hexadecimal."""

    id: str
    tenant: str
    label: str
    hash: str
    created_at: int
    expires_at: int | None = None
    revoked_at: int | None = None
    limits: Limits = dataclasses.field(default_factory=Limits)

    def is_valid(self, now: float) -> bool:
        return self.revoked_at is None and (self.expires_at is None or now < self.expires_at)


def check_tenant(tenant: str) -> None:
    """Raises `InvalidRequest` for what cannot be a tenant."""
    if not _TENANT.fullmatch(tenant):
        raise InvalidRequest("A tenant is 1-40 lower-case letters, digits and hyphens.", field="tenant")


def _is_wellformed(key: str, *, least: int) -> bool:
    return least <= len(key) <= _MAX_CHARS and key.isascii() and key.isprintable() and " " not in key


class KeyStore:
    """`client` is a boto3 DynamoDB client, `pepper` gives the secret that the hashes are keyed with."""

    def __init__(
        self, client: Any, table_name: str, pepper: Callable[[], bytes], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._table = Table(client, table_name)
        self._pepper = pepper
        self._clock = clock

    def issue(
        self,
        tenant: str,
        *,
        label: str = "",
        expires_at: int | None = None,
        limits: Limits | None = None,
        key: str | None = None,
    ) -> tuple[str, KeyRecord]:
        """A new key for `tenant`, and its record. `key` uses that text instead of a random one (for tests and demos).

        Issuing the same `key` for the same tenant again renews it; without `limits` it keeps its own. Raises
        `InvalidRequest` for a tenant, key or limit of the wrong form, for a key that belongs to another tenant, and for
        one that was revoked.
        """
        check_tenant(tenant)
        text = key or _PREFIX + secrets.token_urlsafe(32)
        if not _is_wellformed(text, least=_MIN_CHARS):
            raise InvalidRequest(f"A key is {_MIN_CHARS}-{_MAX_CHARS} printable ASCII characters.", field="key")
        if len(label) > _MAX_LABEL_CHARS or not label.isprintable():
            raise InvalidRequest(f"A label is up to {_MAX_LABEL_CHARS} printable characters.", field="label")
        digest = self._hash(text)
        known = self._by_hash(digest)
        if known is not None and known.tenant != tenant:
            raise InvalidRequest("This key belongs to another tenant.", field="key")
        if known is not None and known.revoked_at is not None:
            raise InvalidRequest("This key has been revoked.", field="key")
        key_id = known.id if known else "key-" + secrets.token_hex(6)
        given = limits if limits is not None else known.limits if known else Limits()
        check_limits(given)
        record = KeyRecord(
            id=key_id, tenant=tenant, label=label, hash=digest, created_at=int(self._clock()), expires_at=expires_at,
            limits=given,
        )  # fmt: skip
        self._put(record)
        return text, record

    def verify(self, key: str) -> KeyRecord:
        """Whose key this is. Raises `Unauthorized` for one that is unknown, revoked or expired.

        An unknown key takes the same steps as a known one, so that how long an answer takes tells nothing of it. What
        cannot be a key, by its form alone, is not looked up.
        """
        if not _is_wellformed(key, least=1):
            raise Unauthorized
        digest = self._hash(key)
        record = self._by_hash(digest)
        is_its = hmac.compare_digest(record.hash if record else _NO_HASH, digest)
        if record is None or not is_its or not record.is_valid(self._clock()):
            raise Unauthorized
        return record

    def list(self) -> list[KeyRecord]:
        """All keys, revoked ones too, oldest first."""
        query = {"KeyConditionExpression": "pk = :list", "ExpressionAttributeValues": {":list": _LIST}}
        records = [_record(item) for item in self._table.query(query, page_size=1000)]
        return sorted(records, key=lambda record: (record.created_at, record.id))

    def revoke(self, key_id: str) -> KeyRecord:
        """The key stops working with the next request. Raises `KeyNotFound`; revoking twice keeps the first time."""
        record = self._by_id(key_id)
        if record.revoked_at is None:
            record = dataclasses.replace(record, revoked_at=int(self._clock()))
            self._put(record)
        return record

    def limit(self, key_id: str, change: Callable[[Limits], Limits]) -> KeyRecord:
        """The key has other limits from its next request on. Raises `KeyNotFound`, and `InvalidRequest` if revoked."""
        record = self._by_id(key_id)
        record = dataclasses.replace(record, limits=change(record.limits))
        check_limits(record.limits)
        try:
            self._put(record, "attribute_not_exists(revoked_at)")  # nor does what was revoked meanwhile come back
        except Conflict as error:
            raise InvalidRequest("This key has been revoked.", field="key") from error
        return record

    def _by_id(self, key_id: str) -> KeyRecord:
        record = next((record for record in self.list() if record.id == key_id), None)
        if record is None:
            raise KeyNotFound
        return record

    def _hash(self, key: str) -> str:
        return hmac.new(self._pepper(), key.encode(), hashlib.sha256).hexdigest()

    def _by_hash(self, digest: str) -> KeyRecord | None:
        item = self._table.read(f"KEY#{digest}", "KEY")
        return _record(item) if item else None

    def _put(self, record: KeyRecord, condition: str = "") -> None:
        fields = dataclasses.asdict(record)
        fields = {name: value for name, value in (fields | fields.pop("limits")).items() if value is not None}
        places = {"pk": f"KEY#{record.hash}", "sk": "KEY"}, {"pk": _LIST, "sk": record.id}
        self._table.write(*(self._table.put(place | fields, condition) for place in places))


def _record(item: Item) -> KeyRecord:
    """What a newer version has added is left out."""
    limits = Limits(**{field.name: item.get(field.name) for field in dataclasses.fields(Limits)})
    fields = {field.name: item[field.name] for field in dataclasses.fields(KeyRecord) if field.name in item}
    return KeyRecord(**fields, limits=limits)


def pepper_from(secrets_client: Any, secret_arn: str) -> Callable[[], bytes]:
    """The pepper, read from Secrets Manager on first use and kept: it never changes while keys exist."""
    known: list[bytes] = []

    def pepper() -> bytes:
        if not known:
            with translated():
                known.append(secrets_client.get_secret_value(SecretId=secret_arn)["SecretString"].encode())
        return known[0]

    return pepper
