"""Moving bytes: a file from a limited source into a limited S3, one track and two that are merged; memory and disk."""

import functools
import http.client
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import ExitStack
from urllib.parse import urlsplit

from tests.benchmarks import programs, source
from tests.benchmarks.files import SMALLER_MB, make_media, parts_of
from tests.benchmarks.programs import NotDone, Warm, Worker
from tests.benchmarks.rows import Bench, Row
from tests.benchmarks.source import Source
from tests.benchmarks.usage import Usage, watched

ONE_GOAL, MERGED_GOAL = 1.08, 1.15
DISK_MB, MEMORY_MB = 128 * 1.048576, 350 * 1.048576  # MiB are meant


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
        smaller = yield from _file(bench, files, ours, other, "smaller.mp4", f"{SMALLER_MB} MB", s3=s3, goal=None)
        larger = yield from _file(
            bench, files, ours, other, "large.mp4", f"{bench.size_mb} MB, one track", s3=s3, goal=ONE_GOAL
        )
        if smaller and larger:
            what = f"memory for {bench.size_mb} MB, against that for {SMALLER_MB} MB"
            yield Row(what, larger.memory_mb, "MB", "the smaller file's", smaller.memory_mb, 1.1)
        yield from _file(
            bench, files, ours, other, "two.mpd", f"{bench.size_mb} MB, video + audio merged", s3=s3, goal=MERGED_GOAL
        )


def _file(
    bench: Bench, files: Source, ours: Worker, other: Warm, name: str, what: str, *, s3: str, goal: float | None
) -> Generator[Row, None, Usage | None]:
    """All that is measured of one file. Returns what ours took."""
    parts = parts_of(name)
    rate = bench.rate_mb_s * 1e6
    url = files.url(name, rate=rate)
    size = sum((files.media / part).stat().st_size for part in parts)
    bound = bench.median(lambda: max(*(files.read(part, rate=rate) for part in parts), put(s3, size)))
    against = "the slower of bare source and bare S3"
    seen: Usage | None = None
    try:
        with watched(ours.processes, ours.work) as seen:
            seconds = bench.median(lambda: whole(files, ours, url, parts))
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


def whole(files: Source, ours: Worker, url: str, parts: tuple[str, ...]) -> float:
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
