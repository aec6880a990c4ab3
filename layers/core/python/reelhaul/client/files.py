"""Files that come from links: begun, gone on with, and named once they are whole. No HTTP here, only the disk.

What has come lies beside its place, as `<name>.<beginning of its checksum>.part`. So a later try goes on with nothing
but bytes of the same content, whichever job they came from; the checksum of the whole decides in the end. Without a
checksum nothing is gone on with.
"""

import contextlib
import filecmp
import hashlib
import itertools
import os
import re
import secrets
from collections.abc import Mapping
from pathlib import Path
from typing import BinaryIO, Self

from reelhaul.client.errors import Broken, FileDamaged
from reelhaul.client.locking import NoLocks, is_named, locked
from reelhaul.client.naming import Overwriting, Piece, numbered
from reelhaul.client.tries import LinkExpired

CHUNK_BYTES = 256 * 1024
_TAG_CHARS = 12
_PARTIAL, _WHOLE, _EXPIRED = 206, 200, 403
_RANGE = re.compile(r"bytes (\d+)-\d+/(\d+)", re.ASCII)


class PartialFile:
    """What of a `Piece` is here. A context manager; what has come stays when it is left before the end.

    `accept` looks at the head of a reply, `write` takes its bytes, `settle` puts them on the disk, and `finish` gives
    the file its name. `path` is set from the start if the whole file is there already. What takes time is `open`, which
    reads what is there, and `settle`.
    """

    def __init__(
        self, piece: Piece, directory: Path, *, filename: str | None = None, overwrite: Overwriting | bool = False
    ) -> None:
        self.piece = piece
        self.path: Path | None = None
        self._target = directory / (filename or piece.name)
        self._overwriting = overwrite if isinstance(overwrite, Overwriting) else Overwriting() if overwrite else None
        self._lasts = piece.sha256 is not None  # whether a later try can go on with what has come
        self._content = piece.sha256 or secrets.token_hex()  # what is not known is like nothing else
        self._etag: str | None = None
        self._is_open = False
        self._ended = False
        self._started_anew = False
        self.received = 0

    def __enter__(self) -> Self:
        if not self._is_open:
            self.open()
        return self

    def open(self) -> None:
        """What entering begins with, for whoever has it done in another thread."""
        self._target.parent.mkdir(parents=True, exist_ok=True)
        self.path = self._there_already()
        if self.path is None:
            self._part, self._file = self._opened()
            self._resume()
        self._is_open = True

    def _opened(self) -> tuple[Path, BinaryIO]:
        """A part that nobody else writes to, in this process or another: who comes second begins one of its own."""
        tag = (self.piece.sha256 or "new")[:_TAG_CHARS]
        for number in itertools.count(1):
            part = self._beside(tag if number == 1 else f"{tag}-{number}")
            file = part.open("a+b")
            try:
                if locked(file) and is_named(part, file):
                    return part, file
            except NoLocks:
                file.close()
                return self._opened_alone(tag, part)
            file.close()
        raise AssertionError  # numbers do not end

    def _opened_alone(self, tag: str, part: Path) -> tuple[Path, BinaryIO]:
        """One that nobody else knows, and so nobody goes on with, where `part` cannot be locked."""
        with contextlib.suppress(FileNotFoundError):
            if not part.stat().st_size:
                part.unlink()
        self._lasts = False
        alone = self._beside(f"{tag}-{secrets.token_hex(2)}")
        return alone, alone.open("x+b")

    def _beside(self, own: str) -> Path:
        return self._target.with_name(f"{self._target.name}.{own}.part")

    def __exit__(self, *_: object) -> None:
        if self.path is None:
            if not self.received or not self._lasts:
                self._part.unlink(missing_ok=True)  # of no use to anybody
            self._file.close()

    def _there_already(self) -> Path | None:
        """The same file under the same name, perhaps with a number; none with one where it is to replace the first."""
        if self.piece.sha256 is None:
            return None
        replaces = self._overwriting is not None and self._overwriting.is_free(self._target)
        for path in [self._target] if replaces else itertools.takewhile(Path.exists, numbered(self._target)):
            if self._is_at(path) and (self._overwriting is None or self._overwriting.takes(path, self._content)):
                return path
        return None

    def _is_at(self, path: Path) -> bool:
        if not path.is_file() or path.stat().st_size != self.piece.size:
            return False
        with path.open("rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest() == self.piece.sha256

    def _resume(self) -> None:
        self._digest, self.received = hashlib.sha256(), 0
        self._file.seek(0)
        while data := self._file.read(CHUNK_BYTES):
            self._digest.update(data)
            self.received += len(data)
        if self.piece.sha256 is None or (self.piece.size is not None and self.received > self.piece.size):
            self._begin_anew()

    def _begin_anew(self) -> None:
        self._file.seek(0)
        self._file.truncate()
        self._digest, self.received, self._etag = hashlib.sha256(), 0, None

    def renew(self, piece: Piece | None) -> None:
        """Go on with a fresh link to the same. Raises `Broken` if there is none any more."""
        if piece is None or piece.sha256 != self.piece.sha256:
            raise Broken(f"{self.piece.name} is not there any more, or is another file by now.")
        self.piece = piece

    @property
    def headers(self) -> dict[str, str]:
        """What to ask for: the rest, and all of it if the object is not the same any more."""
        asked = {"Accept-Encoding": "identity"}
        if self.received:
            asked["Range"] = f"bytes={self.received}-"
            if self._etag:
                asked["If-Range"] = self._etag
        return asked

    def accept(self, status: int, headers: Mapping[str, str]) -> None:
        """Whether the bytes of this reply are wanted. Raises `LinkExpired`, and `Broken` for any other refusal."""
        if status == _EXPIRED:
            raise LinkExpired
        if status == _WHOLE:
            self._begin_anew()
        elif status != _PARTIAL or not self._goes_on(headers.get("content-range", "")):
            raise Broken(f"The storage answers {status} to the link of {self.piece.name}.")
        self._etag = _strong(headers.get("etag"))

    def _goes_on(self, content_range: str) -> bool:
        match = _RANGE.fullmatch(content_range)
        return match is not None and int(match[1]) == self.received and self.piece.size in {None, int(match[2])}

    def write(self, data: bytes) -> None:
        """Raises `OSError` when the disk takes no more, and `FileDamaged` for more than the file has."""
        if self.piece.size is not None and self.received + len(data) > self.piece.size:
            self._begin_anew()
            raise FileDamaged(f"The link of {self.piece.name} leads to a longer file than the job says.")
        self._file.write(data)
        self._digest.update(data)
        self.received += len(data)

    def end(self) -> None:
        """A reply has come to its end."""
        self._ended = True

    def is_whole(self) -> bool:
        """Whether everything is here and is what the job says.

        What is not is thrown away, once; the second time it is `FileDamaged`.
        """
        wanted = self.piece
        if not self._ended if wanted.size is None else self.received < wanted.size:
            return False
        if wanted.sha256 in {None, self._digest.hexdigest()}:
            return True
        self._begin_anew()
        if self._started_anew:
            raise FileDamaged(f"What came for {wanted.name} is not what the job says, twice.")
        self._started_anew = True
        return False

    def settle(self) -> None:
        """It is to be on the disk before it has its name: what has it is whole, also after a power cut."""
        self._file.flush()
        os.fsync(self._file.fileno())

    def finish(self) -> Path:
        """Give it its name, or that with a number where another file has it. Returns where it is."""
        self.path = self._replaced() if self._overwriting is not None else self._named()
        self._file.close()  # not before: whoever waits for the part could take this file for it
        return self.path

    def _replaced(self) -> Path:
        overwriting = self._overwriting
        if overwriting is None or not overwriting.takes(self._target, self._content):
            return self._named()
        self._part.replace(self._target)
        return self._target

    def _named(self) -> Path:
        """Nobody else's file is replaced, not even one that appears at this moment: the name is taken, or it is not."""
        for path in numbered(self._target):
            try:
                _take(self._part, path)
            except FileExistsError:
                if not self._is_like(path):
                    continue
                self._part.unlink()
            if self._overwriting is not None:
                self._overwriting.takes(path, self._content)
            return path
        raise AssertionError  # numbers do not end

    def _is_like(self, path: Path) -> bool:
        """Whether it came before: without a checksum that is not known until it is here again."""
        return self.piece.sha256 is None and path.is_file() and filecmp.cmp(self._part, path, shallow=False)


def _take(part: Path, path: Path) -> None:
    """Raises `FileExistsError`."""
    try:
        path.hardlink_to(part)
    except FileExistsError:
        raise
    except OSError:  # a file system without hard links: take the name first, then put the file there
        path.open("xb").close()
        part.replace(path)
        return
    part.unlink()


def _strong(etag: str | None) -> str | None:
    """`If-Range` wants an ETag that stands for the bytes (RFC 9110, 13.1.5)."""
    return None if etag is None or etag.startswith("W/") else etag
