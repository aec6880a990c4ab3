"""Small jobs with a worker alone: from the SQS event until the job is done and its file is in S3."""

import functools
from collections.abc import Iterator
from contextlib import ExitStack

from tests.benchmarks import programs, source
from tests.benchmarks.rows import Bench, Row
from tests.benchmarks.transfer import make_media

LIBRARY = "yt-dlp as a library, warm, uploads nothing"


def measure(bench: Bench) -> Iterator[Row]:
    """Nothing is limited. `seconds` of the library are measured in the same run."""
    with ExitStack() as exits:
        files = exits.enter_context(source.serve(bench.directory / "source"))
        make_media(files.media, bench.small_mb * 1e6, rate=1e9)
        s3 = exits.enter_context(programs.sink(bench.directory, mb_s=0))
        ours = exits.enter_context(programs.worker(bench.directory / "worker", origin=files.origin, s3=s3))
        library = exits.enter_context(programs.naive(bench.directory / "library", s3=None))
        naive = exits.enter_context(programs.naive(bench.directory / "naive", s3=s3))
        url = files.url("small.mp4")
        for warm in (lambda: ours.run(url), lambda: library.run(url), lambda: naive.run(url)):
            warm()
        limit = bench.median(functools.partial(library.run, url))
        what = f"small job, worker alone: event to DONE, {bench.small_mb} MB"
        yield Row(what, bench.median(lambda: ours.run(url)[0]), "s", LIBRARY, limit)
        yield Row("  the naive way, warm", bench.median(functools.partial(naive.run, url)), "s", LIBRARY, limit)
        command = bench.median(functools.partial(programs.plain, url, bench.directory / "plain"))
        yield Row("  the plain yt-dlp command", command, "s", LIBRARY, limit)
