"""Presigned S3 GETs that really live 24 hours.

A URL signed with a role's credentials dies with their session token, whatever its expiry says ("If you created a
presigned URL using a temporary token, the URL expires when the token expires", S3 User Guide). So links are signed with
the key of an IAM user that may do nothing but read the objects, kept and rotated in Secrets Manager.
"""

import dataclasses
import time
from collections.abc import Callable
from typing import Any

from botocore.exceptions import ClientError

from reelhaul.aws import error_code, s3_as, translated
from reelhaul.links.keys import AccessKey, SigningKeys
from reelhaul.links.signer import LINK_SECONDS, Link
from reelhaul.presign import Place, Presigner

_MODEL_KEY = "k"


@dataclasses.dataclass(frozen=True, slots=True)
class _Pen:
    """What one access key writes with."""

    key: AccessKey
    s3: Any
    presigner: Presigner

    @classmethod
    def of(cls, key: AccessKey, bucket: str) -> "_Pen":
        s3 = s3_as(key.id, key.secret)
        model = s3.generate_presigned_url("get_object", Params={"Bucket": bucket, "Key": _MODEL_KEY})
        place = Place.of(model, key=_MODEL_KEY)
        return cls(key, s3, Presigner(key.id, key.secret, place, expires_s=LINK_SECONDS))


class S3Links:
    """A `LinkSigner` with the key in the secret `secret_arn`. `secrets` is a boto3 Secrets Manager client."""

    def __init__(self, secrets: Any, secret_arn: str, bucket: str, *, clock: Callable[[], float] = time.time) -> None:
        self.keys = SigningKeys(secrets, secret_arn, AccessKey.from_secret, clock=clock)
        self._bucket = bucket
        self._clock = clock
        self._pen: _Pen | None = None

    def sign(self, key: str) -> Link:
        now = int(self._clock())  # S3 counts whole seconds
        return Link(self._current_pen().presigner.sign(key, now=now), now + LINK_SECONDS)

    def sign_as(self, key: str, *, disposition: str) -> Link:
        now = self._clock()
        params = {"Bucket": self._bucket, "Key": key, "ResponseContentDisposition": disposition}
        url = self._current_pen().s3.generate_presigned_url("get_object", Params=params, ExpiresIn=LINK_SECONDS)
        return Link(url, now + LINK_SECONDS)

    def reaches(self, key: str) -> bool:
        """S3 denies instead of saying 404 to those who may not list the bucket, as the link user must not.

        A HEAD would not tell that from a key that is not accepted: its errors have no code.
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
