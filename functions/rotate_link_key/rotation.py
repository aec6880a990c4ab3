"""The four steps of a rotation in Secrets Manager, for the access key of the IAM user that signs the links.

An IAM user may have two keys. The one in AWSCURRENT signs; the one before it stays active until the next rotation,
since the links it has signed live for a day. Each step may be called again for the same token, and does nothing twice.

https://docs.aws.amazon.com/secretsmanager/latest/userguide/rotate-secrets_lambda-functions.html
"""

import time
from collections.abc import Callable
from datetime import datetime
from typing import Any

from botocore.exceptions import ClientError

from reelhaul.aws import error_code
from reelhaul.errors import ServiceUnavailable
from reelhaul.links import LINK_SECONDS, AccessKey

_CURRENT, _PENDING = "AWSCURRENT", "AWSPENDING"
_SIGNER_CACHE_S = 3600  # a generous bound on how long a function may go on signing with a key it has read before
_PROBE = "reelhaul-probes-its-key"  # no tenant's object: their keys begin with "<tenant>/"
_SAID_TO_A_KNOWN_KEY = {"AccessDenied", "NoSuchKey"}
_PAUSE_S = 1.0


class RotationTooEarly(Exception):
    """The key that would have to go has signed links that are still alive."""


class RotationFailed(Exception):
    """The new key does not sign. Secrets Manager tries the rotation again."""


class Rotation:
    """`secrets` and `iam` are boto3 clients, `s3_for` makes an S3 client that signs with a key."""

    def __init__(
        self,
        *,
        secrets: Any,
        iam: Any,
        s3_for: Callable[[AccessKey], Any],
        user: str,
        bucket: str,
        clock: Callable[[], float] = time.time,
        sleep: Callable[[float], None] = time.sleep,
    ) -> None:
        self._secrets = secrets
        self._iam = iam
        self._s3_for = s3_for
        self._user = user
        self._bucket = bucket
        self._clock = clock
        self._sleep = sleep

    def create(self, secret_id: str, token: str) -> str | None:
        """A new key as the secret's pending version. Returns its id, `None` when there is one already.

        Raises `RotationTooEarly` when both keys of the user are needed still.
        """
        if self._is_current(secret_id, token) or self._read(secret_id, VersionId=token) is not None:
            return None
        self._make_room(self._read(secret_id, VersionStage=_CURRENT))
        made = self._iam.create_access_key(UserName=self._user)["AccessKey"]
        key = AccessKey(made["AccessKeyId"], made["SecretAccessKey"])
        try:
            self._secrets.put_secret_value(
                SecretId=secret_id, ClientRequestToken=token, SecretString=key.to_secret(), VersionStages=[_PENDING]
            )
        except Exception:
            if self._read(secret_id, VersionId=token) is None:  # else only the reply was lost
                self._delete(key.id)  # nobody knows its secret any more
            raise
        return key.id

    def test(self, secret_id: str, token: str, *, has_time: Callable[[], bool]) -> None:
        """Wait until the pending key signs: IAM takes seconds to make it known. Raises `RotationFailed`.

        S3 is asked for an object that does not exist: it says so, or refuses to tell, to a key that it knows.
        """
        key = self._read(secret_id, VersionId=token)
        if key is None:
            raise RotationFailed("there is no pending key")
        s3 = self._s3_for(key)
        while not self._is_known(s3):
            if not has_time():
                raise RotationFailed(f"S3 does not accept {key.id}")
            self._sleep(_PAUSE_S)

    def finish(self, secret_id: str, token: str) -> None:
        """From now on the new key signs."""
        if self._is_current(secret_id, token):
            return
        before = next((version for version, stages in self._stages(secret_id).items() if _CURRENT in stages), None)
        move = {"MoveToVersionId": token} | ({} if before is None else {"RemoveFromVersionId": before})
        self._secrets.update_secret_version_stage(SecretId=secret_id, VersionStage=_CURRENT, **move)

    def _make_room(self, current: AccessKey | None) -> None:
        made_at = {
            found["AccessKeyId"]: found["CreateDate"]
            for found in self._iam.list_access_keys(UserName=self._user)["AccessKeyMetadata"]
        }
        signing_since = made_at.pop(current.id, None) if current else None
        for key_id, created in made_at.items():
            if signing_since is not None and created < signing_since:
                self._check_spent(signing_since)
            self._delete(key_id)  # it has been replaced long ago, or it comes from a rotation that was never finished

    def _check_spent(self, replaced: datetime) -> None:
        if self._clock() < replaced.timestamp() + LINK_SECONDS + _SIGNER_CACHE_S:
            raise RotationTooEarly("The key before the current one has signed links that are alive. Rotate tomorrow.")

    def _delete(self, key_id: str) -> None:
        self._iam.delete_access_key(UserName=self._user, AccessKeyId=key_id)

    def _is_current(self, secret_id: str, token: str) -> bool:
        return _CURRENT in self._stages(secret_id).get(token, [])

    def _stages(self, secret_id: str) -> dict[str, list[str]]:
        stages: dict[str, list[str]] = self._secrets.describe_secret(SecretId=secret_id).get("VersionIdsToStages", {})
        return stages

    def _read(self, secret_id: str, **version: str) -> AccessKey | None:
        """The key in a version of the secret; `None` for a version without one, as before the first rotation."""
        try:
            text = self._secrets.get_secret_value(SecretId=secret_id, **version)["SecretString"]
            return AccessKey.from_secret(text)
        except ServiceUnavailable:
            return None
        except ClientError as error:
            if error_code(error) != "ResourceNotFoundException":
                raise
            return None

    def _is_known(self, s3: Any) -> bool:
        try:
            s3.get_object(Bucket=self._bucket, Key=_PROBE)
        except ClientError as error:
            return error_code(error) in _SAID_TO_A_KNOWN_KEY
        return True
