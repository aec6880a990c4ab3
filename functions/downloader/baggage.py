"""What a worker hands over to the next one and the table cannot hold: an object of the job's, pinned by its checksum.

A line of JSON, then the beginning of the medium, which tells what it is, then what has come since the last whole part.
The digests of 10,000 parts alone would be more than an item of the table may be. Files that go along are objects of
their own, each pinned here.
"""

import base64
import dataclasses
import hashlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, Self

from downloader.answers import Resume
from downloader.events import Direct, Source
from downloader.transfer import Begun
from reelhaul.errors import StoredAmiss
from reelhaul.jobs import Checkpoint, StoredObject

_NAME = "begun"
_SHA256_BYTES = 32


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Carried:
    """A file that goes along, by its name in the directory."""

    name: str
    stored: StoredObject


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Baggage:
    """Without `begun`, of a medium of which nothing is stored yet, there is neither `head` nor `tail`."""

    tracks: tuple[Source, ...]
    files: tuple[Carried, ...]
    begun: Begun | None
    is_alone: bool = False
    direct: Direct | None = None
    head: bytes = b""
    tail: bytes = b""

    @property
    def come_bytes(self) -> int:
        """How much of the medium has come."""
        return (self.begun.final_bytes if self.begun else 0) + len(self.tail)

    def packed(self) -> bytes:
        fields = {
            "tracks": [dataclasses.asdict(track) for track in self.tracks],
            "files": [dataclasses.asdict(file) for file in self.files],
            "begun": _fields_of(self.begun) if self.begun else None,
            "is_alone": self.is_alone,
            "direct": dataclasses.asdict(self.direct) if self.direct else None,
            "head_bytes": len(self.head),
        }
        return json.dumps(fields).encode() + b"\n" + self.head + self.tail

    @classmethod
    def unpacked(cls, data: bytes, checkpoint: Checkpoint) -> Self:
        """Raises `StoredAmiss` unless it is what the table says."""
        if hashlib.sha256(data).hexdigest() != checkpoint.baggage_sha256:
            raise StoredAmiss
        line, _, rest = data.partition(b"\n")
        fields = json.loads(line)
        head_bytes = fields["head_bytes"]
        return cls(
            tracks=tuple(Source(**one) for one in fields["tracks"]),
            files=tuple(Carried(name=one["name"], stored=StoredObject(**one["stored"])) for one in fields["files"]),
            begun=_begun(fields["begun"]) if fields["begun"] else None,
            is_alone=fields.get("is_alone", False),  # not there in what a worker of before has packed, as the next
            direct=Direct(**fields["direct"]) if fields.get("direct") else None,
            head=rest[:head_bytes],
            tail=rest[head_bytes:],
        )

    def laid_out(
        self, directory: Path, checkpoint: Checkpoint, *, fetch: Callable[[StoredObject, Path], None]
    ) -> Resume:
        """A file as if all had been fetched into it: with a hole, where nobody needs to look any more.

        And those that go along, each put there by `fetch`.
        """
        name = self._begun_in(directory) if self.begun else None
        for file in self.files:
            fetch(file.stored, directory / file.name)
        media = checkpoint.media
        return Resume(
            name=name, bytes=self.come_bytes, title=media.title if media else None,
            extension=media.extension if media else None, tracks=self.tracks,
            files=tuple(file.name for file in self.files), is_alone=self.is_alone, direct=self.direct,
        )  # fmt: skip

    def _begun_in(self, directory: Path) -> str:
        taken = {file.name for file in self.files}
        name = next(name for name in (f"{_NAME}-{number}" for number in range(len(taken) + 1)) if name not in taken)
        with (directory / name).open("xb") as file:
            file.write(self.head)
            file.seek(self.come_bytes - len(self.tail))
            file.write(self.tail)
            file.truncate(self.come_bytes)
        return name


def _fields_of(begun: Begun) -> dict[str, Any]:
    return {
        "key": begun.key,
        "upload_id": begun.upload_id,
        "digests": base64.b64encode(b"".join(begun.digests)).decode(),
        "etags": begun.etags,
        "final_bytes": begun.final_bytes,
        "state": base64.b64encode(begun.state).decode(),
    }


def _begun(fields: dict[str, Any]) -> Begun:
    digests = base64.b64decode(fields["digests"])
    return Begun(
        key=fields["key"],
        upload_id=fields["upload_id"],
        digests=tuple(digests[at : at + _SHA256_BYTES] for at in range(0, len(digests), _SHA256_BYTES)),
        etags=tuple(fields["etags"]),
        final_bytes=fields["final_bytes"],
        state=base64.b64decode(fields["state"]),
    )
