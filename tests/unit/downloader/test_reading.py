"""Media that are read as they come, whole and without a byte that had come being lost."""

import gzip
import hashlib
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yt_dlp
from yt_dlp.downloader.http import HttpFD
from yt_dlp.utils import DownloadError

from downloader.fetcher import reading
from downloader.fetcher.timing import TimeUp
from infra.local.media import MediaHandler, MediaServer
from tests.authority import Authority

WHOLE = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(20_000))
SO_FAR = 300_001  # bytes that come before the source pauses
_BLOCK_BYTES = 256 * 1024
_WAIT_S = 30.0

Fetch = Callable[..., Path]
Hook = Callable[[dict[str, Any]], object]


class _Handler(MediaHandler):
    server: "Pausing"

    def do_GET(self) -> None:  # noqa: N802 - named by the base class
        self.send_response(200)
        self.send_header("Connection", "close")
        self.close_connection = True
        getattr(self, f"_send_{self.path.lstrip('/')}")()

    def _send_paused(self) -> None:
        self._begin(len(WHOLE))
        self.wfile.write(WHOLE[:SO_FAR])
        self.server.was_heard = self.server.has_come.wait(_WAIT_S)
        self.wfile.write(WHOLE[SO_FAR:])

    def _send_dribbled(self) -> None:
        self._begin(len(WHOLE))
        for start in range(0, len(WHOLE), 16 * 1024):
            self.wfile.write(WHOLE[start : start + 16 * 1024])
            time.sleep(0.002)

    def _send_small(self) -> None:
        self._begin(1000)
        self.wfile.write(WHOLE[:1000])

    def _send_half(self) -> None:
        self._begin(len(WHOLE))
        self.wfile.write(WHOLE[:SO_FAR])

    def _send_chunked(self) -> None:
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        for start in range(0, len(WHOLE), 50_000):
            chunk = WHOLE[start : start + 50_000]
            self.wfile.write(b"%x\r\n%b\r\n" % (len(chunk), chunk))
        self.wfile.write(b"0\r\n\r\n")

    def _send_encoded(self) -> None:
        data = gzip.compress(WHOLE)
        self.send_header("Content-Encoding", "gzip")
        self._begin(len(data))
        self.wfile.write(data)

    def _begin(self, length: int) -> None:
        self.send_header("Content-Length", str(length))
        self.end_headers()


class Pausing(MediaServer):
    """/paused has so much, and then nothing until `has_come` is set; the others are called for what they do."""

    def __init__(self, directory: Path, tls: ssl.SSLContext | None) -> None:
        super().__init__(directory, _Handler)
        self.has_come = threading.Event()
        self.was_heard = False
        self.scheme = "https" if tls else "http"
        if tls:
            self.socket = tls.wrap_socket(self.socket, server_side=True)


@pytest.fixture(params=["plain", "TLS"])
def server(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Pausing]:
    tls = Authority(tmp_path / "authority").server_context() if request.param == "TLS" else None
    with Pausing(tmp_path, tls) as server:
        yield server
        server.has_come.set()


@pytest.fixture
def fetch(server: Pausing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    """In blocks of one size."""
    monkeypatch.setattr(HttpFD, "real_download", reading.as_it_comes(HttpFD.real_download))

    def fetch(path: str, hook: Hook = lambda _: None) -> Path:
        parameters = {
            "quiet": True, "proxy": "", "cachedir": False, "retries": 0, "updatetime": False, "progress_hooks": [hook],
            "buffersize": _BLOCK_BYTES, "noresizebuffer": True, "nocheckcertificate": True,
        }  # fmt: skip
        info = {"id": "x", "title": "x", "ext": "bin", "protocol": server.scheme}
        with yt_dlp.YoutubeDL(parameters) as ydl:
            ydl.dl(str(tmp_path / "track"), {**info, "url": f"{server.scheme}://{server.origin}/{path}"})
        return tmp_path / "track"

    return fetch


def test_what_has_come_is_there_while_the_source_pauses(server: Pausing, fetch: Fetch) -> None:
    def hook(status: dict[str, Any]) -> None:
        if status["downloaded_bytes"] == SO_FAR:
            server.has_come.set()

    assert fetch("paused", hook).read_bytes() == WHOLE
    assert server.was_heard


def test_whoever_is_out_of_time_has_all_that_has_come(server: Pausing, fetch: Fetch, tmp_path: Path) -> None:
    def hook(status: dict[str, Any]) -> None:
        if status["downloaded_bytes"] == SO_FAR:
            raise TimeUp

    with pytest.raises(TimeUp):
        fetch("paused", hook)
    assert (tmp_path / "track.part").read_bytes() == WHOLE[:SO_FAR]
    assert not server.was_heard


def test_what_comes_within_a_moment_is_one_block(fetch: Fetch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "MOMENT_S", _WAIT_S)
    blocks: list[int] = []
    assert fetch("dribbled", lambda status: blocks.append(status["downloaded_bytes"])).read_bytes() == WHOLE
    full = [_BLOCK_BYTES * number for number in range(1, len(WHOLE) // _BLOCK_BYTES + 1)]
    assert blocks[: len(full)] == full


@pytest.mark.parametrize("moment_s", [0.0, _WAIT_S])
@pytest.mark.parametrize(("path", "expected"), [
    ("dribbled", WHOLE), ("small", WHOLE[:1000]), ("chunked", WHOLE), ("encoded", WHOLE),
])  # fmt: skip
def test_all_comes_whatever_it_is_sent_in(
    fetch: Fetch, monkeypatch: pytest.MonkeyPatch, path: str, expected: bytes, moment_s: float
) -> None:
    """And nobody waits at its end."""
    monkeypatch.setattr(reading, "MOMENT_S", moment_s)
    assert fetch(path).read_bytes() == expected


@pytest.mark.parametrize("moment_s", [0.0, _WAIT_S])
def test_file_that_is_cut_short_is_an_error_after_its_last_byte(
    fetch: Fetch, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, moment_s: float
) -> None:
    monkeypatch.setattr(reading, "MOMENT_S", moment_s)
    with pytest.raises(DownloadError, match="bytes"):
        fetch("half")
    assert (tmp_path / "track.part").read_bytes() == WHOLE[:SO_FAR]
