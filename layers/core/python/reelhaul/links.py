"""Links: presigned S3 GETs that really live 24 hours.

A URL signed with a role's credentials dies with their session token, whatever its expiry says ("If you created a
presigned URL using a temporary token, the URL expires when the token expires", S3 User Guide). So links are signed with
the key of an IAM user that may do nothing but read the objects, kept and rotated in Secrets Manager.
"""

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import boto3
from botocore.exceptions import ClientError

from reelhaul.aws import S3_CONFIG, error_code, translated
from reelhaul.errors import ServiceUnavailable
from reelhaul.presign import Place, Presigner

LINK_SECONDS = 86_400
_KEY_MAX_AGE_S = 300  # a rotated key is picked up within this; the old one stays active for days
_PAST_MAX_AGE_S = 10  # somebody who sends forged tokens does not make us read the secret for each of them
_MODEL_KEY = "k"


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


class LinkKeys:
    """The access keys in the secret: the one that signs, and the one that did before the last rotation."""

    def __init__(self, secrets: Any, secret_arn: str, *, clock: Callable[[], float] = time.time) -> None:
        self._secrets = secrets
        self._secret_arn = secret_arn
        self._clock = clock
        self._current: AccessKey | None = None
        self._read_at = float("-inf")
        self._past: list[AccessKey] = []
        self._past_read_at = float("-inf")

    def current(self) -> AccessKey:
        """The key to sign with. Raises `ServiceUnavailable` where there is none yet or none can be read."""
        now = self._clock()
        if self._current is None or now - self._read_at > _KEY_MAX_AGE_S:
            try:
                self._current = self._read("AWSCURRENT")
            except ServiceUnavailable:
                if self._current is None:
                    raise  # else the key that we have does: a rotated one stays active for a day and longer
            self._read_at = now
        return self._current

    def candidates(self) -> Iterator[AccessKey]:
        """All keys that something may have been signed with, the likeliest first, each read when it is asked for.

        That is the current key as we know it, the current key as it is by now, which another process may have seen
        before us, and the previous one. Raises `ServiceUnavailable` when one that there is cannot be read.
        """
        known = self.current()
        yield known
        now = self._clock()
        if now - self._past_read_at > _PAST_MAX_AGE_S:
            found = (self._read("AWSCURRENT"), self._read_if_any("AWSPREVIOUS"))
            self._past = [key for key in found if key is not None]
            self._past_read_at = now
        yield from (key for key in self._past if key != known)

    def _read(self, stage: str) -> AccessKey:
        with translated():
            return AccessKey.from_secret(self._text(stage))

    def _read_if_any(self, stage: str) -> AccessKey | None:
        """`None` for a version that is not there or holds no key, as before the first rotation."""
        with translated():
            try:
                text = self._text(stage)
            except ClientError as error:
                if error_code(error) == "ResourceNotFoundException":
                    return None
                raise
        try:
            return AccessKey.from_secret(text)
        except ServiceUnavailable:
            return None

    def _text(self, stage: str) -> str:
        text: str = self._secrets.get_secret_value(SecretId=self._secret_arn, VersionStage=stage)["SecretString"]
        return text


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    url: str
    expires_at: float


@dataclasses.dataclass(frozen=True, slots=True)
class _Pen:
    """What one access key writes with."""

    key: AccessKey
    s3: Any
    presigner: Presigner

    @classmethod
    def of(cls, key: AccessKey, bucket: str) -> "_Pen":
        s3 = boto3.client(
            "s3",
            aws_access_key_id=key.id,
            aws_secret_access_key=key.secret,
            aws_session_token=None,
            config=S3_CONFIG,
        )
        model = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": _MODEL_KEY})
        place = Place.of(model, key=_MODEL_KEY)
        return cls(key, s3, Presigner(key.id, key.secret, place, expires_s=LINK_SECONDS))


class LinkSigner:
    """Signs with the key in the secret `secret_arn`. `secrets` is a boto3 Secrets Manager client."""

    def __init__(self, secrets: Any, secret_arn: str, bucket: str, *, clock: Callable[[], float] = time.time) -> None:
        self.keys = LinkKeys(secrets, secret_arn, clock=clock)
        self._bucket = bucket
        self._clock = clock
        self._pen: _Pen | None = None

    def sign(self, key: str) -> Link:
        """A link to the object `key`, good for `LINK_SECONDS` from now. Raises `ServiceUnavailable` without a key."""
        now = int(self._clock())  # S3 counts whole seconds
        return Link(self._current_pen().presigner.sign(key, now=now), now + LINK_SECONDS)

    def sign_as(self, key: str, *, disposition: str) -> Link:
        """The same with a `Content-Disposition` instead of the object's own: Latin-1, as S3 takes no other."""
        now = self._clock()
        params = {"Bucket": self._bucket, "Key": key, "ResponseContentDisposition": disposition}
        url = self._current_pen().s3.generate_presigned_url("get_object", Params=params, ExpiresIn=LINK_SECONDS)
        return Link(url, now + LINK_SECONDS)

    def reaches(self, key: str) -> bool:
        """Whether a link to the object `key` leads to something. Raises `ServiceUnavailable` when that stays unknown.

        S3 denies instead of saying 404 to those who may not list the bucket, as the link user must not. A HEAD would
        not tell that from a key that is not accepted: its errors have no code.
        """
        with translated():
            try:
                self._current_pen().s3.get_object(Bucket=self._bucket, Key=key, Range="bytes=0-0")["Body"].close()
            except ClientError as error:
                if error_code(error) in {"AccessDenied", "NoSuchKey"}:
                    return False
                raise
        return True

    def _current_pen(self) -> _Pen:
        key = self.keys.current()
        if self._pen is None or self._pen.key != key:
            self._pen = _Pen.of(key, self._bucket)
        return self._pen
