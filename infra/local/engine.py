"""The embedded engine as seen from `reelhaul serve`: its process, its address, and AWS clients that talk to it."""

import dataclasses
import fcntl
import http.client
import shutil
import socket
import ssl
import subprocess
import time
from pathlib import Path
from typing import IO, Any, Self

import boto3
from botocore.config import Config

from infra.local import processes
from infra.local.processes import ROOT

REGION = "us-east-1"
CREDENTIALS = {
    "AWS_ACCESS_KEY_ID": "test",
    "AWS_SECRET_ACCESS_KEY": "test",
    "AWS_REGION": REGION,
    "AWS_DEFAULT_REGION": REGION,
}
_PYTHON = ROOT / ".venv-engine" / "bin" / "python"
_NAMED_PORT = "4566"  # in the names of queues and the like, which have to outlive a start with another --port
# It starts in a second unless the machine is busy; at the end it writes its whole state to disk.
_START_S, _STOP_S = 60.0, 20.0


class EngineFailed(Exception):
    """The engine does not start; the message says why as far as that is known."""


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Secured:
    """How the engine is made to behave as AWS does, where `reelhaul serve` needs less.

    It speaks TLS with `certificate` and `key`, which those trust who trust `roots` (all files of PEM); it checks every
    signature and enforces every right; container functions run in containers of what listens at `docker_host`.
    """

    certificate: Path
    key: Path
    roots: Path
    docker_host: str


class Engine:
    """ministack on 127.0.0.1:`port`, its state below `directory`."""

    def __init__(self, *, port: int, directory: Path, secured: Secured | None = None) -> None:
        self.url = f"{'https' if secured else 'http'}://127.0.0.1:{port}"
        self._secured = secured
        self._port = port
        self._directory = directory
        self._api_file = directory / "api-id"
        self._scratch = directory / "tmp"
        self._process: subprocess.Popen[bytes] | None = None
        self._lock: IO[str] | None = None

    def __enter__(self) -> Self:
        """Start, and return when it answers. Raises `EngineFailed`."""
        if not _PYTHON.exists():
            raise EngineFailed("The engine is not installed yet: run `make setup`.")
        if is_taken(self._port):
            raise EngineFailed(f"Port {self._port} is in use. Name another with --port.")
        self._directory.mkdir(mode=0o700, parents=True, exist_ok=True)  # keys lie in it
        self._lock = _locked(self._directory / "lock")
        shutil.rmtree(self._scratch, ignore_errors=True)
        self._scratch.mkdir()
        log = self._directory / "engine.log"
        command = [str(_PYTHON), "-m", "infra.local.mended.process"]
        self._process = processes.start(command, env=self._environment(), log=log, cwd=ROOT)
        try:
            self._wait(log)
        except BaseException:
            self.__exit__()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        if self._process is not None:
            processes.end(self._process, grace_s=_STOP_S)
        if self._lock is not None:
            self._lock.close()

    def is_running(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def open_door(self, api_id: str) -> None:
        """From now on requests that are not for AWS go to this HTTP API."""
        self._api_file.write_text(api_id)

    def client(self, service: str) -> Any:
        config = Config(s3={"addressing_style": "path"}, retries={"mode": "standard", "max_attempts": 3})
        return boto3.client(  # type: ignore[call-overload]  # stubs: literal names only
            service,
            endpoint_url=self.url,
            region_name=REGION,
            aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
            aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
            config=config,
            verify=str(self._secured.roots) if self._secured else None,
        )

    def _environment(self) -> dict[str, str]:
        state = {"PERSIST_STATE": "1", "STATE_DIR": str(self._directory / "state")}
        objects = {"S3_PERSIST": "1", "S3_DATA_DIR": str(self._directory / "s3")}
        unused = {"SFTP_ENABLED": "0", "IOT_MTLS_ENABLED": "0", "DOCKER_HOST": "unix:///nonexistent"}
        changes = {} if self._secured is None else self._secured_environment(self._secured)
        settings = processes.plain_environment(
            LISTEN_PORT=str(self._port),
            GATEWAY_PORT=_NAMED_PORT,
            TMPDIR=str(self._scratch),
            API_FILE=str(self._api_file),
            LOG_LEVEL="INFO",
            MINISTACK_REGION=REGION,
            AWS_ENDPOINT_URL=self.url,
            **state,
            **objects,
            **unused,
        )
        return settings | changes

    def _secured_environment(self, secured: Secured) -> dict[str, str]:
        # Nothing is kept, so names need not outlive a start. The roots are for the functions too, which inherit them.
        trusting = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
        return {
            "PERSIST_STATE": "0",
            "S3_PERSIST": "0",
            "GATEWAY_PORT": str(self._port),
            "USE_SSL": "1",
            "MINISTACK_SSL_CERT": str(secured.certificate),
            "MINISTACK_SSL_KEY": str(secured.key),
            "AUTH": "true",
            "DOCKER_HOST": secured.docker_host,
            **dict.fromkeys(trusting, str(secured.roots)),
        }

    def _wait(self, log: Path) -> None:
        deadline = time.monotonic() + _START_S
        while time.monotonic() < deadline:
            if not self.is_running():
                raise EngineFailed(f"The engine ended at once. Its last words, from {log}:\n{_tail(log)}")
            if self._answers():
                return
            time.sleep(0.05)
        raise EngineFailed(f"The engine did not answer within {_START_S:.0f} s; see {log}.")

    def _answers(self) -> bool:
        connection = self._connection()
        try:
            connection.request("GET", "/_ministack/health")
            return connection.getresponse().status == 200
        except OSError:
            return False
        finally:
            connection.close()

    def _connection(self) -> http.client.HTTPConnection:
        if self._secured is None:
            return http.client.HTTPConnection("127.0.0.1", self._port, timeout=2)
        context = ssl.create_default_context(cafile=str(self._secured.roots))
        return http.client.HTTPSConnection("127.0.0.1", self._port, timeout=2, context=context)


def _locked(path: Path) -> IO[str]:
    """The file at `path`, locked as long as it is open. Raises `EngineFailed` if another service has it."""
    file = path.open("w")
    try:
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError as error:
        file.close()
        raise EngineFailed(f"Another service uses {path.parent}. Name another directory with --data-dir.") from error
    return file


def is_taken(port: int) -> bool:
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError:
            return True
    return False


def _tail(log: Path, *, lines: int = 8) -> str:
    return "\n".join(log.read_text(errors="replace").splitlines()[-lines:])
