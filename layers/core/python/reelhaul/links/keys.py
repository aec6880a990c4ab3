"""The keys that links are signed with, as they lie in Secrets Manager, and as they change there."""

import dataclasses
import json
import time
from collections.abc import Callable, Iterator
from typing import Any, Generic, Protocol, TypeVar

from botocore.exceptions import ClientError

from reelhaul.aws import error_code, translated
from reelhaul.errors import ServiceUnavailable

_KEY_MAX_AGE_S = 300  # a rotated key is picked up within this; the old one stays active for days
_PAST_MAX_AGE_S = 10  # somebody who sends forged tokens does not make us read the secret for each of them


class SigningKey(Protocol):
    @property
    def secret(self) -> str:
        """What nobody else knows, and what changes with the key."""


Key = TypeVar("Key", bound=SigningKey)


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


class SigningKeys(Generic[Key]):
    """The keys in the secret: the one that signs, and the one that did before the last rotation.

    `secrets` is a boto3 Secrets Manager client; `parse` reads a key from the secret's text, or raises
    `ServiceUnavailable`.
    """

    def __init__(
        self, secrets: Any, secret_arn: str, parse: Callable[[str], Key], *, clock: Callable[[], float] = time.time
    ) -> None:
        self._secrets = secrets
        self._secret_arn = secret_arn
        self._parse = parse
        self._clock = clock
        self._current: Key | None = None
        self._read_at = float("-inf")
        self._past: list[Key] = []
        self._past_read_at = float("-inf")

    def current(self) -> Key:
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

    def candidates(self) -> Iterator[Key]:
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

    def _read(self, stage: str) -> Key:
        with translated():
            return self._parse(self._text(stage))

    def _read_if_any(self, stage: str) -> Key | None:
        """`None` for a version that is not there or holds no key, as before the first rotation."""
        with translated():
            try:
                text = self._text(stage)
            except ClientError as error:
                if error_code(error) == "ResourceNotFoundException":
                    return None
                raise
        try:
            return self._parse(text)
        except ServiceUnavailable:
            return None

    def _text(self, stage: str) -> str:
        text: str = self._secrets.get_secret_value(SecretId=self._secret_arn, VersionStage=stage)["SecretString"]
        return text
