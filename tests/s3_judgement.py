"""Whether S3 would honour a presigned URL, judged as AWS documents it: moto looks at neither signature nor expiry.

Written after "Authenticating Requests: Using Query Parameters (AWS Signature Version 4)" and with nothing of the code
that signs. The keys are those that IAM has at the moment of the question.
"""

import hashlib
import hmac
import time
from datetime import UTC, datetime
from urllib.parse import parse_qsl, quote, unquote, urlsplit

from moto.core.models import DEFAULT_ACCOUNT_ID
from moto.iam.models import iam_backends

from reelhaul import aws

_SKEW_S = 900  # how far into the future a signature may be dated


class Refused(Exception):
    """With the code of S3's own error."""


def fetched(url: str, *, user: str) -> bytes:
    """The object that `url` leads to, as somebody gets it who asks now. Raises `Refused`. `user` is who may sign."""
    judge(url, user=user)
    parts = urlsplit(url)
    bucket, key = str(parts.hostname).partition(".s3.")[0], unquote(parts.path[1:])
    content: bytes = aws.client("s3").get_object(Bucket=bucket, Key=key)["Body"].read()
    return content


def judge(url: str, *, user: str) -> None:
    """Raises `Refused` unless `url` is signed by an active key of `user` and not over, by the clock as it stands."""
    parts = urlsplit(url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if "X-Amz-Security-Token" in query:
        raise Refused("ExpiredToken")  # a session's end is not written in the URL: nobody can rely on its expiry
    if query.get("X-Amz-Algorithm") != "AWS4-HMAC-SHA256":
        raise Refused("AuthorizationQueryParametersError")
    key_id, *scope = query["X-Amz-Credential"].split("/")
    secret = _active_keys(user).get(key_id)
    if secret is None:
        raise Refused("InvalidAccessKeyId")
    if not hmac.compare_digest(_signature(url, query, scope, secret), query["X-Amz-Signature"]):
        raise Refused("SignatureDoesNotMatch")
    _check_time(query, scope)


def _active_keys(user: str) -> dict[str, str]:
    """Which keys are active IAM tells; their secrets it never tells again, and so they come from moto's memory."""
    listed = aws.client("iam").list_access_keys(UserName=user)["AccessKeyMetadata"]
    active = {found["AccessKeyId"] for found in listed if found["Status"] == "Active"}
    known = iam_backends[DEFAULT_ACCOUNT_ID]["aws"].users[user].access_keys
    return {key.access_key_id: key.secret_access_key for key in known if key.access_key_id in active}


def _signature(url: str, query: dict[str, str], scope: list[str], secret: str) -> str:
    parts = urlsplit(url)
    signed = sorted((_escaped(name), _escaped(value)) for name, value in query.items() if name != "X-Amz-Signature")
    canonical = "\n".join(
        (
            "GET",
            quote(unquote(parts.path), safe="/-_.~"),
            "&".join(f"{name}={value}" for name, value in signed),
            f"host:{parts.netloc.lower()}",
            "",
            "host",
            "UNSIGNED-PAYLOAD",
        )
    )
    hashed = hashlib.sha256(canonical.encode()).hexdigest()
    text = "\n".join(("AWS4-HMAC-SHA256", query["X-Amz-Date"], "/".join(scope), hashed))
    key = f"AWS4{secret}".encode()
    for part in scope:
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    return hmac.new(key, text.encode(), hashlib.sha256).hexdigest()


def _escaped(text: str) -> str:
    return quote(text, safe="-_.~")


def _check_time(query: dict[str, str], scope: list[str]) -> None:
    at = datetime.strptime(query["X-Amz-Date"], "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC)
    if scope[0] != f"{at:%Y%m%d}":
        raise Refused("AuthorizationQueryParametersError")
    age_s = time.time() - at.timestamp()
    if not -_SKEW_S <= age_s <= int(query["X-Amz-Expires"]):
        raise Refused("AccessDenied")  # "Request has expired", "Request is not valid yet"
