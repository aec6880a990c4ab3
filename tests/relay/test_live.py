"""Recordings of live streams that take several invocations: real handler and fetchers, on moto."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

import pytest

from infra.local.media import ffmpeg
from reelhaul.jobs import Job, State
from reelhaul.options import Clip
from tests.conftest import Cloud
from tests.media import SourceHandler, probed
from tests.relay.conftest import Submit
from tests.relay.relaying import Timed, invocation, stored

SECONDS, END = 20, 40

Record = Callable[[], Job]


class _Handler(SourceHandler):
    server: "Broadcast"

    def send_bytes(self, file: IO[bytes], count: int) -> None:
        super().send_bytes(file, count)
        self.server.clock.given()

    def serve_stream_m3u8(self, _: str) -> None:
        self._send_window("long")

    def serve_picture_m3u8(self, _: str) -> None:
        self._send_window("picture")

    def serve_sound_m3u8(self, _: str) -> None:
        self._send_window("sound")

    def serve_both_m3u8(self, _: str) -> None:
        sound = '#EXT-X-MEDIA:TYPE=AUDIO,GROUP-ID="a",NAME="a",DEFAULT=YES,URI="/sound.m3u8"'
        picture = '#EXT-X-STREAM-INF:BANDWIDTH=90000,CODECS="avc1.64000a,mp4a.40.2",AUDIO="a"\n/picture.m3u8'
        self._send_text(f"#EXTM3U\n{sound}\n{picture}\n", "application/vnd.apple.mpegurl")

    def _send_window(self, name: str) -> None:
        """The one at the end, which moves on each time, as far as it may."""
        server = self.server
        if server.is_gone:
            self.serve_status("404")
            return
        edge = server.edges[name] = min(max(server.edges.get(name, 3) + 1, server.from_edge), server.to_edge)
        if edge == server.to_edge < END:
            server.clock.nothing_more(server.clock.invocation)
        first = max(0, edge - server.window)
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:1", f"#EXT-X-MEDIA-SEQUENCE:{first + server.first_number}"]
        lines += [line for number in range(first, edge) for line in ("#EXTINF:1.0,", f"/{name}/{number}.ts")]
        lines += ["#EXT-X-ENDLIST"] if server.has_ended else []
        self._send_text("\n".join([*lines, ""]), "application/vnd.apple.mpegurl")


class Broadcast(Timed):
    """/stream.m3u8: segments of a second, of which the first have been sent, the last `window` can be had.

    /both.m3u8: the same as picture and sound, each of its own. `edges`: how many have been sent of each.
    """

    from_edge, to_edge, window, first_number = 3, 3, 60, 0
    has_ended = is_gone = False

    def __init__(self, directory: Path) -> None:
        super().__init__(directory)
        self.RequestHandlerClass = _Handler
        self.edges: dict[str, int] = {}

    @property
    def served(self) -> dict[int, int]:
        return self.served_of("long")

    def served_of(self, name: str) -> dict[int, int]:
        """How often each segment was asked for."""
        names = {path: count for path, count in self.hits.items() if path.startswith(f"/{name}/")}
        return {int(path.split("/")[2].partition(".")[0]): count for path, count in names.items()}


@pytest.fixture
def source(media: Path) -> Iterator[Broadcast]:
    with Broadcast(media) as server:
        yield server


@pytest.fixture
def record(submit: Submit) -> Record:
    return lambda: submit("stream.m3u8", clip=Clip(end_s=SECONDS))


def begun(cloud: Cloud, source: Broadcast, job: Job, *, segments: int = 10) -> Job:
    """After a first invocation, which has recorded so many."""
    source.to_edge = segments
    waiting = invocation(cloud, job)
    assert (waiting.state, waiting.attempts) == (State.QUEUED, 0), waiting
    assert waiting.checkpoint is not None
    return waiting


def duration_s(body: bytes, tmp_path: Path) -> float:
    path = tmp_path / "stored.mp4"
    path.write_bytes(body)
    return float(probed(path)["duration_s"])


def test_recording_of_several_invocations_is_that_of_one(cloud: Cloud, source: Broadcast, record: Record) -> None:
    source.to_edge = END
    expected = stored(cloud, invocation(cloud, record()))
    source.edges.clear()
    source.hits.clear()

    job = record()
    for edge in (10, 15, 20):
        begun(cloud, source, job, segments=edge)
    source.to_edge = END
    done = invocation(cloud, job)

    assert stored(cloud, done) == expected
    first = min(source.served)
    assert source.served == dict.fromkeys(range(first, first + SECONDS), 1)
    assert done.media is not None
    assert "missing" not in done.media.format_note


@pytest.fixture
def apart(media: Path) -> None:
    """Picture and sound in segments of their own."""
    kinds = {
        "picture": [f"testsrc2=size=64x36:rate=10:duration={END}", "-c:v", "libx264", "-g", "10"],
        "sound": [f"sine=frequency=440:duration={END}", "-c:a", "aac"],
    }
    for name, made in kinds.items():
        if not (media / name).exists():
            (media / name).mkdir()
            ffmpeg("-f", "lavfi", "-i", *made, "-f", "segment", "-segment_time", "1", str(media / name / "%d.ts"))


@pytest.mark.usefixtures("apart")
def test_recording_of_two_tracks_goes_on_with_both(cloud: Cloud, source: Broadcast, submit: Submit) -> None:
    source.to_edge = END
    expected = stored(cloud, invocation(cloud, submit("both.m3u8", clip=Clip(end_s=SECONDS))))
    source.edges.clear()
    source.hits.clear()

    job = submit("both.m3u8", clip=Clip(end_s=SECONDS))
    for edge in (10, 15, 20):
        begun(cloud, source, job, segments=edge)
    source.to_edge = END
    done = invocation(cloud, job)

    assert stored(cloud, done) == expected
    for name in ("picture", "sound"):
        first = min(source.served_of(name))
        assert source.served_of(name) == dict.fromkeys(range(first, first + SECONDS), 1)


def test_what_is_gone_in_between_is_missing_and_is_said_to_be(
    cloud: Cloud, source: Broadcast, record: Record, tmp_path: Path
) -> None:
    job = record()
    begun(cloud, source, job)
    source.window, source.from_edge, source.to_edge = 3, 18, END
    done = invocation(cloud, job)

    assert duration_s(stored(cloud, done), tmp_path) == pytest.approx(SECONDS, abs=0.3)
    assert max(source.served) - min(source.served) == SECONDS - 1
    missing = SECONDS - len(source.served)
    assert missing >= 1
    assert done.media is not None
    assert done.media.format_note == f"36p, {missing} s missing"


@pytest.mark.parametrize("how", ["is_gone", "has_ended", "begins anew"])
def test_stream_that_is_over_in_between_has_been_recorded_to_its_end(
    cloud: Cloud, source: Broadcast, record: Record, tmp_path: Path, how: str
) -> None:
    job = record()
    source.first_number = 100
    begun(cloud, source, job)
    if how == "begins anew":
        source.first_number, source.to_edge = 0, END
    else:
        setattr(source, how, True)
    done = invocation(cloud, job)

    assert source.served == dict.fromkeys(range(min(source.served), 10), 1)
    assert duration_s(stored(cloud, done), tmp_path) == pytest.approx(len(source.served), abs=0.3)
