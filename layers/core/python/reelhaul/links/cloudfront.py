"""CloudFront signed URLs with a canned policy, signed by ECDSA on P-256 over SHA-256.

https://docs.aws.amazon.com/AmazonCloudFront/latest/DeveloperGuide/private-content-creating-signed-url-canned-policy.html

CloudFront knows a public key by an id, which is part of each URL, and we know a key by its fingerprint. So it does not
matter whether a new private key or the template with its public key comes first: a key signs once both are there.
"""

import base64
import dataclasses
import hashlib
import http.client
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Collection
from typing import Any
from urllib.parse import quote

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from reelhaul.errors import ServiceUnavailable
from reelhaul.links.keys import SigningKeys
from reelhaul.links.signer import LINK_SECONDS, Link

_IN_URLS = str.maketrans("+=/", "-_~")  # what CloudFront has instead of base64's own
_TIMEOUT_S = 3.0  # as for the other services, see `reelhaul.aws`
_DENIED = {403, 404}


class NotAKey(ValueError):
    """The text is no private key on the curve P-256."""


@dataclasses.dataclass(frozen=True)
class LinkPrivateKey:
    """A private key as PEM, which is what lies in the secret."""

    secret: str
    fingerprint: str
    _key: ec.EllipticCurvePrivateKey = dataclasses.field(compare=False)

    @classmethod
    def made(cls) -> "LinkPrivateKey":
        key = ec.generate_private_key(ec.SECP256R1())
        pem = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return cls.of(pem.decode())

    @classmethod
    def of(cls, pem: str) -> "LinkPrivateKey":
        """Raises `NotAKey`."""
        try:
            key = serialization.load_pem_private_key(pem.encode(), password=None)
        except (ValueError, TypeError) as error:  # the latter for one that is encrypted
            raise NotAKey("There is no unencrypted private key in it.") from error
        if not isinstance(key, ec.EllipticCurvePrivateKey) or not isinstance(key.curve, ec.SECP256R1):
            raise NotAKey("The key is not on the curve P-256 (prime256v1).")
        return cls(pem, fingerprint(_public(key, serialization.Encoding.DER)), key)

    @classmethod
    def from_secret(cls, text: str) -> "LinkPrivateKey":
        """Raises `ServiceUnavailable` for a secret that holds no key (yet)."""
        try:
            return cls.of(text)
        except NotAKey as error:
            raise ServiceUnavailable from error

    @property
    def public_pem(self) -> str:
        return _public(self._key, serialization.Encoding.PEM).decode()

    def sign(self, message: bytes) -> bytes:
        return self._key.sign(message, ec.ECDSA(hashes.SHA256()))

    def __repr__(self) -> str:  # never the secret, wherever this ends up
        return f"LinkPrivateKey({self.fingerprint!r})"


def _public(key: ec.EllipticCurvePrivateKey, encoding: serialization.Encoding) -> bytes:
    return key.public_key().public_bytes(encoding, serialization.PublicFormat.SubjectPublicKeyInfo)


def fingerprint(public_der: bytes) -> str:
    """A short name for a public key; `infra.link_distribution` has the same."""
    return hashlib.sha256(public_der).hexdigest()[:16]


def ids_by_fingerprint(key_ids: Collection[str]) -> dict[str, str]:
    """CloudFront's ids of the public keys, from texts like "<fingerprint>:<id>"."""
    return dict(text.split(":", 1) for text in key_ids)


class CloudFrontLinks:
    """A `LinkSigner` for the distribution at `origin`, with the private key in the secret `secret_arn`.

    `key_ids` are the public keys that it trusts, see `ids_by_fingerprint`. `secrets` is a boto3 Secrets Manager client.
    """

    def __init__(
        self,
        secrets: Any,
        secret_arn: str,
        origin: str,
        *,
        key_ids: Collection[str],
        clock: Callable[[], float] = time.time,
    ) -> None:
        self.keys = SigningKeys(secrets, secret_arn, LinkPrivateKey.from_secret, clock=clock)
        self._origin = origin
        self._ids = ids_by_fingerprint(key_ids)
        self._clock = clock

    def sign(self, key: str) -> Link:
        return self._signed(self._address(key))

    def sign_as(self, key: str, *, disposition: str) -> Link:
        return self._signed(f"{self._address(key)}?response-content-disposition={quote(disposition, safe='')}")

    def reaches(self, key: str) -> bool:
        """Asks for the object through a link, which takes no right that a link does not give.

        That there is no object S3 says, by 403 to those who may not list the bucket. A 403 of CloudFront's own says
        that it does not take the link.
        """
        request = urllib.request.Request(self.sign(key).url, method="HEAD")  # noqa: S310 - a URL of our own making
        try:
            with urllib.request.urlopen(request, timeout=_TIMEOUT_S):  # noqa: S310 - as above
                return True
        except urllib.error.HTTPError as error:
            if error.code in _DENIED and error.headers.get("Server") == "AmazonS3":
                return False
            raise ServiceUnavailable from error
        except (OSError, http.client.HTTPException) as error:
            raise ServiceUnavailable from error

    def _address(self, key: str) -> str:
        return f"{self._origin}/{quote(key, safe='/')}"

    def _signed(self, url: str) -> Link:
        key = self.keys.current()
        key_id = self._ids.get(key.fingerprint)
        if key_id is None:  # CloudFront would not take it: the template that names it is still to come
            raise ServiceUnavailable
        expires_at = int(self._clock()) + LINK_SECONDS  # CloudFront counts whole seconds
        signature = base64.b64encode(key.sign(_policy(url, expires_at))).decode().translate(_IN_URLS)
        glue = "&" if "?" in url else "?"
        signed = f"Expires={expires_at}&Signature={signature}&Key-Pair-Id={key_id}&Hash-Algorithm=SHA256"
        return Link(f"{url}{glue}{signed}", expires_at)


def _policy(url: str, expires_at: int) -> bytes:
    """The canned policy, byte for byte as CloudFront puts it together from the URL. Ours has no character to escape."""
    condition = f'{{"DateLessThan":{{"AWS:EpochTime":{expires_at}}}}}'
    return f'{{"Statement":[{{"Resource":"{url}","Condition":{condition}}}]}}'.encode()
