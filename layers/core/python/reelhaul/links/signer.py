"""What every way of signing links has in common."""

import dataclasses
from typing import Any, Protocol

from reelhaul.links.keys import SigningKeys

LINK_SECONDS = 86_400


@dataclasses.dataclass(frozen=True, slots=True)
class Link:
    url: str
    expires_at: float


class LinkSigner(Protocol):
    """Signs links to the objects of one bucket. All of it raises `ServiceUnavailable` without a key to sign with."""

    @property
    def keys(self) -> SigningKeys[Any]:
        """What is signed with, also for whatever else this service has to recognise as its own."""

    def sign(self, key: str) -> Link:
        """A link to the object `key`, good for `LINK_SECONDS` from now."""

    def sign_as(self, key: str, *, disposition: str) -> Link:
        """The same with a `Content-Disposition` instead of the object's own: Latin-1, as S3 takes no other."""

    def reaches(self, key: str) -> bool:
        """Whether a link to the object `key` leads to something. Raises `ServiceUnavailable` if that stays unknown."""
