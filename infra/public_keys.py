"""Public keys that an operator names: what CloudFront takes for signed URLs, and nothing else."""

import base64
import binascii
import hashlib
import re
from pathlib import Path

_PEM = re.compile(r"\s*-----BEGIN PUBLIC KEY-----\s+([A-Za-z0-9+/=\s]+?)\s+-----END PUBLIC KEY-----\s*")
# The beginning of a key on P-256 that is not compressed (RFC 5480, 2): algorithm, curve, how long the rest is.
_P256 = bytes.fromhex("3059301306072a8648ce3d020106082a8648ce3d03010703420004")
_BYTES = len(_P256) + 2 * 32


def read(text: str) -> str:
    """The key in the file `text`, or in `text` itself, as PEM in one form. Raises `ValueError` for anything else."""
    try:
        pem = text if text.lstrip().startswith("-----BEGIN") else Path(text).read_text(encoding="ascii")
    except OSError as error:
        raise ValueError("no such file") from error
    found = _PEM.fullmatch(pem)
    if found is None:
        raise ValueError("no public key")
    try:
        der = base64.b64decode("".join(found[1].split()), validate=True)
    except binascii.Error as error:
        raise ValueError("not base64") from error
    if not der.startswith(_P256) or len(der) != _BYTES:
        raise ValueError("no key on P-256")
    lines = re.findall(".{1,64}", base64.b64encode(der).decode())
    return "\n".join(("-----BEGIN PUBLIC KEY-----", *lines, "-----END PUBLIC KEY-----", ""))


def fingerprint(pem: str) -> str:
    """The key's name, which the functions work out from its private half (`reelhaul.links.cloudfront.fingerprint`)."""
    der = base64.b64decode("".join(pem.split("\n")[1:-2]))
    return hashlib.sha256(der).hexdigest()[:16]
