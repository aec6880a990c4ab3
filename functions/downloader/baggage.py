"""What a worker hands over to the next one and the table cannot hold: an object of the job's, pinned by its checksum.

A line of JSON, then the beginning of the medium, which tells what it is, then what has come since the last whole part.
The digests of 10,000 parts alone would be more than an item of the table may be.
"""

import base64
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any, Self

from downloader.answers import Resume
from downloader.events import Source
from downloader.transfer import Begun
from reelhaul.errors import StorageUnavailable
from reelhaul.jobs import Checkpoint

_NAME = "carried"
_SHA256_BYTES = 32


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Baggage:
    source: Source
    begun: Begun
    head: bytes
    tail: bytes

    @property
    def come_bytes(self) -> int:
        """How much of the medium has come."""
        return self.begun.final_bytes + len(self.tail)

    def packed(self) -> bytes:
        fields = {
            "source": dataclasses.asdict(self.source),
            "key": self.begun.key,
            "upload_id": self.begun.upload_id,
            "digests": base64.b64encode(b"".join(self.begun.digests)).decode(),
            "etags": self.begun.etags,
            "final_bytes": self.begun.final_bytes,
            "state": base64.b64encode(self.begun.state).decode(),
            "head_bytes": len(self.head),
        }
        return json.dumps(fields).encode() + b"\n" + self.head + self.tail

    @classmethod
    def unpacked(cls, data: bytes, checkpoint: Checkpoint) -> Self:
        """Raises `StorageUnavailable` unless it is what the table says."""
        if hashlib.sha256(data).hexdigest() != checkpoint.baggage_sha256:
            raise StorageUnavailable
        line, _, files = data.partition(b"\n")
        fields = json.loads(line)
        head_bytes = fields["head_bytes"]
        return cls(
            source=Source(**fields["source"]), begun=_begun(fields), head=files[:head_bytes], tail=files[head_bytes:]
        )

    def laid_out(self, directory: Path, checkpoint: Checkpoint) -> Resume:
        """A file as if all had been fetched into it: with a hole, where nobody needs to look any more."""
        path = directory / _NAME
        with path.open("xb") as file:
            file.write(self.head)
            file.seek(self.begun.final_bytes)
            file.write(self.tail)
            file.truncate(self.come_bytes)
        media = checkpoint.media
        return Resume(
            name=_NAME, bytes=self.come_bytes, title=media.title, extension=media.extension, source=self.source
        )


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
