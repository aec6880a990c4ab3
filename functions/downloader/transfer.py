"""The fetched file goes to S3: every part with its SHA-256, and S3 must show size and checksum back."""

import base64
import hashlib
import threading
import time
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from pathlib import Path
from typing import Any

from botocore.exceptions import ClientError

from reelhaul.aws import error_code, translated
from reelhaul.errors import LeaseLost, SourceTooSlow, StorageUnavailable
from reelhaul.jobs import StoredObject

PART_BYTES = 16 * 1024**2  # S3 asks for 5 MiB at least; 16 keeps its 10,000 parts good for 160 GB
_UPLOADS_AT_ONCE = 4  # bounds memory to as many parts


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
            if size <= PART_BYTES:
                whole, shown = self._put(path, headers)
            else:
                whole, shown = self._put_parts(path, headers)
        self._verify(key, size=size, shown=shown)
        return StoredObject(key=key, size=size, checksum_sha256=whole.hex())

    def _put(self, path: Path, headers: dict[str, str]) -> tuple[bytes, str]:
        body = path.read_bytes()
        digest = hashlib.sha256(body).digest()
        try:
            self._client.put_object(**headers, Body=body, ChecksumSHA256=_text(digest), IfNoneMatch="*")
        except ClientError as error:
            if error_code(error) != "PreconditionFailed":  # else it is ours, its reply was lost: `_verify` will tell
                raise
        return digest, _text(digest)

    def _put_parts(self, path: Path, headers: dict[str, str]) -> tuple[bytes, str]:
        upload = self._client.create_multipart_upload(**headers, ChecksumAlgorithm="SHA256")
        place = {"Bucket": self._bucket, "Key": headers["Key"], "UploadId": upload["UploadId"]}
        whole, digests, etags = self._send_parts(path, place)
        parts = [
            {"PartNumber": number, "ETag": etags[number], "ChecksumSHA256": _text(digest)}
            for number, digest in enumerate(digests, 1)
        ]
        self._complete(place, parts)
        # For multipart objects S3 shows the checksum of the parts' checksums, and their number.
        return whole, f"{_text(hashlib.sha256(b''.join(digests)).digest())}-{len(digests)}"

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
                    _collect(running, etags)
                sent = pool.submit(
                    self._client.upload_part, **place, PartNumber=number, Body=body, ChecksumSHA256=_text(digests[-1])
                )
                running[sent] = number
            while running:
                _collect(running, etags)
        return whole.digest(), digests, etags

    def _check(self) -> None:
        if self._stop.is_set():
            raise LeaseLost
        if time.monotonic() > self._deadline:
            raise SourceTooSlow

    def _complete(self, place: dict[str, str], parts: list[dict[str, Any]]) -> None:
        try:
            self._client.complete_multipart_upload(**place, MultipartUpload={"Parts": parts}, IfNoneMatch="*")
        except ClientError as error:
            # The SDK repeats a call whose reply was lost; the upload is gone then because it is complete.
            if error_code(error) not in {"NoSuchUpload", "PreconditionFailed"}:
                raise

    def _verify(self, key: str, *, size: int, shown: str) -> None:
        with translated():
            head = self._client.head_object(Bucket=self._bucket, Key=key, ChecksumMode="ENABLED")
        if head["ContentLength"] != size or head.get("ChecksumSHA256") != shown:
            raise StorageUnavailable


def _parts(path: Path) -> Iterator[bytes]:
    with path.open("rb") as file:
        while body := file.read(PART_BYTES):
            yield body


def _collect(running: dict[Future[dict[str, str]], int], etags: dict[int, str]) -> None:
    """Take at least one finished part out of `running`; its error, if it has one, is raised."""
    done, _ = wait(running, return_when=FIRST_COMPLETED)
    for future in done:
        etags[running.pop(future)] = future.result()["ETag"]


def _text(digest: bytes) -> str:
    return base64.b64encode(digest).decode()
