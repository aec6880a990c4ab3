"""What a file of gigabytes takes of memory and disk: as much as a small one. One run of each."""

from collections.abc import Iterator
from contextlib import ExitStack

from tests.benchmarks import programs, source
from tests.benchmarks.files import SMALLER_MB, make_media, parts_of
from tests.benchmarks.programs import NotDone
from tests.benchmarks.rows import Bench, Row
from tests.benchmarks.transfer import DISK_MB, MEMORY_MB, whole
from tests.benchmarks.usage import watched

_FASTER = 2  # than elsewhere, for both ends: what has to be the same is not how long it takes


def measure(bench: Bench) -> Iterator[Row]:
    """Source and S3 are limited to the same rate."""
    rate = _FASTER * bench.rate_mb_s * 1e6
    with ExitStack() as exits:
        files = exits.enter_context(source.serve(bench.directory / "source"))
        make_media(files.media, bench.huge_mb * 1e6, rate=rate)
        s3 = exits.enter_context(programs.sink(bench.directory, mb_s=rate / 1e6))
        ours = exits.enter_context(programs.worker(bench.directory / "worker", origin=files.origin, s3=s3))
        memory: dict[str, float] = {}
        for name, what in (
            ("smaller.mp4", f"{SMALLER_MB} MB"),
            ("large.mp4", f"{bench.huge_mb} MB, one track"),
            ("two.mpd", f"{bench.huge_mb} MB, video + audio merged"),
        ):
            try:
                with watched(ours.processes, ours.work) as seen:
                    seconds = whole(files, ours, files.url(name, rate=rate), parts_of(name))
            except NotDone as error:
                yield Row(what, 0, "s", failed=str(error))
                continue
            yield Row(f"{what}: at {rate / 1e6:.0f} MB/s", seconds, "s")
            yield Row("  peak memory, all processes of the job", seen.memory_mb, "MB", "350 MiB", MEMORY_MB)
            yield Row("  peak disk, allocated", seen.disk_mb, "MB", "128 MiB", DISK_MB)
            memory[name] = seen.memory_mb
        if {"smaller.mp4", "large.mp4"} <= memory.keys():
            what = f"memory for {bench.huge_mb} MB, against that for {SMALLER_MB} MB"
            yield Row(what, memory["large.mp4"], "MB", "the smaller file's", memory["smaller.mp4"], 1.1)
