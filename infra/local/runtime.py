"""A container function's Lambda runtime: the real handler behind AWS's runtime interface emulator.

The engine sends an event for such a function to the URL of its `RuntimePool`. An emulator takes one invocation at a
time and breaks on a second, so each has a slot, started when first needed and again when it has died.
"""

import http.client
import json
import os
import platform
import queue
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Self

from infra.local import processes
from infra.local.processes import ROOT

_INVOKE = "/2015-03-31/functions/function/invocations"
_START_S, _STOP_S = 30.0, 8.0


class RuntimePool:
    """Up to `size` emulators behind one loopback URL, for the function in the folder `name`.

    It has this environment and time limit in seconds. What it writes, its log among it, lies below `directory`.
    """

    def __init__(self, name: str, *, size: int, timeout_s: int, env: Mapping[str, str], directory: Path) -> None:
        handler, log = f"{name}.handler.lambda_handler", directory / f"{name}.log"
        self._slots: queue.Queue[_Slot] = queue.Queue()
        self._all = [
            _Slot(handler, timeout_s=timeout_s, env=env, work=directory / "work" / f"{name}-{number}", log=log)
            for number in range(size)
        ]
        for slot in self._all:
            self._slots.put(slot)
        self._server = _Server(("127.0.0.1", 0), _Handler)
        self._server.pool = self
        self._thread = threading.Thread(target=self._server.serve_forever, daemon=True)

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Let every running invocation give its job back, then end all."""
        for slot in self._all:
            slot.interrupt()
        deadline = time.monotonic() + _STOP_S
        while any(slot.busy for slot in self._all) and time.monotonic() < deadline:
            time.sleep(0.05)
        for slot in self._all:
            slot.end()
        self._server.shutdown()
        self._server.server_close()

    def invoke(self, event: bytes) -> tuple[int, bytes]:
        """The status and body that the engine is answered with: 200, or 500 for an invocation that failed."""
        slot = self._slots.get()
        try:
            return slot.invoke(event)
        except (OSError, http.client.HTTPException) as error:
            return 500, json.dumps({"errorType": "Runtime.ExitError", "errorMessage": str(error)}).encode()
        finally:
            self._slots.put(slot)


class _Slot:
    """One emulator, with a directory of its own for what Lambda calls /tmp."""

    def __init__(self, handler: str, *, timeout_s: int, env: Mapping[str, str], work: Path, log: Path) -> None:
        self.busy = False
        self._handler = handler
        self._timeout_s = timeout_s
        self._env = {**env, "WORK_DIRECTORY": str(work), "AWS_LAMBDA_FUNCTION_TIMEOUT": str(timeout_s)}
        self._work = work
        self._log = log
        self._port = 0
        self._process: subprocess.Popen[bytes] | None = None
        self._closed = False

    def invoke(self, event: bytes) -> tuple[int, bytes]:
        self.busy = True
        try:
            self._ensure()
            connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=self._timeout_s + 10)
            try:
                connection.request("POST", _INVOKE, event)
                body = connection.getresponse().read()
            finally:
                connection.close()
            return (200 if _succeeded(body) else 500), body
        finally:
            self.busy = False

    def interrupt(self) -> None:
        """SIGTERM for the handler, not for its emulator, which would kill it."""
        self._closed = True
        if self._process is not None and self.busy:
            for pid in processes.children(self._process.pid):
                os.kill(pid, signal.SIGTERM)

    def end(self) -> None:
        if self._process is None:
            return
        handlers = processes.children(self._process.pid)
        processes.end(self._process, grace_s=1)
        for pid in handlers:
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue

    def _ensure(self) -> None:
        if self._closed:
            raise ConnectionRefusedError("the service is stopping")
        if self._process is not None and self._process.poll() is None:
            return
        self._port, runtime_port = processes.free_ports(2)
        command = [
            emulator(), "--log-level", "error",
            "--runtime-interface-emulator-address", f"127.0.0.1:{self._port}",
            "--runtime-api-address", f"127.0.0.1:{runtime_port}",
            sys.executable, "-m", "awslambdaric", self._handler,
        ]  # fmt: skip
        self._work.mkdir(parents=True, exist_ok=True)
        self._process = processes.start(command, env=self._env, log=self._log, end_signal=signal.SIGKILL)
        _wait_for(self._port)


class _Server(ThreadingHTTPServer):
    daemon_threads = True
    pool: RuntimePool


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server: _Server

    def do_POST(self) -> None:
        event = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        status, body = self.server.pool.invoke(event)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class's name for it
        """Nothing: the engine logs its invocations itself."""


def _succeeded(body: bytes) -> bool:
    """The emulator answers 200 for errors and time-outs as well; only the body tells."""
    try:
        result = json.loads(body)
    except ValueError:
        return False
    return not (isinstance(result, dict) and "errorType" in result)


def emulator() -> str:
    """The path of AWS's runtime interface emulator for this machine."""
    machine = {"x86_64": "x86_64", "aarch64": "arm64"}[platform.machine()]
    path = next((ROOT / ".venv-engine").glob(f"lib/python*/site-packages/samcli/local/rapid/aws-lambda-rie-{machine}"))
    path.chmod(0o755)
    return str(path)


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.02)
        else:
            return
