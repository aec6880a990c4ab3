"""Links: presigned S3 GETs that really live 24 hours.

A URL signed with a role's credentials dies with their session token, whatever its expiry says ("If you created a
presigned URL using a temporary token, the URL expires when the token expires", S3 User Guide). So links are signed with
the key of an IAM user that may do nothing but read the objects, kept and rotated in Secrets Manager.
"""

import dataclasses
import json
import time
from collections.abc import Callable
from typing import Any

import boto3
from botocore.exceptions import ClientError

from reelhaul.aws import S3_CONFIG, error_code, translated
from reelhaul.errors import ServiceUnavailable

LINK_SECONDS = 86_400
_KEY_MAX_AGE_S = 300  # a rotated key is picked up within this; the old one stays active for days


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    url: str
    expires_at: float


class LinkSigner:
    """Signs with the key in the secret `secret_arn`. `secrets` is a boto3 Secrets Manager client."""

    def __init__(self, secrets: Any, secret_arn: str, bucket: str, *, clock: Callable[[], float] = time.time) -> None:
        self._secrets = secrets
        self._secret_arn = secret_arn
        self._bucket = bucket
        self._clock = clock
        self._s3: Any = None
        self._read_at = float("-inf")

    def sign(self, key: str) -> Link:
        """A link to the object `key`, good for `LINK_SECONDS` from now. Raises `ServiceUnavailable` without a key."""
        now, params = self._clock(), {"Bucket": self._bucket, "Key": key}
        url: str = self._client(now).generate_presigned_url("get_object", Params=params, ExpiresIn=LINK_SECONDS)
        return Link(url, now + LINK_SECONDS)

    def reaches(self, key: str) -> bool:
        """Whether a link to the object `key` leads to something. Raises `ServiceUnavailable` when that stays unknown.

        S3 denies instead of saying 404 to those who may not list the bucket, as the link user must not. A HEAD would
        not tell that from a key that is not accepted: its errors have no code.
        """
        with translated():
            try:
                self._client(self._clock()).get_object(Bucket=self._bucket, Key=key, Range="bytes=0-0")["Body"].close()
            except ClientError as error:
                if error_code(error) in {"AccessDenied", "NoSuchKey"}:
                    return False
                raise
        return True

    def _client(self, now: float) -> Any:
        if now - self._read_at > _KEY_MAX_AGE_S:
            try:
                self._s3 = self._signing_client()
            except ServiceUnavailable:
                if self._s3 is None:
                    raise  # else the key that we have does: a rotated one stays active for a day and longer
            self._read_at = now
        return self._s3

    def _signing_client(self) -> Any:
        with translated():
            secret = self._secrets.get_secret_value(SecretId=self._secret_arn, VersionStage="AWSCURRENT")
        access_key = AccessKey.from_secret(secret["SecretString"])
        return boto3.client(
            "s3",
            aws_access_key_id=access_key.id,
            aws_secret_access_key=access_key.secret,
            aws_session_token=None,
            config=S3_CONFIG,
        )


@dataclasses.dataclass(frozen=True, slots=True)
class AccessKey:
    """The link user's key, as it lies in the secret."""

    id: str
    secret: str

    @classmethod
    def from_secret(cls, text: str) -> "AccessKey":
        """Raises `ServiceUnavailable` for a secret that holds no key (yet): the first rotation puts it there."""
        try:
            fields = json.loads(text)
            return cls(fields["access_key_id"], fields["secret_access_key"])
        except (ValueError, KeyError, TypeError) as error:
            raise ServiceUnavailable from error

    def to_secret(self) -> str:
        return json.dumps({"access_key_id": self.id, "secret_access_key": self.secret})

    def __repr__(self) -> str:  # never the secret, wherever this ends up
        return f"AccessKey({self.id!r})"
