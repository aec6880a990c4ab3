"""A source that sends as fast as it is asked to: nginx, on the loopback, without rights, in one directory."""

import ctypes
import dataclasses
import http.client
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from urllib.parse import urlencode, urlsplit

from infra.local.processes import free_ports

_CONFIG = """
daemon off; master_process off; pid {root}/nginx.pid; error_log {root}/error.log;
events {{ worker_connections 512; }}
http {{
    sendfile on; tcp_nopush on;
    types {{ video/mp4 mp4; audio/mp4 m4a; application/dash+xml mpd; application/rss+xml rss; }}
    log_format sent '$msec $request_time $body_bytes_sent $request_uri'; access_log {root}/access.log sent;
    client_body_temp_path {root}/t1; proxy_temp_path {root}/t2; fastcgi_temp_path {root}/t3;
    uwsgi_temp_path {root}/t4; scgi_temp_path {root}/t5;
    limit_conn_zone $arg_lane zone=lanes:1m; limit_conn_status 429;
    server {{ listen 127.0.0.1:{port}; root {root}/media; limit_rate $arg_rate; limit_conn lanes 1; }}
}}
"""
_NOBODY, _START_S = 65534, 10.0
_PR_SET_PDEATHSIG = 1


class NoSource(Exception):
    """There is no nginx here."""


@dataclasses.dataclass(frozen=True)
class Sent:
    """One reply: when it began and ended (epoch), and how many bytes of body it had."""

    began: float
    ended: float
    size: int
    path: str
    query: str = ""


@dataclasses.dataclass(frozen=True)
class Source:
    """Serves `media`. A URL may say how many bytes a second a connection gets, `rate`; nginx lets the first second's go
    at once. Of URLs with the same `lane` one is served at a time, and further connections are refused with 429.
    """

    origin: str
    media: Path
    log: Path

    def url(self, name: str, *, rate: float | None = None, **query: object) -> str:
        said = query | ({} if rate is None else {"rate": int(rate)})
        return f"http://{self.origin}/{name}" + (f"?{urlencode(said)}" if said else "")

    def sent(self) -> list[Sent]:
        """All replies so far, in the order of their ends."""
        found = []
        for line in self.log.read_text().splitlines():
            end, took, size, uri = line.split(" ", 3)
            path, _, query = uri.partition("?")
            found.append(Sent(float(end) - float(took), float(end), int(size), path, query))
        return found

    def read(self, name: str, *, rate: float | None = None) -> float:
        """Seconds that a client takes which does nothing but read."""
        parts = urlsplit(self.url(name, rate=rate))
        buffer, started = bytearray(1 << 20), time.perf_counter()
        connection = http.client.HTTPConnection(self.origin, timeout=120)
        connection.request("GET", f"{parts.path}?{parts.query}")
        reply = connection.getresponse()
        while reply.readinto(buffer):
            pass
        connection.close()
        return time.perf_counter() - started


@contextmanager
def serve(root: Path) -> Iterator[Source]:
    """Raises `NoSource`. `root` is new, and `root/media` what is served."""
    program = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if program is None:
        raise NoSource("there is no nginx; `make bench` installs it where root and apt are")
    media = root / "media"
    media.mkdir(parents=True)
    port = free_ports(1)[0]
    (root / "nginx.conf").write_text(_CONFIG.format(root=root, port=port))
    owner = {}
    if os.getuid() == 0:
        owner = {"user": _NOBODY, "group": _NOBODY, "extra_groups": []}
        _open(root)
    command = [program, "-p", str(root), "-e", str(root / "error.log"), "-c", str(root / "nginx.conf")]
    process = subprocess.Popen(command, stdin=subprocess.DEVNULL, preexec_fn=_end_with_parent, **owner)  # type: ignore[call-overload]  # noqa: PLW1509 - no thread of ours runs yet
    source = Source(f"127.0.0.1:{port}", media, root / "access.log")
    try:
        _wait(source, process)
        yield source
    finally:
        process.terminate()
        process.wait(20)


def _end_with_parent() -> None:
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)


def _open(root: Path) -> None:
    """nobody may write here, and get here: through directories that are ours, made by `tempfile` for us alone."""
    os.chown(root, _NOBODY, _NOBODY)
    for parent in root.parents:
        if parent.stat().st_uid == os.getuid() and parent.stat().st_mode & 0o777 == 0o700:
            parent.chmod(0o711)


def _wait(source: Source, process: "subprocess.Popen[bytes]") -> None:
    deadline = time.monotonic() + _START_S
    while True:
        try:
            source.read("")
        except OSError:
            if process.poll() is not None or time.monotonic() > deadline:
                raise NoSource("nginx does not start") from None
            time.sleep(0.05)
        else:
            return
