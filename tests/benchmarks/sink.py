"""An S3 that keeps no bytes, and takes only so many a second. `python -m tests.benchmarks.sink PORT MB_A_SECOND`.

It speaks what uploads need: objects whole and in parts, conditional, with checksums, which it believes and shows again.
To check them is what S3 does on other machines; whether they are right is for other tests. 0 MB a second: no limit.
"""

import base64
import dataclasses
import hashlib
import http.server
import itertools
import re
import sys
import threading
import time
from typing import Any
from urllib.parse import parse_qs, urlsplit

_CHUNK = 128 * 1024
_CHECKSUM = re.compile(r"x-amz-checksum-(sha256|sha1|crc32|crc32c|crc64nvme)", re.IGNORECASE)


class Throttle:
    """All connections together get `rate` bytes a second."""

    def __init__(self, rate: float) -> None:
        self._rate = rate
        self._lock = threading.Lock()
        self._free_at = 0.0

    def took(self, size: int) -> None:
        if not self._rate:
            return
        with self._lock:
            now = time.monotonic()
            self._free_at = max(now, self._free_at) + size / self._rate
            wait_s = self._free_at - now
        time.sleep(max(0.0, wait_s))


@dataclasses.dataclass
class Upload:
    key: str
    parts: dict[int, tuple[int, dict[str, str]]] = dataclasses.field(default_factory=dict)
    composite: bool = False


class Sink(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, port: int, rate: float) -> None:
        super().__init__(("127.0.0.1", port), Handler)
        self.throttle = Throttle(rate)
        self.objects: dict[str, tuple[int, dict[str, str]]] = {}
        self.uploads: dict[str, Upload] = {}
        self.numbers = itertools.count(1)


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: Sink

    def setup(self) -> None:
        self.request.setsockopt(1, 8, 256 * 1024)  # SOL_SOCKET, SO_RCVBUF: what lies in buffers has not been taken
        super().setup()

    def do_PUT(self) -> None:
        key, query = self._asked()
        size = self._drain()
        if "partNumber" in query:
            self.server.uploads[query["uploadId"]].parts[int(query["partNumber"])] = (size, self._checksums())
        elif not self._keep(key, size, self._checksums()):
            return
        self._reply(200, headers={"ETag": f'"{next(self.server.numbers):032x}"', **self._checksums()})

    def do_POST(self) -> None:
        key, query = self._asked()
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if "uploads" in query:
            upload_id = f"upload-{next(self.server.numbers)}"
            composite = self.headers.get("x-amz-checksum-type", "").upper() == "COMPOSITE"
            self.server.uploads[upload_id] = Upload(key, composite=composite)
            self._reply(200, _xml("InitiateMultipartUploadResult", f"<UploadId>{upload_id}</UploadId>"))
        elif "uploadId" in query:
            self._complete(key, query["uploadId"], body)
        else:
            for removed in re.findall(rb"<Key>(.*?)</Key>", body):
                self.server.objects.pop(f"{key}{removed.decode()}", None)
            self._reply(200, _xml("DeleteResult", ""))

    def do_HEAD(self) -> None:
        found = self.server.objects.get(self._asked()[0])
        if found is None:
            self._reply(404)
            return
        size, checksums = found
        self._reply(200, headers={"ETag": '"0"', **checksums}, length=size)

    def do_GET(self) -> None:
        """Lists of objects, uploads and parts; bytes there are none."""
        key, query = self._asked()
        bucket = key.split("/")[0] + "/"
        prefix = bucket + query.get("prefix", "")
        if "uploadId" in query:
            upload = self.server.uploads.get(query["uploadId"])
            parts = sorted(upload.parts.items()) if upload else []
            inner = "".join(
                f"<Part><PartNumber>{number}</PartNumber><ETag>0</ETag><Size>{size}</Size></Part>"
                for number, (size, _) in parts
            )
            self._reply(200, _xml("ListPartsResult", inner))
        elif "uploads" in query:
            open_ones = [(one, upload) for one, upload in self.server.uploads.items() if upload.key.startswith(prefix)]
            inner = "".join(
                f"<Upload><Key>{upload.key.removeprefix(bucket)}</Key><UploadId>{one}</UploadId></Upload>"
                for one, upload in open_ones
            )
            self._reply(200, _xml("ListMultipartUploadsResult", inner))
        else:
            keys = [name.removeprefix(bucket) for name in self.server.objects if name.startswith(prefix)]
            inner = "".join(f"<Contents><Key>{name}</Key></Contents>" for name in keys)
            self._reply(200, _xml("ListBucketResult", f"<KeyCount>{len(keys)}</KeyCount>{inner}"))

    def do_DELETE(self) -> None:
        key, query = self._asked()
        self.server.uploads.pop(query.get("uploadId", ""), None)
        if "uploadId" not in query:
            self.server.objects.pop(key, None)
        self._reply(204)

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - named by the base class
        """Say nothing."""

    def _complete(self, key: str, upload_id: str, body: bytes) -> None:
        upload = self.server.uploads[upload_id]
        numbers = [int(number) for number in re.findall(rb"<PartNumber>(\d+)</PartNumber>", body)]
        size = sum(upload.parts[number][0] for number in numbers)
        checksums = self._checksums() or _composite([upload.parts[number][1] for number in numbers])
        if self._keep(key, size, checksums):
            del self.server.uploads[upload_id]
            self._reply(200, _xml("CompleteMultipartUploadResult", f"<Key>{key}</Key><ETag>0</ETag>"))

    def _keep(self, key: str, size: int, checksums: dict[str, str]) -> bool:
        """Whether that is allowed; else it has been answered."""
        if self.headers.get("If-None-Match") == "*" and key in self.server.objects:
            self._reply(412, _xml("Error", "<Code>PreconditionFailed</Code>"))
            return False
        self.server.objects[key] = (size, checksums)
        return True

    def _drain(self) -> int:
        """Read the body and forget it. How many bytes of it are the object's."""
        left = int(self.headers.get("Content-Length") or 0)
        size = int(self.headers.get("x-amz-decoded-content-length") or left)
        buffer = memoryview(bytearray(_CHUNK))
        while left and (got := self.rfile.readinto(buffer[: min(left, _CHUNK)])):
            left -= got
            self.server.throttle.took(got)
        return size

    def _asked(self) -> tuple[str, dict[str, str]]:
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query, keep_blank_values=True).items()}
        return parts.path.lstrip("/"), query

    def _checksums(self) -> dict[str, str]:
        return {name.lower(): value for name, value in self.headers.items() if _CHECKSUM.fullmatch(name)}

    def _reply(
        self, status: int, body: bytes = b"", *, headers: dict[str, str] | None = None, length: int | None = None
    ) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        if status != 204:
            self.send_header("Content-Length", str(len(body) if length is None else length))
        self.end_headers()
        self.wfile.write(body)


def _composite(parts: list[dict[str, str]]) -> dict[str, str]:
    """The checksum of the parts' checksums, and their number, as S3 has it for SHA-256."""
    name = "x-amz-checksum-sha256"
    if not all(name in part for part in parts):
        return {}
    digests = b"".join(base64.b64decode(part[name]) for part in parts)
    return {name: f"{base64.b64encode(hashlib.sha256(digests).digest()).decode()}-{len(parts)}"}


def _xml(name: str, inner: str) -> bytes:
    return f'<?xml version="1.0" encoding="UTF-8"?><{name}>{inner}</{name}>'.encode()


if __name__ == "__main__":
    Sink(int(sys.argv[1]), float(sys.argv[2]) * 1e6).serve_forever()
