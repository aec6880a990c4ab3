"""Whether CloudFront would honour a signed URL, judged as AWS documents it, with nothing of the code that signs.

"Create a signed URL using a canned policy" in the CloudFront Developer Guide: the policy is not part of the URL, so
CloudFront puts it together from the URL as it came, without its own parameters, and from `Expires`.
"""

import base64
import json
import time
from collections.abc import Mapping
from urllib.parse import parse_qsl

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

_OWN = ("Expires=", "Policy=", "Signature=", "Key-Pair-Id=", "Hash-Algorithm=")


class Refused(Exception):
    """With the code of CloudFront's own error."""


def judge(url: str, *, trusted: Mapping[str, str]) -> None:
    """Raises `Refused` unless `url` is signed by a key of `trusted`, public PEM by id, and not over at this time."""
    address, _, query = url.partition("?")
    parts = query.split("&")
    own = dict(parse_qsl("&".join(part for part in parts if part.startswith(_OWN)), separator="&"))
    if "Policy" in own or not {"Expires", "Signature", "Key-Pair-Id"} <= own.keys():
        raise Refused("MissingKey")  # a custom policy, whose resource could have wildcards, would be another matter
    pem = trusted.get(own["Key-Pair-Id"])
    if pem is None:
        raise Refused("InvalidKey")
    rest = "&".join(part for part in parts if not part.startswith(_OWN))
    resource = f"{address}?{rest}" if rest else address
    _check_signature(pem, resource, own)
    if time.time() >= int(own["Expires"]):
        raise Refused("AccessDenied")


def _check_signature(pem: str, resource: str, own: Mapping[str, str]) -> None:
    policy = {
        "Statement": [{"Resource": resource, "Condition": {"DateLessThan": {"AWS:EpochTime": int(own["Expires"])}}}]
    }
    key = serialization.load_pem_public_key(pem.encode())
    assert isinstance(key, ec.EllipticCurvePublicKey)
    hashed = {"SHA256": hashes.SHA256(), None: hashes.SHA1()}[own.get("Hash-Algorithm")]  # noqa: S303 - CloudFront's default
    signature = base64.b64decode(own["Signature"].replace("-", "+").replace("_", "=").replace("~", "/"))
    try:
        key.verify(signature, json.dumps(policy, separators=(",", ":")).encode(), ec.ECDSA(hashed))
    except InvalidSignature as error:
        raise Refused("AccessDenied") from error
