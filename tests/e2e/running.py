"""`reelhaul serve` as a program of its own, and a client that knows nothing but HTTP."""

import dataclasses
import json
import os
import signal
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from email.message import Message
from pathlib import Path
from typing import Any, TypeVar

from infra.local import assembly
from infra.local.processes import free_ports
from tests import canaries

T = TypeVar("T")
ROOT = Path(__file__).resolve().parents[2]
REELHAUL = str(Path(sys.executable).with_name("reelhaul"))
KEY = f"sk-{canaries.MARK}-0123456789abcdef"
READY_S = 180.0  # twenty are promised, see the README; a busy machine is no failure of what is tested here


@dataclasses.dataclass(frozen=True, slots=True)
class Reply:
    status: int
    headers: Message  # its names in any case
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: Any) -> None:
        return None


_OPENER = urllib.request.build_opener(_NoRedirect)


def request(
    method: str, url: str, *, body: Any = None, headers: Mapping[str, str] | None = None, timeout_s: float = 35
) -> Reply:
    """One HTTP exchange, whatever its status; redirects are not followed. No reply has a secret in it."""
    reply = _exchanged(method, url, body, headers or {}, timeout_s)
    canaries.assert_none(reply.headers.as_bytes() + reply.body, where=f"the reply to {method} {url}")
    return reply


def _exchanged(method: str, url: str, body: Any, headers: Mapping[str, str], timeout_s: float) -> Reply:
    data = None if body is None else body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"Content-Type": "application/json"} | dict(headers)
    try:
        with _OPENER.open(urllib.request.Request(url, data, sent, method=method), timeout=timeout_s) as reply:
            return Reply(reply.status, reply.headers, reply.read())
    except urllib.error.HTTPError as error:
        with error:
            return Reply(error.code, error.headers, error.read())


class Client:
    """Calls the service at `url` with `key`; without one, with none."""

    def __init__(self, url: str, key: str | None = KEY, *, timeout_s: float = 35) -> None:
        self.url = url
        self.key = key
        self._timeout_s = timeout_s
        self._headers = {} if key is None else {"x-access-token": key}

    def call(self, method: str, path: str, body: Any = None) -> Reply:
        return request(method, self.url + path, body=body, headers=self._headers, timeout_s=self._timeout_s)

    def create(self, url: str, **fields: Any) -> str:
        reply = self.call("POST", "/download", {"stream_link": url, **fields})
        assert reply.status == 200, reply
        return str(reply.json["download_id"])

    def job(self, job_id: str) -> dict[str, Any]:
        reply = self.call("GET", f"/download/{job_id}")
        assert reply.status == 200, reply
        return dict(reply.json["data"])

    def ended(self, job_id: str, *, within_s: float = 120) -> dict[str, Any]:
        """The job once it is done or has failed."""
        return until(lambda: self.job(job_id), lambda job: job["status"] != "processing", within_s=within_s)


def until(look: Callable[[], T], fits: Callable[[T], bool], *, within_s: float) -> T:
    """What `look` sees as soon as it `fits`; an assertion error shows what it saw last."""
    deadline = time.monotonic() + within_s
    while not fits(seen := look()):
        assert time.monotonic() < deadline, seen
        time.sleep(0.1)
    return seen


class Service:
    """A started `reelhaul serve`. `words` are those of its ready line."""

    def __init__(self, process: subprocess.Popen[str], words: list[str], data: Path) -> None:
        self.process = process
        self.words = words
        self.url = words[1]
        self.data = data

    def client(self, key: str | None = KEY) -> Client:
        return Client(self.url, key)

    def stop(self, sign: signal.Signals = signal.SIGTERM) -> int:
        """Ask it to end and wait until it has. Returns its exit code."""
        self.process.send_signal(sign)
        return self.process.wait(60)

    def processes(self) -> list[int]:
        """All processes of this service: everything that has its data directory in its command line or environment."""
        return [
            pid
            for pid in (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdecimal())
            if self._owns(pid)
        ]

    def _owns(self, pid: int) -> bool:
        try:
            seen = Path(f"/proc/{pid}/cmdline").read_bytes() + Path(f"/proc/{pid}/environ").read_bytes()
        except OSError:
            return False
        return str(self.data).encode() in seen and pid != os.getpid()


@contextmanager
def serve(data: Path, *options: str, port: int | None = None, key: str | None = KEY) -> Iterator[Service]:
    """`reelhaul serve` with its state in `data`, ended when the block is left."""
    assembly.ensure()  # as `make setup` does: that is no part of a start
    command = [REELHAUL, "serve", "--port", str(port or free_ports(1)[0]), "--data-dir", str(data), *options]
    command += [] if key is None else ["--api-key", key]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, cwd=ROOT, start_new_session=True)
    too_late = threading.Timer(READY_S, process.kill)
    too_late.start()
    try:
        assert process.stdout is not None
        words = process.stdout.readline().split()
        too_late.cancel()
        assert words[:1] == ["ready"], words
        yield Service(process, words, data)
    finally:
        too_late.cancel()
        if process.poll() is None:
            process.terminate()
        process.wait(60)
    canaries.search_folder(data)
