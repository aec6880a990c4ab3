"""A file goes to S3, also while it is still being written: every part with its SHA-256, and S3 must show it back."""

import base64
import contextlib
import dataclasses
import functools
import hashlib
import os
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from downloader import digest, holes
from reelhaul.aws import error_code, translated
from reelhaul.errors import LeaseLost, ServiceUnavailable, StorageUnavailable, StoredAmiss, WorkerCrashed
from reelhaul.jobs import StoredObject

PART_BYTES = 8 * 1024**2  # S3 asks for 5 MiB at least; what is less than a part is sent after the source has ended
_PARTS_OF_A_SIZE = 1250  # S3 takes 10,000: doubled as often as this, they hold 2.4 TiB, and those of 10 GB are small
_UPLOADS_AT_ONCE = 4  # bounds memory to as many parts
_WAITING_PARTS = _UPLOADS_AT_ONCE + 1  # and one in the making
_CHECK_S = 0.5  # how long a stop or the deadline may go unnoticed
_MUST_BE_NEW = "*"  # as If-None-Match: no object is ever overwritten


def part_bytes(number: int) -> int:
    """How large a part is, by its number from 1. Only the last one of an object may be smaller."""
    return PART_BYTES << ((number - 1) // _PARTS_OF_A_SIZE)


@dataclasses.dataclass(frozen=True, slots=True)
class _Part:
    number: int
    offset: int
    length: int


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Begun:
    """A multipart upload that somebody else goes on with: its first parts, and the state of the whole's checksum."""

    key: str
    upload_id: str
    digests: tuple[bytes, ...]
    etags: tuple[str, ...]
    final_bytes: int
    state: bytes


class Uploader:
    """`client` is a boto3 S3 client; `stop`, set from outside, and `deadline` (monotonic) end an upload midway."""

    def __init__(self, client: Any, bucket: str, *, stop: threading.Event, deadline: float) -> None:
        self._client = client
        self._bucket = bucket
        self._stop = stop
        self._deadline = deadline

    def upload(self, path: Path, *, key: str, content_type: str, disposition: str) -> StoredObject:
        """Store the file at `path` as `key`, which must not exist yet, and verify what S3 says it has.

        Raises `StoredAmiss` when that does not match, `LeaseLost` when stopped, `StorageUnavailable` at the deadline (a
        source's own is earlier), `ServiceUnavailable` for AWS. What was begun stays: the caller removes it, as it must
        after a crash anyway.
        """
        with self.growing(path, key=key, content_type=content_type, disposition=disposition, keep=True) as growing:
            return growing.finish(path.stat().st_size)

    @contextlib.contextmanager
    def growing(
        self,
        path: Path,
        *,
        key: str,
        content_type: str,
        disposition: str,
        keep: bool = False,
        begun: Begun | None = None,
    ) -> Iterator["Growing"]:
        """The same for a file that somebody is still writing. Without `keep`, what S3 has is cut out of the file.

        What was `begun` is gone on with, under its own key; of that the file need have no more than the first part.
        """
        headers = {"Bucket": self._bucket, "Key": key, "ContentType": content_type, "ContentDisposition": disposition}
        descriptor = os.open(path, (os.O_RDONLY if keep else os.O_RDWR) | os.O_NOFOLLOW | os.O_CLOEXEC)
        try:
            with ThreadPoolExecutor(_UPLOADS_AT_ONCE, thread_name_prefix="upload") as pool:
                growing = Growing(self._client, headers, descriptor, pool=pool, check=self._check, keep=keep)
                if begun is not None:
                    growing.go_on(begun)
                yield growing
        finally:
            os.close(descriptor)

    def put(self, key: str, body: bytes) -> None:
        """Store `body` as `key`, which must not exist yet, and verify it. Raises as `upload` does."""
        self._check()
        place, checksum = {"Bucket": self._bucket, "Key": key}, hashlib.sha256(body).digest()
        put = functools.partial(
            self._client.put_object, **place, Body=body, **_checked(checksum), IfNoneMatch=_MUST_BE_NEW
        )
        with translated():
            _commit(self._client, put, place, size=len(body), shown=_text(checksum))

    def get(self, key: str) -> bytes:
        """What is stored as `key`. Raises as `upload` does."""
        return self._read({"Bucket": self._bucket, "Key": key})

    def fetch(self, stored: StoredObject, path: Path) -> None:
        """Put what is stored into the new file at `path`. Raises as `upload` does."""
        ranges = [(at, min(PART_BYTES, stored.size - at)) for at in range(0, stored.size, PART_BYTES)]
        with path.open("xb") as file, ThreadPoolExecutor(_UPLOADS_AT_ONCE, thread_name_prefix="fetch") as pool:
            parts = [pool.submit(self._fetch_part, stored.key, file.fileno(), *one) for one in ranges]
            try:
                for part in parts:
                    part.result()
            finally:
                for part in parts:
                    part.cancel()
        with path.open("rb") as file:
            if hashlib.file_digest(file, "sha256").hexdigest() != stored.checksum_sha256:
                raise StoredAmiss

    def _fetch_part(self, key: str, descriptor: int, start: int, length: int) -> None:
        place = {"Bucket": self._bucket, "Key": key, "Range": f"bytes={start}-{start + length - 1}"}
        os.pwrite(descriptor, self._read(place), start)

    def _read(self, place: dict[str, str]) -> bytes:
        self._check()
        try:
            return self._read_once(place)
        except ServiceUnavailable:  # the SDK tries a call again, but not the rest of a reply
            self._check()
            return self._read_once(place)

    def _read_once(self, place: dict[str, str]) -> bytes:
        with translated():
            return bytes(self._client.get_object(**place)["Body"].read())

    def _check(self) -> None:
        if self._stop.is_set():
            raise LeaseLost
        if time.monotonic() > self._deadline:
            raise StorageUnavailable


class Growing:
    """One object in the making. For one thread, but for `has_room`.

    Its bytes are read once and in order, so that the checksum of the whole is known with the last of them. The first
    part stays in the file: it tells what the file is.
    """

    def __init__(
        self,
        client: Any,
        headers: dict[str, str],
        descriptor: int,
        *,
        pool: ThreadPoolExecutor,
        check: Callable[[], None],
        keep: bool,
    ) -> None:
        self._client, self._headers, self._descriptor, self._pool = client, headers, descriptor, pool
        self._check, self._keep = check, keep
        self._sent_bytes = self._stored_bytes = 0
        self._whole = digest.begin()
        self._digests: list[bytes] = []
        self._etags: dict[int, str] = {}
        self._running: dict[Future[dict[str, str]], _Part] = {}
        self._upload: dict[str, str] | None = None

    @property
    def has_room(self) -> bool:
        """Whether more should be written: what the disk has and S3 has not is bounded. For any thread."""
        waiting = os.fstat(self._descriptor).st_size - self._stored_bytes
        return waiting <= max(_WAITING_PARTS * PART_BYTES, 2 * part_bytes(self._next))

    def is_of(self, path: Path) -> bool:
        """Whether `path` is the file, whatever it was called when it was opened."""
        return os.path.samestat(os.fstat(self._descriptor), path.lstat())

    def advance(self, final: int) -> None:
        """Send what is complete of the first `final` bytes, which stay as they are; never wait for a part to arrive.

        Raises as `Uploader.upload` does.
        """
        with translated():
            self._collect(timeout_s=0)
            while len(self._running) < _UPLOADS_AT_ONCE and final - self._sent_bytes >= part_bytes(self._next):
                self._send(part_bytes(self._next))

    def go_on(self, begun: Begun) -> None:
        """Begin behind the parts that somebody else has sent. Raises `StoredAmiss`."""
        try:
            self._whole = digest.resumed(begun.state)
        except ValueError as error:
            raise StoredAmiss from error
        self._headers = {**self._headers, "Key": begun.key}
        self._upload = {"UploadId": begun.upload_id}
        self._digests = list(begun.digests)
        self._etags = dict(enumerate(begun.etags, 1))
        self._sent_bytes = self._stored_bytes = begun.final_bytes

    def pause(self, size: int) -> tuple[Begun, bytes, bytes]:
        """Those `size` bytes are all for now: what S3 has of them when it has all whole parts.

        Also the first part, and what comes after the last one. Raises as `Uploader.upload` does.
        """
        with translated():
            while size - self._sent_bytes >= part_bytes(self._next) or self._running:
                if len(self._running) == _UPLOADS_AT_ONCE or size - self._sent_bytes < part_bytes(self._next):
                    self._collect(timeout_s=_CHECK_S)
                else:
                    self._send(part_bytes(self._next))
            place = self._place
        head = os.pread(self._descriptor, min(size, part_bytes(1)), 0)
        tail = os.pread(self._descriptor, size - self._sent_bytes, self._sent_bytes)
        state = digest.state_of(self._whole)
        if len(tail) < size - self._sent_bytes or state is None:
            raise WorkerCrashed
        etags = tuple(self._etags[number] for number in range(1, self._next))
        begun = Begun(
            key=place["Key"], upload_id=place["UploadId"], digests=tuple(self._digests), etags=etags,
            final_bytes=self._sent_bytes, state=state,
        )  # fmt: skip
        return begun, head, tail

    def finish(self, size: int) -> StoredObject:
        """Those `size` bytes are all: store and verify them. Raises as `Uploader.upload` does."""
        with translated():
            is_whole = not self._digests and size <= part_bytes(1)
            shown, commit = self._as_one(size) if is_whole else self._as_parts(size)
            self._check()
            place = {"Bucket": self._headers["Bucket"], "Key": self._headers["Key"]}
            _commit(self._client, commit, place, size=size, shown=shown)
        return StoredObject(key=self._headers["Key"], size=size, checksum_sha256=self._whole.hexdigest())

    @property
    def _next(self) -> int:
        """The number of the next part."""
        return len(self._digests) + 1

    def _as_one(self, size: int) -> tuple[str, Callable[[], object]]:
        """The checksum that S3 will show, and the call that makes the object appear."""
        body = self._read(size)
        checksum = self._whole.digest()
        put = functools.partial(
            self._client.put_object, **self._headers, Body=body, **_checked(checksum), IfNoneMatch=_MUST_BE_NEW
        )
        return _text(checksum), put

    def _as_parts(self, size: int) -> tuple[str, Callable[[], object]]:
        while self._sent_bytes < size:
            if len(self._running) == _UPLOADS_AT_ONCE:
                self._collect(timeout_s=_CHECK_S)
            else:
                self._send(min(part_bytes(self._next), size - self._sent_bytes))
        while self._running:
            self._collect(timeout_s=_CHECK_S)
        parts = [
            {"PartNumber": number, "ETag": self._etags[number], "ChecksumSHA256": _text(checksum)}
            for number, checksum in enumerate(self._digests, 1)
        ]
        complete = functools.partial(
            self._client.complete_multipart_upload,
            **self._place,
            MultipartUpload={"Parts": parts},
            IfNoneMatch=_MUST_BE_NEW,
        )
        # The checksum that S3 shows of such an object is that of its parts' checksums, and their number.
        return f"{_text(hashlib.sha256(b''.join(self._digests)).digest())}-{len(self._digests)}", complete

    @property
    def _place(self) -> dict[str, str]:
        """Where parts go; begun with the first of them."""
        if self._upload is None:
            self._upload = self._client.create_multipart_upload(
                **self._headers, ChecksumAlgorithm="SHA256", ChecksumType="COMPOSITE"
            )
        return {"Bucket": self._headers["Bucket"], "Key": self._headers["Key"], "UploadId": self._upload["UploadId"]}

    def _send(self, length: int) -> None:
        self._check()
        place = self._place
        part = _Part(self._next, self._sent_bytes, length)
        body = self._read(length)
        self._digests.append(hashlib.sha256(body).digest())
        sent = self._pool.submit(
            self._client.upload_part, **place, PartNumber=part.number, Body=body, **_checked(self._digests[-1])
        )
        self._running[sent] = part

    def _read(self, length: int) -> bytes:
        """The next bytes. Raises `WorkerCrashed` if they are not there: somebody has taken back what was final."""
        body = os.pread(self._descriptor, length, self._sent_bytes)
        if len(body) < length:  # of a regular file a read is only short at its end
            raise WorkerCrashed
        self._whole.update(body)
        self._sent_bytes += length
        return body

    def _collect(self, *, timeout_s: float) -> None:
        """Take finished parts out of those that are `_running`; the error of one, if it has one, is raised."""
        self._check()
        done, _ = wait(self._running, timeout=timeout_s, return_when=FIRST_COMPLETED)
        for future in done:
            part = self._running.pop(future)
            self._etags[part.number] = future.result()["ETag"]
            self._stored_bytes += part.length
            if not self._keep and part.number > 1:
                holes.punch(self._descriptor, part.offset, part.length)


def _commit(client: Any, commit: Callable[[], object], place: dict[str, str], *, size: int, shown: str) -> None:
    """Have an object appear, and see whether it is the one. Raises `StoredAmiss`, or what `commit` does."""
    try:
        commit()
    except (BotoCoreError, ClientError):
        # What S3 has is what counts: the reply to a call that succeeded may be lost, its repetition refused.
        if not _is_stored(client, place, size=size, shown=shown):
            raise
    else:
        if not _is_stored(client, place, size=size, shown=shown):
            raise StoredAmiss


def _is_stored(client: Any, place: dict[str, str], *, size: int, shown: str) -> bool:
    try:
        head = client.head_object(**place, ChecksumMode="ENABLED")
    except ClientError as error:
        if error_code(error) == "404":
            return False
        raise
    return bool(head["ContentLength"] == size and head.get("ChecksumSHA256") == shown)


def _checked(checksum: bytes) -> dict[str, str]:
    """S3 refuses the body unless it has this checksum."""
    return {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": _text(checksum)}


def _text(checksum: bytes) -> str:
    return base64.b64encode(checksum).decode()
