"""The fetched file goes to S3: every part with its SHA-256, and S3 must show size and checksum back."""

import base64
import functools
import hashlib
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from botocore.exceptions import BotoCoreError, ClientError

from reelhaul.aws import error_code, translated
from reelhaul.errors import LeaseLost, SourceTooSlow, StorageUnavailable
from reelhaul.jobs import StoredObject

PART_BYTES = 16 * 1024**2  # S3 asks for 5 MiB at least; 16 keeps its 10,000 parts good for 160 GB
_UPLOADS_AT_ONCE = 4  # bounds memory to as many parts
_CHECK_S = 0.5  # how long a stop or the deadline may go unnoticed
_MUST_BE_NEW = "*"  # as If-None-Match: no object is ever overwritten

# The file's SHA-256, the checksum that S3 will show, and the call that makes the object appear.
_Prepared = tuple[bytes, str, Callable[[], object]]


class Uploader:
    """`client` is a boto3 S3 client; `stop`, set from outside, and `deadline` (monotonic) end an upload midway."""

    def __init__(self, client: Any, bucket: str, *, stop: threading.Event, deadline: float) -> None:
        self._client = client
        self._bucket = bucket
        self._stop = stop
        self._deadline = deadline

    def upload(self, path: Path, *, key: str, content_type: str, disposition: str) -> StoredObject:
        """Store the file at `path` as `key`, which must not exist yet, and verify what S3 says it has.

        Raises `StorageUnavailable` when that does not match, `LeaseLost` when stopped, `SourceTooSlow` at the deadline,
        `ServiceUnavailable` for AWS. What was begun stays: the caller removes it, as it must after a crash anyway.
        """
        size = path.stat().st_size
        headers = {"Bucket": self._bucket, "Key": key, "ContentType": content_type, "ContentDisposition": disposition}
        with translated():
            whole, shown, commit = (self._whole if size <= PART_BYTES else self._in_parts)(path, headers)
            self._check()
            try:
                commit()
            except (BotoCoreError, ClientError):
                # What S3 has is what counts: the reply to a call that succeeded may be lost, its repetition refused.
                if not self._has(key, size=size, shown=shown):
                    raise
            else:
                if not self._has(key, size=size, shown=shown):
                    raise StorageUnavailable
        return StoredObject(key=key, size=size, checksum_sha256=whole.hex())

    def _whole(self, path: Path, headers: dict[str, str]) -> _Prepared:
        body = path.read_bytes()
        digest = hashlib.sha256(body).digest()
        put = functools.partial(
            self._client.put_object, **headers, Body=body, **_checked(digest), IfNoneMatch=_MUST_BE_NEW
        )
        return digest, _text(digest), put

    def _in_parts(self, path: Path, headers: dict[str, str]) -> _Prepared:
        upload = self._client.create_multipart_upload(**headers, ChecksumAlgorithm="SHA256", ChecksumType="COMPOSITE")
        place = {"Bucket": self._bucket, "Key": headers["Key"], "UploadId": upload["UploadId"]}
        whole, digests, etags = self._send_parts(path, place)
        parts = [
            {"PartNumber": number, "ETag": etags[number], "ChecksumSHA256": _text(digest)}
            for number, digest in enumerate(digests, 1)
        ]
        complete = functools.partial(
            self._client.complete_multipart_upload,
            **place,
            MultipartUpload={"Parts": parts},
            IfNoneMatch=_MUST_BE_NEW,
        )
        # The checksum that S3 shows of such an object is that of its parts' checksums, and their number.
        return whole, f"{_text(hashlib.sha256(b''.join(digests)).digest())}-{len(digests)}", complete

    def _send_parts(self, path: Path, place: dict[str, str]) -> tuple[bytes, list[bytes], dict[int, str]]:
        whole, digests = hashlib.sha256(), []
        running: dict[Future[dict[str, str]], int] = {}
        etags: dict[int, str] = {}
        with ThreadPoolExecutor(_UPLOADS_AT_ONCE) as pool:
            for number, body in enumerate(_parts(path), 1):
                self._check()
                whole.update(body)
                digests.append(hashlib.sha256(body).digest())
                if len(running) == _UPLOADS_AT_ONCE:
                    self._collect(running, etags)
                sent = pool.submit(
                    self._client.upload_part, **place, PartNumber=number, Body=body, **_checked(digests[-1])
                )
                running[sent] = number
            while running:
                self._collect(running, etags)
        return whole.digest(), digests, etags

    def _collect(self, running: dict[Future[dict[str, str]], int], etags: dict[int, str]) -> None:
        """Take at least one finished part out of `running`; its error, if it has one, is raised."""
        done: set[Future[dict[str, str]]] = set()
        while not done:
            self._check()
            done, _ = wait(running, timeout=_CHECK_S, return_when=FIRST_COMPLETED)
        for future in done:
            etags[running.pop(future)] = future.result()["ETag"]

    def _check(self) -> None:
        if self._stop.is_set():
            raise LeaseLost
        if time.monotonic() > self._deadline:
            raise SourceTooSlow

    def _has(self, key: str, *, size: int, shown: str) -> bool:
        try:
            head = self._client.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
        except ClientError as error:
            if error_code(error) == "404":
                return False
            raise
        return bool(head["ContentLength"] == size and head.get("ChecksumSHA256") == shown)


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while body := file.read(PART_BYTES):
            yield body


def _checked(digest: bytes) -> dict[str, str]:
    """S3 refuses the body unless it has this checksum."""
    return {"ChecksumAlgorithm": "SHA256", "ChecksumSHA256": _text(digest)}


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
