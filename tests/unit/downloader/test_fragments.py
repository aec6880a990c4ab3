"""What comes in fragments: in order, never far ahead, stopped in time, and gone on with."""

import collections
import contextlib
import itertools
import re
import signal
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO, Any
from urllib.parse import urlsplit

import pytest
import yt_dlp
from yt_dlp.downloader.common import FileDownloader
from yt_dlp.downloader.fragment import FragmentFD
from yt_dlp.downloader.hls import HlsFD
from yt_dlp.networking.exceptions import HTTPError
from yt_dlp.utils import DownloadError

from downloader.fetcher import fragments, live, patches
from downloader.fetcher.fragments import KEY, Fragments, Stopped
from downloader.fetcher.objections import CONNECTIONS
from downloader.fetcher.options import RETRIES
from downloader.fetcher.timing import TimeUp, at_most
from infra.local.media import ffmpeg
from reelhaul.errors import SourceChanged, SourceRateLimited
from tests.media import SourceHandler, SourceServer
from tests.unit.downloader.fetching import Fetching

_PICTURE = ["-f", "lavfi", "-i", "testsrc2=size=64x36:rate=10:duration=5"]
_CODEC = ["-c:v", "libx264", "-preset", "ultrafast", "-g", "2", "-pix_fmt", "yuv420p"]
_LIST = ["-f", "hls", "-hls_time", "0.2", "-hls_playlist_type", "vod"]
_HELD_FROM = 10  # requests for media, after which the source waits for the stop
_WAIT_S = 30.0

_PARAMETERS: dict[str, Any] = {
    "quiet": True, "noprogress": True, "proxy": "", "cachedir": False, "hls_prefer_native": True, "format": "bv*",
    "concurrent_fragment_downloads": 8, CONNECTIONS: 4, "_no_ytdl_file": True,
    "skip_unavailable_fragments": False, "fragment_retries": 0, "retries": 0,
}  # fmt: skip

KINDS = {
    "ts/list.m3u8": None, "fmp4/list.m3u8": "init.mp4", "ranges/list.m3u8": None, "aes/list.m3u8": None,
    "mapped/list.m3u8": "mapped", "dash/manifest.mpd": "init-stream0.m4s",
}  # fmt: skip


@pytest.fixture(scope="session")
def lists(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """One clip in 25 fragments of each kind."""
    place = tmp_path_factory.mktemp("lists")
    clip = str(place / "clip.mp4")
    ffmpeg(*_PICTURE, *_CODEC, clip)
    (place / "key").write_bytes(bytes(range(16)))
    (place / "key-info").write_text(f"/key\n{place / 'key'}\n")
    fmp4 = ["-hls_segment_type", "fmp4"]
    kinds = {
        "ts": [], "fmp4": fmp4, "ranges": ["-hls_flags", "single_file"],
        "aes": ["-hls_key_info_file", str(place / "key-info")], "mapped": [*fmp4, "-hls_flags", "single_file"],
    }  # fmt: skip
    for name, arguments in kinds.items():
        (place / name).mkdir()
        ffmpeg("-i", clip, "-c", "copy", *_LIST, *arguments, str(place / name / "list.m3u8"))
    (place / "dash").mkdir()
    ffmpeg("-i", clip, "-c", "copy", "-f", "dash", "-seg_duration", "0.2", str(place / "dash" / "manifest.mpd"))
    return place


class _Handler(SourceHandler):
    server: "Lists"

    def do_GET(self) -> None:  # noqa: N802 - named by the base class
        path = urlsplit(self.path).path
        with self.server.lock:
            self.server.asked.append(path)
            self.server.busy.add(self)
            self.server.most_busy = max(len(self.server.busy), self.server.most_busy)
        self.server.before(path, len(self.server.asked))
        try:
            if path in self.server.broken:
                self.serve_status(self.server.broken[path])
            else:
                super().do_GET()
        finally:
            self._is_done()

    def send_bytes(self, file: IO[bytes], count: int) -> None:
        """Whoever has the last byte may ask for more before this thread comes to say that it is done."""
        super().send_bytes(file, count - 1)
        self._is_done()
        super().send_bytes(file, 1)

    def _is_done(self) -> None:
        with self.server.lock:
            self.server.busy.discard(self)


class Lists(SourceServer):
    """`before` is called with each path, and the number of requests by then, before it is served."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.RequestHandlerClass = _Handler
        self.lock = threading.Lock()
        self.asked: list[str] = []
        self.busy: set[_Handler] = set()
        self.most_busy = 0
        self.broken: dict[str, str] = {}
        self.before: Callable[[str, int], object] = lambda *_: None


@pytest.fixture
def server(lists: Path) -> Iterator[Lists]:
    with Lists(lists) as server:
        yield server


@pytest.fixture
def plain(server: Lists, tmp_path: Path) -> Callable[[str], bytes]:
    """What yt-dlp by itself makes of a list."""

    def plain(path: str) -> bytes:
        target = tmp_path / "plain"
        _download(server.url(path), target)
        data = target.read_bytes()
        target.unlink()
        server.asked.clear()
        return data

    return plain


@contextlib.contextmanager
def _patched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Of what `patches.apply` does to every use of yt-dlp, that which matters here, for a while."""
    keeping = patches._keeping_the_error(FileDownloader.report_retry)  # noqa: SLF001 - as `apply`, for this once
    with monkeypatch.context() as patch:
        original = FragmentFD.download_and_append_fragments
        patch.setattr(FragmentFD, "download_and_append_fragments", fragments.bounded(original))
        patch.setattr(FragmentFD, "download_and_append_fragments_multiple", fragments.side_by_side)
        patch.setattr(FileDownloader, "report_retry", keeping)
        patch.setattr(HlsFD, "can_download", fragments.noting(HlsFD.__dict__["can_download"]))
        yield


@pytest.fixture
def patched(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with _patched(monkeypatch):
        yield


@pytest.fixture
def fetch(server: Lists, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    def fetch(path: str, target: Path, ours: Fragments | None) -> None:
        with _patched(monkeypatch):
            _download(server.url(path), target, ours)

    return fetch


def _download(url: str, target: Path, ours: Fragments | None = None) -> None:
    with yt_dlp.YoutubeDL(dict(_PARAMETERS)) as ydl:
        info = ydl.extract_info(url, download=False)
        chosen = (info.get("requested_formats") or [info])[0]
        given = {} if ours is None else {KEY: ours}
        ydl.dl(str(target), {**info, **chosen, **given})


def _part(target: Path) -> Path:
    return target.with_name(target.name + ".part")


def _stop_in_the_middle(server: Lists, ours: Fragments) -> None:
    def before(_: str, count: int) -> None:
        if count > _HELD_FROM:
            ours.stop()

    server.before = before


@pytest.mark.parametrize("path", KINDS)
def test_track_is_what_yt_dlp_makes_of_it(
    path: str, server: Lists, fetch: Callable[..., None], plain: Callable[[str], bytes], tmp_path: Path
) -> None:
    expected, ours = plain(path), Fragments()
    server.most_busy = 0
    fetch(path, tmp_path / "track", ours)
    assert (tmp_path / "track").read_bytes() == expected
    assert (ours.done, ours.done_bytes) == (ours.total, len(expected))
    assert ours.total >= 25
    assert len(ours.digest) == 64
    assert server.most_busy <= 4


@pytest.mark.parametrize("path", KINDS)
def test_stopped_track_is_gone_on_with_in_a_new_file(
    path: str, server: Lists, fetch: Callable[..., None], plain: Callable[[str], bytes], lists: Path, tmp_path: Path
) -> None:
    expected, ours = plain(path), Fragments()
    _stop_in_the_middle(server, ours)
    with pytest.raises(Stopped):
        fetch(path, tmp_path / "first", ours)
    first = _part(tmp_path / "first").read_bytes()
    assert 0 < ours.done < ours.total
    assert first == expected[: ours.done_bytes]
    assert not list(tmp_path.glob("*Frag*"))

    later = Fragments(start=ours.done, count=ours.total, digest=ours.digest)
    server.before = lambda *_: None
    fetch(path, tmp_path / "second", later)
    second = (tmp_path / "second").read_bytes()
    head = len(expected) - len(first)
    assert second[-head:] == expected[len(first) :]
    assert second[:-head] == _head(lists / path, expected)
    assert (later.done, later.done_bytes) == (later.total, len(second))


def _head(listed: Path, whole: bytes) -> bytes:
    """The init segment: a file of its own, or so many bytes of the only one."""
    name = KINDS[f"{listed.parent.name}/{listed.name}"]
    if name is None:
        return b""
    if name == "mapped":
        found = re.search(r'BYTERANGE="(\d+)@0"', listed.read_text())
        assert found
        return whole[: int(found[1])]
    return (listed.parent / name).read_bytes()


@pytest.mark.parametrize("path", KINDS)
def test_stopped_track_is_gone_on_with_in_its_file(
    path: str, server: Lists, fetch: Callable[..., None], plain: Callable[[str], bytes], tmp_path: Path
) -> None:
    expected, ours = plain(path), Fragments()
    _stop_in_the_middle(server, ours)
    with pytest.raises(Stopped):
        fetch(path, tmp_path / "track", ours)
    server.before = lambda *_: None
    fetch(path, tmp_path / "track", Fragments(start=ours.done, count=ours.total, digest=ours.digest))
    assert (tmp_path / "track").read_bytes() == expected


def test_track_that_was_stopped_after_its_last_fragment_is_complete(
    server: Lists, fetch: Callable[..., None], plain: Callable[[str], bytes], tmp_path: Path
) -> None:
    expected, ours = plain("ts/list.m3u8"), Fragments()
    fetch("ts/list.m3u8", tmp_path / "track", ours)
    (tmp_path / "track").rename(_part(tmp_path / "track"))
    server.asked.clear()
    later = Fragments(start=ours.total, count=ours.total, digest=ours.digest)
    fetch("ts/list.m3u8", tmp_path / "track", later)
    assert (tmp_path / "track").read_bytes() == expected
    assert (later.done, later.done_bytes) == (later.total, len(expected))
    assert not [path for path in server.asked if path.endswith(".ts")]


@pytest.mark.parametrize(("count", "digest", "start"), [(24, None, 3), (None, "0" * 64, 3), (None, None, 10**6)])
def test_list_that_is_another_is_not_gone_on_with(
    count: int | None, digest: str | None, start: int, server: Lists, fetch: Callable[..., None], tmp_path: Path
) -> None:
    known = Fragments()
    fetch("ts/list.m3u8", tmp_path / "track", known)
    server.asked.clear()
    later = Fragments(start=start, count=count or known.total, digest=digest or known.digest)
    with pytest.raises(SourceChanged):
        fetch("ts/list.m3u8", tmp_path / "again", later)
    assert not [path for path in server.asked if path.endswith(".ts")]


def test_segments_of_other_lengths_are_another_list(
    server: Lists, fetch: Callable[..., None], lists: Path, tmp_path: Path
) -> None:
    known, changed = Fragments(), Fragments()
    fetch("ts/list.m3u8", tmp_path / "track", known)
    text = (lists / "ts" / "list.m3u8").read_text().replace("#EXTINF:0.200000,", "#EXTINF:0.190000,", 1)
    (lists / "ts" / "changed.m3u8").write_text(text)
    fetch("ts/changed.m3u8", tmp_path / "changed", changed)
    assert (known.total, known.digest) != (changed.total, changed.digest)
    assert known.total == changed.total


def test_no_more_is_asked_for_than_can_be_appended(
    server: Lists, fetch: Callable[..., None], monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(fragments, "AHEAD_BYTES", 1)
    stuck, seen = threading.Event(), itertools.count()

    def before(path: str, _: int) -> None:
        if path.endswith("list0.ts"):
            _settled(server, seen)
            stuck.set()

    server.before = before
    fetch("ts/list.m3u8", tmp_path / "track", Fragments())
    assert stuck.is_set()
    assert next(seen) <= 2 + 4  # fetched and waiting, and under way


def _settled(server: Lists, seen: "itertools.count[int]") -> None:
    """Wait until nothing more is asked for while the first is missing; `seen` is how many were by then."""
    asked, until, quiet = 0, time.monotonic() + _WAIT_S, 0
    while quiet < 20 and time.monotonic() < until:
        now = len([path for path in server.asked if path.endswith(".ts")])
        quiet, asked = (quiet + 1, asked) if now == asked else (0, now)
        time.sleep(0.02)
    for _ in range(asked):
        next(seen)


def test_fragment_that_is_gone_is_an_error_of_its_own_and_what_came_before_is_kept(
    server: Lists, fetch: Callable[..., None], plain: Callable[[str], bytes], tmp_path: Path
) -> None:
    expected, ours = plain("ts/list.m3u8"), Fragments()
    server.broken["/ts/list12.ts"] = "403"
    with pytest.raises(DownloadError) as caught:
        fetch("ts/list.m3u8", tmp_path / "track", ours)
    assert isinstance(caught.value.exc_info[1], HTTPError)
    assert caught.value.exc_info[1].status == 403
    assert ours.done == 12
    assert _part(tmp_path / "track").read_bytes() == expected[: ours.done_bytes]


def test_source_that_objects_to_several_connections_is_asked_by_one(
    server: Lists,
    fetch: Callable[..., None],
    plain: Callable[[str], bytes],
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
) -> None:
    expected = plain("ts/list.m3u8")
    monkeypatch.setitem(_PARAMETERS, "fragment_retries", 2)
    monkeypatch.setattr(fragments, "AHEAD_BYTES", 1)  # then two are under way, and two wait
    server.most_busy = 0
    busy_at: dict[int, int] = {}

    def before(path: str, _: int) -> None:
        if not path.endswith(".ts"):
            return
        number = int(path.removeprefix("/ts/list").removesuffix(".ts"))
        busy_at[number] = len(server.busy)
        if number == 1:
            wait_for(lambda: server.most_busy > 1)
        if number == 6:
            server.broken = {path: "429"} if server.asked.count(path) == 1 else {}

    server.before = before
    fetch("ts/list.m3u8", tmp_path / "track", Fragments())
    assert (tmp_path / "track").read_bytes() == expected
    assert {busy_at[number] for number in range(6 + 2 + 2 + 1, 25)} == {1}


def test_whoever_is_out_of_time_does_not_wait_for_what_is_under_way(
    server: Lists, fetch: Callable[..., None], plain: Callable[[str], bytes], tmp_path: Path
) -> None:
    expected, ours, released = plain("ts/list.m3u8"), Fragments(), threading.Event()

    def before(path: str, _: int) -> None:
        if path.endswith("list9.ts"):
            wait_for(lambda: ours.done == 9)
            signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGALRM)
            released.wait(_WAIT_S)

    server.before = before
    try:
        with pytest.raises(TimeUp), at_most(_WAIT_S):
            fetch("ts/list.m3u8", tmp_path / "track", ours)
        assert not released.is_set()
    finally:
        released.set()
    assert ours.done == 9
    assert _part(tmp_path / "track").read_bytes() == expected[: ours.done_bytes]


def wait_for(condition: Callable[[], object]) -> None:
    until = time.monotonic() + _WAIT_S
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    assert condition()


@pytest.mark.usefixtures("patched")
def test_two_tracks_of_a_live_stream_come_side_by_side_and_each_says_how_far_it_is(
    server: Lists, lists: Path, tmp_path: Path
) -> None:
    ours = [Fragments(), Fragments()]
    text = (lists / "ts" / "list.m3u8").read_text()
    tracks = []
    for number, one in enumerate(ours):
        recording = live.Recording(lambda _: (text, server.url("ts/list.m3u8")), "", seconds=1.9)
        track: dict[str, Any] = {
            "format_id": str(number), "url": server.url("ts/list.m3u8"), "protocol": "http_dash_segments_generator",
            "fragments": recording, "is_from_start": True, "filepath": str(tmp_path / f"track-{number}"), KEY: one,
        }  # fmt: skip
        tracks.append(track)
    info = {"id": "x", "title": "x", "ext": "mp4", "protocol": "+".join(track["protocol"] for track in tracks)}
    with yt_dlp.YoutubeDL(dict(_PARAMETERS)) as ydl:
        ydl.dl(str(tmp_path / "both"), {**info, "url": tracks[0]["url"], "requested_formats": tracks})
    expected = b"".join((lists / "ts" / f"list{number}.ts").read_bytes() for number in range(10))
    assert [(tmp_path / f"track-{number}").read_bytes() for number in (0, 1)] == [expected, expected]
    assert [(one.done, one.done_bytes) for one in ours] == [(10, len(expected))] * 2
    assert {live.Place.of(1, one.digest).recorded_s for one in ours} == {2.0}


def test_source_that_forbids_what_comes_beside_another_is_to_be_asked_by_one(server: Lists, fetching: Fetching) -> None:
    refused: collections.Counter[str] = collections.Counter()
    first = threading.Event()

    def before(path: str, _: int) -> None:
        if not path.endswith(".ts"):
            return
        with server.lock:
            is_first = not first.is_set()
            first.set()
            if not is_first and path in server.broken:
                refused[path] += 1
        if is_first:
            server.broken.pop(path)
            _wait_for(lambda: max(refused.values(), default=0) > RETRIES)

    server.before = before
    server.broken = {f"/ts/list{number}.ts": "403" for number in range(30)}
    fetching.source = server
    with pytest.raises(SourceRateLimited):
        fetching("ts/list.m3u8")


def _wait_for(condition: Callable[[], bool]) -> None:
    until = time.monotonic() + _WAIT_S
    while not condition() and time.monotonic() < until:
        time.sleep(0.02)
    assert condition()
