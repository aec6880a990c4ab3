"""Files that are fetched in ranges where one connection is slow, and by one where the source wants that."""

import collections
import hashlib
import struct
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import yt_dlp
from yt_dlp.downloader.common import FileDownloader
from yt_dlp.downloader.http import HttpFD
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import DownloadError

from downloader.fetcher import patches, ranges
from downloader.fetcher.objections import CONNECTIONS
from downloader.fetcher.timing import TimeUp, at_most
from infra.local.media import MediaHandler, MediaServer
from reelhaul.errors import SourceChanged
from tests.media import SourceServer
from tests.unit.downloader.fetching import Fetching

WHOLE = b"".join(hashlib.sha256(str(number).encode()).digest() for number in range(64 * 1024))  # 2 MiB
_BLOCK_BYTES = 8192
_WAIT_S = 30.0

Fetch = Callable[..., Path]


class _Handler(MediaHandler):
    server: "Miserly"

    def do_GET(self) -> None:  # noqa: N802 - named by the base class
        server = self.server
        is_piece = self.headers.get("Range", "-").rpartition("-")[2] != ""
        with server.lock:
            server.asked.append(self.headers.get("Range"))
            server.busy |= {self} if is_piece else set()  # who is left alone does not notice at once
            server.most_busy = max(len(server.busy), server.most_busy)
        try:
            first, last, status = self._range(len(server.whole))
            refusal = server.refuse(first) if is_piece else server.refuse_one()
            if is_piece and server.ignores_ranges:
                first, last, status = 0, len(server.whole) - 1, 200
            if self.headers.get("If-Range") not in {None, server.etag}:
                first, last, status = 0, len(server.whole) - 1, 200
            if refusal:
                self._refuse(refusal)
                return
            self.send_response(status)
            self.send_header("Content-Length", str(last - first + 1))
            self.send_header("ETag", server.etag)
            if status == 206:
                self.send_header("Content-Range", f"bytes {first}-{last}/{len(server.whole)}")
            self.end_headers()
            self._send(first, last + 1, is_slow=not is_piece)
        finally:
            self._is_done()

    def _refuse(self, status: int) -> None:
        self.send_response(status)
        for name, value in self.server.refuses_with.items():
            self.send_header(name, value)
        self.send_header("Content-Length", "0")
        self.end_headers()

    def _is_done(self) -> None:
        with self.server.lock:
            self.server.busy.discard(self)

    def _send(self, first: int, end: int, *, is_slow: bool) -> None:
        server = self.server
        for start in range(first, end, _BLOCK_BYTES):
            if not is_slow and server.breaks_at is not None and start >= server.breaks_at:
                self.close_connection = True
                return
            if start + _BLOCK_BYTES >= end:
                self._is_done()  # whoever has the last byte may ask for more before this thread comes to say so
            self.wfile.write(server.whole[start : min(end, start + _BLOCK_BYTES)])
            time.sleep(server.slow_s if is_slow else server.piece_s)


class Miserly(MediaServer):
    """Sends a file slowly to whoever wants all of it, and ranges with an end as fast as `piece_s` says."""

    ignores_ranges = False
    slow_s, piece_s = 0.02, 0.0
    breaks_at: int | None = None

    def __init__(self, directory: Path) -> None:
        super().__init__(directory, _Handler)
        self.whole, self.etag = WHOLE, '"one"'
        self.lock = threading.Lock()
        self.asked: list[str | None] = []
        self.busy: set[_Handler] = set()
        self.most_busy = 0
        self.refuses_with: dict[str, str] = {}
        self.refuse: Callable[[int], int | None] = lambda _: None
        self.refuse_one: Callable[[], int | None] = lambda: None

    @property
    def pieces(self) -> list[str]:
        return [one for one in self.asked if one and not one.endswith("-")]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Miserly]:
    with Miserly(tmp_path) as server:
        yield server


@pytest.fixture
def fetch(server: Miserly, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fetch:
    """Everything about it is small, so that no test has to wait for long."""
    sizes = {"LEAST_BYTES": 64 * 1024, "MOST_BYTES": 64 * 1024, "TAIL_BYTES": 4096}
    # Others are worth it here even while the machine has no time for them: how fast they are, a busy one cannot tell.
    for name, value in {"LOOK_S": 0.3, "WORTH_S": 0.5, "GAIN": 0.5, **sizes}.items():
        monkeypatch.setattr(ranges, name, value)
    monkeypatch.setattr(ranges, "_PATIENCE_S", (0.1, 0.1, 0.1))
    monkeypatch.setattr(ranges, "_FIRST_PATIENCE_S", (0.1, 0.1))
    monkeypatch.setattr(HttpFD, "real_download", ranges.ranged(HttpFD.real_download))
    monkeypatch.setattr(FileDownloader, "best_block_size", staticmethod(lambda *_: _BLOCK_BYTES))
    keeping = patches._keeping_the_error(FileDownloader.report_retry)  # noqa: SLF001 - as `apply`, for this once
    monkeypatch.setattr(FileDownloader, "report_retry", keeping)

    def fetch(*, connections: int = 4, hook: Callable[[dict[str, Any]], object] = lambda _: None) -> Path:
        parameters = {
            "quiet": True, "noprogress": True, "proxy": "", "cachedir": False, "retries": 0, CONNECTIONS: connections,
            "progress_hooks": [hook], "updatetime": False,
        }  # fmt: skip
        path = tmp_path / "track"
        with yt_dlp.YoutubeDL(parameters) as ydl:
            ydl.dl(str(path), {"url": server.url("file"), "id": "x", "title": "x", "ext": "bin", "protocol": "http"})
        return path

    return fetch


def test_slow_connection_is_joined_by_others(server: Miserly, fetch: Fetch) -> None:
    server.piece_s = 0.005
    sizes: list[int] = []
    path = fetch(hook=lambda status: sizes.append(status["downloaded_bytes"]))
    assert path.read_bytes() == WHOLE
    assert len(server.pieces) > 4
    assert server.most_busy <= 4
    assert sizes == sorted(sizes)
    first, *rest = server.asked
    assert first is None
    assert [one for one in rest if one not in server.pieces] == [f"bytes={len(WHOLE) - 4096}-"]
    assert max(collections.Counter(server.pieces).values()) == 1


@pytest.mark.parametrize(("connections", "slow_bytes_per_s"), [(1, 4 * 1024**2), (4, 1)])
def test_one_connection_is_enough_if_it_is_fast_or_no_other_is_wanted(
    server: Miserly, fetch: Fetch, monkeypatch: pytest.MonkeyPatch, connections: int, slow_bytes_per_s: int
) -> None:
    monkeypatch.setattr(ranges, "SLOW_BYTES_PER_S", slow_bytes_per_s)
    server.slow_s = 0.005
    assert fetch(connections=connections).read_bytes() == WHOLE
    assert server.asked == [None]


@pytest.mark.parametrize("connections", [1, 4])
@pytest.mark.parametrize("status", [403, 429, 503])
def test_server_that_does_not_take_the_first_connection_yet_is_asked_again_once(
    server: Miserly, fetch: Fetch, connections: int, status: int
) -> None:
    refusals = [status]
    server.slow_s, server.refuse_one = 0.0, lambda: refusals.pop() if refusals else None
    assert fetch(connections=connections).read_bytes() == WHOLE
    assert server.asked == [None, None]


def test_server_that_takes_no_connection_is_not_pestered(server: Miserly, fetch: Fetch) -> None:
    server.refuse_one = lambda: 429
    with pytest.raises((HTTPError, DownloadError)):
        fetch()
    assert server.asked == [None, None, None]


def test_server_that_says_when_to_come_again_is_not_asked_before(server: Miserly, fetch: Fetch) -> None:
    server.refuse_one, server.refuses_with = lambda: 429, {"Retry-After": "7"}
    with pytest.raises((HTTPError, DownloadError)):
        fetch()
    assert server.asked == [None]


def test_server_that_still_sees_the_others_is_asked_for_the_end_again(server: Miserly, fetch: Fetch) -> None:
    refusals = [429]
    server.refuse_one = lambda: refusals.pop() if server.pieces and refusals else None
    assert fetch().read_bytes() == WHOLE
    assert server.asked.count(f"bytes={len(WHOLE) - 4096}-") == 2


def test_source_that_divides_its_speed_among_connections_is_asked_by_one(
    server: Miserly, fetch: Fetch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(ranges, "GAIN", 1e6)  # far from both, 1.1 and what a busy machine makes of it
    server.piece_s = 0.2
    assert fetch().read_bytes() == WHOLE
    assert len(server.pieces) == 1
    assert len(server.asked) == 2


@pytest.mark.parametrize("objection", ["ignores", 403, 404, 429, 503, "breaks"])
def test_source_that_wants_no_other_connection_loses_nothing(
    server: Miserly, fetch: Fetch, objection: str | int
) -> None:
    server.ignores_ranges = objection == "ignores"
    server.breaks_at = 0 if objection == "breaks" else None
    if isinstance(objection, int):
        server.refuse = lambda _: objection
    assert fetch().read_bytes() == WHOLE
    assert [one for one in server.asked if one not in server.pieces] == [None]  # the first goes on


@pytest.mark.parametrize("objection", [403, 429, 503, "breaks"])
def test_source_that_objects_later_is_asked_by_one_for_the_rest(
    server: Miserly, fetch: Fetch, objection: str | int
) -> None:
    late = len(WHOLE) // 2
    server.breaks_at = late if objection == "breaks" else None
    if isinstance(objection, int):
        refusals = iter([objection, objection])
        server.refuse = lambda first: objection if first >= late else None
        server.refuse_one = lambda: next(refusals, None) if len(server.asked) > 1 else None
    sizes: list[int] = []
    assert fetch(hook=lambda status: sizes.append(status["downloaded_bytes"])).read_bytes() == WHOLE
    assert sizes == sorted(sizes)
    again = [one for one in server.asked if one and one not in server.pieces]
    assert all(int(one[len("bytes=") : -1]) > late // 2 for one in again)  # from where the bytes stopped
    assert len(set(again)) == 1


def test_source_that_keeps_objecting_has_an_error_of_its_own(server: Miserly, fetch: Fetch) -> None:
    server.refuse = lambda first: 429 if first >= len(WHOLE) // 2 else None
    server.refuse_one = lambda: 429 if len(server.asked) > 1 else None
    with pytest.raises(HTTPError) as caught:
        fetch()
    assert caught.value.status == 429


def test_ranges_of_another_file_are_not_joined(server: Miserly, fetch: Fetch) -> None:
    def change(first: int) -> None:
        if first >= len(WHOLE) // 2:
            server.etag, server.whole = '"two"', bytes(len(WHOLE))

    server.refuse = change
    with pytest.raises(SourceChanged):
        fetch()


def test_whoever_is_out_of_time_keeps_what_has_been_appended(server: Miserly, fetch: Fetch, tmp_path: Path) -> None:
    server.piece_s = 0.01

    def hook(status: dict[str, Any]) -> None:
        if server.pieces and status["downloaded_bytes"] > len(WHOLE) // 2:
            raise TimeUp

    with pytest.raises(TimeUp), at_most(_WAIT_S):
        fetch(hook=hook)
    came = (tmp_path / "track.part").read_bytes()
    assert len(came) > len(WHOLE) // 2
    assert came == WHOLE[: len(came)]
    assert fetch().read_bytes() == WHOLE


def test_fetcher_takes_several_connections_to_what_is_slow(
    fetching: Fetching, source: SourceServer, media: Path
) -> None:
    padding = struct.pack(">I4s", 1_500_000, b"free") + WHOLE[: 1_500_000 - 8]
    whole = (media / "clip.mp4").read_bytes() + padding
    (media / "slow.mp4").write_bytes(whole)
    fetched = fetching(f"slow/slow.mp4?rate={len(whole) // 20}")
    assert fetched.path.read_bytes() == whole
    assert source.hits["/slow/slow.mp4"] > 6
    assert fetching.received_bytes < len(whole) * 1.15  # what one had sent when several took over, and headers
