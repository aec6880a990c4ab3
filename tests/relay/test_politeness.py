"""What a source has said to one worker holds for those who go on with the job: real handler and fetchers, on moto."""

import contextlib
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import IO

import pytest

from infra.local.media import ffmpeg
from reelhaul.jobs import State
from tests.conftest import Cloud
from tests.integration.streaming import PATIENCE_S, make_large
from tests.media import SourceHandler
from tests.relay.comparing import assert_same
from tests.relay.conftest import Submit
from tests.relay.pieces import make_pieces
from tests.relay.relaying import Rationed, RationedHandler, Timed, invocation, stored

_COMPANY_S = 0.3  # for how long each request waits for another one to come


class _Handler(RationedHandler):
    server: "Shy"

    def do_GET(self) -> None:  # noqa: N802 - named by the base class
        if not self.path.endswith(".ts"):
            super().do_GET()
            return
        server = self.server
        with server.changed:
            server.busy += 1
            server.most_busy = max(server.busy, server.most_busy)
            server.changed.notify_all()
            server.changed.wait_for(lambda: server.busy > 1, _COMPANY_S)
            objects, server.objects = server.objects, False
        try:
            if objects:
                self.serve_status("429")
            else:
                super().do_GET()
        finally:
            with server.changed:
                server.busy -= 1
                server.changed.notify_all()


class Shy(Rationed):
    """Objects once. `most_busy`: how many segments were asked for at a time."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.RequestHandlerClass = _Handler
        self.breath_bytes = 2**40
        self.changed = threading.Condition()
        self.busy = self.most_busy = 0
        self.objects = True


class _SolitaryHandler(SourceHandler):
    server: "Solitary"

    def do_GET(self) -> None:  # noqa: N802 - named by the base class
        if not self.path.endswith(".mp4"):
            super().do_GET()
        elif self.server.free.acquire(blocking=False):
            try:
                super().do_GET()
            finally:
                self.server.free.release()
        else:
            self.serve_status("403")

    def send_bytes(self, file: IO[bytes], count: int) -> None:
        held = count // 2 if self.path.endswith(".mp4") else 0
        super().send_bytes(file, count - held)
        self.wfile.flush()
        if held:
            self.server.goes_on.wait(PATIENCE_S)
        with contextlib.suppress(OSError):
            super().send_bytes(file, held)


class Solitary(Timed):
    """Has one connection for files, which does not come to its end before it `goes_on`, and forbids all others."""

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.RequestHandlerClass = _SolitaryHandler
        self.free, self.goes_on = threading.Lock(), threading.Event()


class TestTwoTracks:
    @pytest.fixture
    def source(self, media: Path) -> Iterator[Solitary]:
        make_pieces(media)
        with Solitary(media) as server:
            yield server
            server.goes_on.set()

    def test_of_a_source_that_allows_one_connection_come_one_after_the_other(
        self, cloud: Cloud, source: Solitary, submit: Submit, work: Path
    ) -> None:
        job = submit("large/two/manifest.mpd")
        first = invocation(cloud, job)
        assert (first.state, first.attempts) == (State.QUEUED, 0), first
        source.goes_on.set()
        assert source.free.acquire(timeout=PATIENCE_S)
        source.free.release()

        done = invocation(cloud, job)

        made, single = work.parent / "made.mp4", work.parent / "single.mp4"
        made.write_bytes(stored(cloud, done))
        tracks = [str(source.directory / "large" / "two" / name) for name in ("video.mp4", "audio.mp4")]
        ffmpeg("-i", tracks[0], "-i", tracks[1], "-c", "copy", str(single))
        assert_same(made, single)
        assert done.attempts == 1


@pytest.fixture
def source(media: Path) -> Iterator[Shy]:
    make_large(media)
    with Shy(media) as server:
        yield server
        server.give(0)


def test_source_that_has_objected_is_asked_by_one_in_later_invocations_too(
    cloud: Cloud, source: Shy, submit: Submit, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCE_CONNECTIONS", "4")
    job = submit("large/list.m3u8", container="mkv")
    source.give(5)
    first = invocation(cloud, job)
    assert (first.state, first.attempts, source.most_busy > 1) == (State.QUEUED, 0, True)
    source.give(0)
    with source.changed:
        assert source.changed.wait_for(lambda: source.busy == 0, PATIENCE_S)
        source.most_busy = 0

    source.give(5)
    second = invocation(cloud, job)

    assert (second.state, second.attempts, source.most_busy) == (State.QUEUED, 0, 1)
