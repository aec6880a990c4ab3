"""Small jobs with a worker alone: from the SQS event until the job is done and its file is in S3."""

import functools
from collections.abc import Callable, Iterator
from contextlib import ExitStack

from tests.benchmarks import programs, source
from tests.benchmarks.files import make_media
from tests.benchmarks.rows import Bench, Row

PEER = "yt-dlp in MeTube's order, warm, uploads nothing"
# Where MeTube itself was measured, it took 220 to 243 ms, and the command 0.9 to 1.3 s.
METUBES_SHARE = 0.17


def measure(bench: Bench) -> Iterator[Row]:
    """Nothing is limited."""
    with ExitStack() as exits:
        files = exits.enter_context(source.serve(bench.directory / "source"))
        make_media(files.media, bench.small_mb * 1e6, rate=1e9)
        s3 = exits.enter_context(programs.sink(bench.directory, mb_s=0))
        ours = exits.enter_context(programs.worker(bench.directory / "worker", origin=files.origin, s3=s3))
        peer = exits.enter_context(programs.peer(bench.directory / "peer"))
        library = exits.enter_context(programs.naive(bench.directory / "library", s3=None))
        naive = exits.enter_context(programs.naive(bench.directory / "naive", s3=s3))
        url = files.url("small.mp4")
        ways: dict[str, Callable[[], float]] = {
            f"small job, worker alone: event to DONE, {bench.small_mb} MB": lambda: ours.run(url)[0],
            "  yt-dlp as a library, warm, uploads nothing, guards nothing": functools.partial(library.run, url),
            "  the naive way, warm": functools.partial(naive.run, url),
        }
        limit, *seconds = bench.in_turns([lambda: peer.run_all([url]), *ways.values()])
        for what, took in zip(ways, seconds, strict=True):
            yield Row(what, took, "s", PEER, limit)
        command = bench.median(functools.partial(programs.plain, url, bench.directory / "plain"))
        yield Row("  against the plain command", seconds[0], "s", "yt-dlp as a command", command, METUBES_SHARE)
