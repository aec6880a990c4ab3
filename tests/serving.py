"""A server on the loopback that answers what a test has it answer, in the shapes of the contract."""

import dataclasses
import hashlib
import json
import re
import threading
from collections import defaultdict
from collections.abc import Callable
from typing import Any

from reelhaul.documentation.document import EXAMPLES
from tests.loopback import Loopback, QuietHandler

JOB_ID = "download-01m81hr3h0fp2xycha2ghd03gq"
CONTENT = bytes(range(256)) * 400
DONE, RUNNING, FAILED = "done", "running", "failed"  # examples of `GET /download/{id}`


def example(route: str, name: str) -> Any:
    """A reply as the real handlers gave it, see `make examples`."""
    found = json.loads(EXAMPLES.read_text(encoding="utf-8"))
    return next(one["reply"] for one in found if (one["route"], one["name"]) == (route, name))


def job(kind: str, **changes: Any) -> dict[str, Any]:
    """JOB of the contract."""
    return {**example("GET /download/{id}", kind)["data"], **changes}


@dataclasses.dataclass(frozen=True, slots=True)
class Asked:
    method: str
    path: str
    headers: dict[str, str]
    body: Any


@dataclasses.dataclass(frozen=True, slots=True)
class Said:
    """`cut`: after so many bytes of the body the connection ends."""

    body: Any = b""
    status: int = 200
    headers: dict[str, str] = dataclasses.field(default_factory=dict)
    cut: int | None = None

    @property
    def data(self) -> bytes:
        return self.body if isinstance(self.body, bytes) else json.dumps(self.body).encode()


Answer = Said | Callable[[Asked], Said]


def shown(kind: str, **changes: Any) -> Said:
    return Said({"success": True, "data": job(kind, **changes)})


def error(status: int, code: str, **headers: str) -> Said:
    body = {"success": False, "message": f"because {code}", "detail": f"because {code}", "code": code}
    return Said(body, status, {name.replace("_", "-"): value for name, value in headers.items()})


class Storage:
    """Answers like S3: the whole file or a range of it, which `If-Range` may forbid. The first replies are `cut`."""

    def __init__(self, content: bytes = CONTENT, *, etag: str = '"one"', cut: tuple[int, ...] = ()) -> None:
        self.content = content
        self.etag = etag
        self._cut = list(cut)

    @property
    def sha256(self) -> str:
        return hashlib.sha256(self.content).hexdigest()

    def __call__(self, asked: Asked) -> Said:
        cut = self._cut.pop(0) if self._cut else None
        match = re.fullmatch(r"bytes=(\d+)-", asked.headers.get("range", ""))
        if match is None or asked.headers.get("if-range", self.etag) != self.etag:
            return Said(self.content, 200, {"ETag": self.etag}, cut)
        first, size = int(match[1]), len(self.content)
        if first >= size:
            return Said(b"", 416)
        said = {"ETag": self.etag, "Content-Range": f"bytes {first}-{size - 1}/{size}"}
        return Said(self.content[first:], 206, said, cut)


class _Handler(QuietHandler):
    protocol_version = "HTTP/1.1"
    server: "Server"

    def answer(self) -> None:
        headers = {name.lower(): value for name, value in self.headers.items()}
        body = self.rfile.read(int(headers.get("content-length", 0)))
        asked = Asked(self.command, self.path, headers, json.loads(body) if body else None)
        said = self.server.answer(asked)
        self.send_response_only(said.status)
        usual = {"Date": self.date_time_string(), "Content-Length": str(len(said.data))}
        for name, value in (usual | said.headers).items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(said.data[: said.cut])
        self.close_connection = said.cut is not None

    do_GET = do_POST = do_DELETE = answer  # noqa: N815 - named by the base class


class Server(Loopback):
    """A context manager. What is not told is answered as the service answers an unknown job."""

    def __init__(self) -> None:
        super().__init__(_Handler)
        self.asked: list[Asked] = []
        self._answers: dict[str, list[Answer]] = defaultdict(list)
        self._lock = threading.Lock()

    def tell(self, route: str, *answers: Answer) -> None:
        """What `route`, as `GET /health`, is answered: one after the other, and then always the last."""
        self._answers[route] = list(answers)

    def tell_of_file(self, storage: Storage, *, name: str = "a talk.mp4", **changes: Any) -> None:
        """A job that is done, whose link leads to `storage`."""
        size = {"filesize": len(storage.content), "checksum_sha256": storage.sha256}
        fields = {"name": name, "download_url": f"{self.url}/file", **size, **changes}
        self.tell(f"GET /download/{JOB_ID}", shown(DONE, **fields))
        self.tell("GET /file", storage)

    def tell_of_service(self, **headers: str) -> None:
        document = {"openapi": "3.1.0", "info": {"title": "Reelhaul", "version": "0.1.0"}}
        self.tell("GET /openapi.json", Said(document, 200, headers))

    def answer(self, asked: Asked) -> Said:
        with self._lock:
            self.asked.append(asked)
            path = asked.path.partition("?")[0]
            answers = self._answers[f"{asked.method} {path}"]
            answer = answers[0] if answers else error(404, "job.not_found")
            if len(answers) > 1:
                answers.pop(0)
        return answer if isinstance(answer, Said) else answer(asked)

    def paths(self) -> list[str]:
        return [f"{asked.method} {asked.path}" for asked in self.asked]
