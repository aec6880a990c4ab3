"""Moving bytes: a file from a limited source into a limited S3, one track and two that are merged; memory and disk."""

import functools
import http.client
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack
from pathlib import Path
from urllib.parse import urlsplit

from infra.local.media import ffmpeg
from tests.benchmarks import programs, source
from tests.benchmarks.programs import NotDone, Warm, Worker
from tests.benchmarks.rows import Bench, Row
from tests.benchmarks.source import Source
from tests.benchmarks.usage import Usage, watched

ONE_GOAL, MERGED_GOAL = 1.08, 1.15
DISK_MB, MEMORY_MB = 128 * 1.048576, 350 * 1.048576  # MiB are meant
_SMALLER_MB = 50
_MPD = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT{seconds:.0f}S"
 profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>
<AdaptationSet mimeType="video/mp4">
<Representation id="v" bandwidth="8000000" codecs="avc1.42c01e" width="640" height="360">
<BaseURL>video.mp4?rate={rate:.0f}</BaseURL></Representation></AdaptationSet>
<AdaptationSet mimeType="audio/mp4"><Representation id="a" bandwidth="128000" codecs="mp4a.40.2">
<BaseURL>audio.m4a?rate={rate:.0f}</BaseURL></Representation></AdaptationSet></Period></MPD>
"""


def measure(bench: Bench) -> Iterator[Row]:
    """Source and S3 are limited to `bench.rate_mb_s` each. What both do without us is measured beside it."""
    rate = bench.rate_mb_s * 1e6
    with ExitStack() as exits:
        files = exits.enter_context(source.serve(bench.directory / "source"))
        make_media(files.media, bench.size_mb * 1e6, rate=rate)
        s3 = exits.enter_context(programs.sink(bench.directory, mb_s=bench.rate_mb_s))
        free = exits.enter_context(programs.sink(bench.directory, mb_s=0))
        yield from _bare(bench, files, s3=s3, free=free)
        ours = exits.enter_context(programs.worker(bench.directory / "worker", origin=files.origin, s3=s3))
        other = exits.enter_context(programs.naive(bench.directory / "naive", s3=s3))
        for name in ("small.mp4", "small.mp4"):
            ours.run(files.url(name))  # what happens only once
            other.run(files.url(name))
        smaller = yield from _file(bench, files, ours, other, "smaller.mp4", f"{_SMALLER_MB} MB", s3=s3, goal=None)
        larger = yield from _file(
            bench, files, ours, other, "large.mp4", f"{bench.size_mb} MB, one track", s3=s3, goal=ONE_GOAL
        )
        if smaller and larger:
            what = f"memory for {bench.size_mb} MB, against that for {_SMALLER_MB} MB"
            yield Row(what, larger.memory_mb, "MB", "the smaller file's", smaller.memory_mb, 1.1)
        yield from _file(
            bench, files, ours, other, "two.mpd", f"{bench.size_mb} MB, video + audio merged", s3=s3, goal=MERGED_GOAL
        )


def _file(
    bench: Bench, files: Source, ours: Worker, other: Warm, name: str, what: str, *, s3: str, goal: float | None
) -> Generator[Row, None, Usage | None]:
    """All that is measured of one file. Returns what ours took."""
    parts = ("video.mp4", "audio.m4a") if name.endswith(".mpd") else (name,)
    rate = bench.rate_mb_s * 1e6
    url = files.url(name, rate=rate)
    size = sum((files.media / part).stat().st_size for part in parts)
    bound = bench.median(lambda: max(*(files.read(part, rate=rate) for part in parts), put(s3, size)))
    against = "the slower of bare source and bare S3"
    seen: Usage | None = None
    try:
        with watched(ours.processes, ours.work) as seen:
            seconds = bench.median(lambda: _whole(files, ours, url, parts))
        yield Row(f"{what}: transfer", seconds, "s", against, bound, goal or ONE_GOAL)
        yield Row("  peak memory, all processes of the job", seen.memory_mb, "MB", "350 MiB", MEMORY_MB)
        yield Row("  peak disk, allocated", seen.disk_mb, "MB", "128 MiB", DISK_MB)
    except NotDone as error:
        yield Row(f"{what}: transfer", 0, "s", against, bound, goal or ONE_GOAL, failed=str(error))
    with watched(lambda: [other.process.pid], other.work) as theirs:
        seconds = bench.median(lambda: other.run(url))
    yield Row("  the naive way: yt-dlp to disk, then upload_file, warm", seconds, "s", against, bound, goal or ONE_GOAL)
    yield Row("    its memory", theirs.memory_mb, "MB", "350 MiB", MEMORY_MB)
    yield Row("    its disk", theirs.disk_mb, "MB", "128 MiB", DISK_MB)
    alone = bench.median(functools.partial(programs.plain, url, bench.directory / "plain"))
    yield Row("  the plain yt-dlp command, which uploads nothing", alone, "s", against, bound, goal or ONE_GOAL)
    return seen


def _whole(files: Source, ours: Worker, url: str, parts: tuple[str, ...]) -> float:
    """Seconds of a job. Raises `NotDone` unless it has fetched all parts to their ends, each of them once at least."""
    before = len(files.sent())
    seconds, _ = ours.run(url)
    sent = files.sent()[before:]
    for part in parts:
        size = (files.media / part).stat().st_size
        if sum(one.size for one in sent if one.path == f"/{part}") < size:
            raise NotDone(f"{part} was not fetched")
    return seconds


def _bare(bench: Bench, files: Source, *, s3: str, free: str) -> Iterable[Row]:
    """That neither end is the bottleneck by itself: limited each is as fast as it should be, else much faster."""
    size = (files.media / "large.mp4").stat().st_size
    rate = bench.rate_mb_s * 1e6
    nominal = size / rate
    ways: list[tuple[str, Callable[[], float]]] = [
        ("bare source, limited", lambda: files.read("large.mp4", rate=rate)),
        ("bare S3, limited", lambda: put(s3, size)),
        ("bare source, unlimited", lambda: files.read("large.mp4")),
        ("bare S3, unlimited", lambda: put(free, size)),
    ]
    for what, way in ways:
        goal = 0.5 if "unlimited" in what else 1.05
        yield Row(f"{what}: {size / 1e6:.0f} MB", bench.median(way), "s", f"{bench.rate_mb_s} MB/s", nominal, goal)


def put(s3: str, size: int) -> float:
    """Seconds that the sink takes for so many bytes on one connection, from somebody who does nothing but send."""
    piece = bytes(1 << 20)
    connection = http.client.HTTPConnection(urlsplit(s3).netloc, timeout=300)
    started = time.perf_counter()
    connection.putrequest("PUT", f"/media/bare/{os.getpid()}")
    connection.putheader("Content-Length", str(size))
    connection.endheaders()
    for offset in range(0, size, len(piece)):
        connection.send(piece[: size - offset])
    connection.getresponse().read()
    connection.close()
    return time.perf_counter() - started


# --- media ------------------------------------------------------------------------------------------------------------


def make_media(folder: Path, size: float, *, rate: float) -> None:
    """small.mp4 (1 MB), smaller.mp4, large.mp4 (`size` bytes), and as two tracks of fragmented mp4 two.mpd.

    Noise that is encoded once and then repeated, so that it really is as large, and really has to be merged. The small
    one plays for ten seconds, as what is so small does.
    """
    _make_small(folder / "small.mp4")
    piece = folder.parent / "piece.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=4,noise=alls=60:allf=t"]
    sound = ["-f", "lavfi", "-i", "anoisesrc=duration=4:amplitude=0.3"]
    coded = ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "22", "-pix_fmt", "yuv420p", "-g", "25"]
    ffmpeg(*picture, *sound, *coded, "-c:a", "aac", "-b:a", "128k", str(piece))
    whole = ["-c", "copy", "-movflags", "+faststart"]
    for name, wanted in (("smaller.mp4", _SMALLER_MB * 1e6), ("large.mp4", size)):
        _repeat(piece, folder / name, wanted, *whole)
    fragments = ["-c", "copy", "-movflags", "+frag_keyframe+empty_moov+default_base_moof"]
    times = _repeat(piece, folder / "video.mp4", size, *fragments, "-map", "0:v")
    _repeat(piece, folder / "audio.m4a", size, *fragments, "-map", "0:a", "-f", "mp4")
    (folder / "two.mpd").write_text(_MPD.format(seconds=4 * times, rate=rate))
    for path in folder.iterdir():
        path.chmod(0o644)


def _make_small(path: Path) -> None:
    picture = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=10,noise=alls=8:allf=t"]
    sound = ["-f", "lavfi", "-i", "anoisesrc=duration=10:amplitude=0.1"]
    coded = [
        "-c:v",
        "libx264",
        "-b:v",
        "690k",
        "-maxrate",
        "800k",
        "-bufsize",
        "800k",
        "-pix_fmt",
        "yuv420p",
        "-g",
        "50",
    ]
    ffmpeg(*picture, *sound, *coded, "-b:a", "128k", "-pix_fmt", "yuv420p", "-movflags", "+faststart", str(path))


def _repeat(piece: Path, path: Path, size: float, *how: str) -> int:
    """How often `piece` has to be there for `size` bytes; at least as many bytes as its part of that come of it."""
    times = max(1, round(size / piece.stat().st_size))
    cut = ["-t", f"{4 * size / piece.stat().st_size:.2f}"] if size < piece.stat().st_size else []
    ffmpeg("-stream_loop", str(times - 1), "-i", str(piece), *cut, *how, str(path))
    return times
