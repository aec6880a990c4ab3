"""What downloads cost on AWS. Prints a table; `python -m tests.benchmarks.cost`, from the root of the project.

Each row is measured: files of 100 MB through the running service, from a source that sends as fast as the row says.
What Lambda would bill for is what its runtime interface emulator reports. The rest is the formula of `of_downloads`.
"""

import dataclasses
import re
import statistics
import sys
import tempfile
from collections.abc import Iterable
from pathlib import Path

from downloader.transfer import PART_BYTES
from infra.local.media import make_mp4
from infra.settings import Settings
from tests.benchmarks import source
from tests.e2e.running import Service, serve, until

COUNT, SIZE_MB = 1_000, 100
RUNS = 3
MEMORY_MB, TMP_MB = Settings().worker_memory_mb, Settings().worker_tmp_mb
SIZES = ((MEMORY_MB, TMP_MB), (MEMORY_MB, 512), (1536, 512))  # of workers, in MB; the last is the least of both
RATES_MB_S = (5, 20, 40)  # of sources that have been seen to throttle, and of some that do not
_BILLED = re.compile(r"Billed Duration: (\d+) ms")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Prices:
    """USD in us-east-1, November 2026, beyond every free allowance. https://aws.amazon.com/pricing/"""

    lambda_gb_s: float = 0.0000133334  # arm64
    lambda_request: float = 0.20 / 1e6
    tmp_gb_s: float = 0.0000000309  # beyond the first 512 MB
    api_request: float = 1.00 / 1e6
    queue_request: float = 0.40 / 1e6
    table_write: float = 0.625 / 1e6  # of 1 KB; in a transaction it counts twice
    table_read: float = 0.125 / 1e6
    bucket_put: float = 0.005 / 1e3
    bucket_gb_month: float = 0.023
    egress_gb: float = 0.09


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """USD for a number of downloads."""

    worker: float
    rest: float
    storage: float
    egress: float

    @property
    def without_egress(self) -> float:
        return self.worker + self.rest + self.storage


def of_downloads(
    *,
    count: int,
    size_mb: float,
    seconds: float,
    memory_mb: int = MEMORY_MB,
    tmp_mb: int = TMP_MB,
    kept_days: float = 7,
    prices: Prices | None = None,
) -> Cost:
    """What `count` downloads of `size_mb` cost that keep a worker busy for `seconds` each, and are fetched once.

    The worker is seconds x (GB of memory x price + GB of /tmp beyond 512 MB x price). The rest is the requests around
    it: five calls of the API with two functions each (128 MB-seconds apiece are generous), one message, two dozen
    transactional writes of a job and its counters, and the parts of the upload.
    """
    price = prices or Prices()
    small = 10 * (price.lambda_request + 0.128 * price.lambda_gb_s) + 5 * price.api_request
    state = 4 * price.queue_request + 2 * 2 * 12 * price.table_write + 20 * price.table_read
    worker = seconds * (memory_mb / 1024 * price.lambda_gb_s + (tmp_mb - 512) / 1024 * price.tmp_gb_s)
    return Cost(
        worker=count * (worker + price.lambda_request),
        rest=count * (small + state + puts(size_mb) * price.bucket_put),
        storage=count * size_mb / 1024 * price.bucket_gb_month * kept_days / 30,
        egress=count * size_mb / 1024 * price.egress_gb,
    )


def puts(size_mb: float) -> float:
    """Requests to S3 that count as PUT: parts, those of large files larger, what begins and ends, and the thumbnail."""
    return size_mb * 1e6 / PART_BYTES + 3


def row(rate_mb_s: int, seconds: float) -> str:
    """A line of the README's table."""
    cost = of_downloads(count=COUNT, size_mb=SIZE_MB, seconds=seconds)
    figures = (cost.worker, cost.rest, cost.storage, cost.without_egress, cost.egress)
    return f"| {rate_mb_s} MB/s | {seconds:.1f} s | " + " | ".join(f"{usd:.2f}" for usd in figures) + " |"


SIZE_HEAD = (
    "| worker's memory | its `/tmp` | " + " | ".join(f"{rate} MB/s" for rate in RATES_MB_S) + " |\n"
    "| --- | --- | " + "--- | " * len(RATES_MB_S) + "\n"
)


def size_row(memory_mb: int, tmp_mb: int, *, seconds: dict[int, float]) -> str:
    """A line of the README's other table: what all workers cost that are as large, by the source's rate."""
    spent = (
        of_downloads(count=COUNT, size_mb=SIZE_MB, seconds=took, memory_mb=memory_mb, tmp_mb=tmp_mb).worker
        for took in seconds.values()
    )
    return f"| {memory_mb:,} MB | {tmp_mb:,} MB | " + " | ".join(f"{usd:.3f}" for usd in spent) + " |"


def main() -> None:
    """Measure and print. Takes about two minutes."""
    measured = {}
    sys.stdout.write("| source sends | worker, billed | worker | requests | storage, 7 days | in all | egress |\n")
    sys.stdout.write("| --- | --- | --- | --- | --- | --- | --- |\n")
    with tempfile.TemporaryDirectory() as folder:
        here = Path(folder).resolve()
        with source.serve(here / "source") as files, serve(here / "data", "--allow-origin", files.origin) as service:
            make_file(files.media / "large.mp4")
            (files.media / "large.mp4").chmod(0o644)
            fetch(service, files.url("large.mp4"))  # whatever happens only once
            for rate in RATES_MB_S:
                url = files.url("large.mp4", rate=rate * 1_000_000)
                seconds = measured[rate] = statistics.median(fetch(service, url) for _ in range(RUNS))
                sys.stdout.write(row(rate, seconds) + "\n")
                sys.stdout.flush()
    sys.stdout.write("\n" + SIZE_HEAD)
    for size in SIZES:
        sys.stdout.write(size_row(*size, seconds=measured) + "\n")


def fetch(service: Service, url: str) -> float:
    """One download of its own. What Lambda would bill the worker for, in seconds."""
    log = service.data / "downloader.log"
    before = len(list(_billed(log)))
    client = service.client()
    ended = client.ended(client.create(url), within_s=300)
    assert ended["status"] == "done", ended
    return sum(_until_reported(log, before)) / 1000


def make_file(path: Path) -> None:
    """An mp4 of `SIZE_MB` that plays for two seconds: the rest is a box that players skip (ISO 14496-12, `free`)."""
    make_mp4(path)
    missing = SIZE_MB * 1_000_000 - path.stat().st_size
    with path.open("ab") as file:
        file.write(missing.to_bytes(4, "big") + b"free")
        file.write(bytes(missing - 8))


def _billed(log: Path) -> Iterable[int]:
    return (int(match[1]) for match in _BILLED.finditer(log.read_text(errors="replace") if log.exists() else ""))


def _until_reported(log: Path, before: int) -> list[int]:
    """After the job's end, of both lanes: its message is in each, and one of them finds nothing left to do."""
    return until(lambda: list(_billed(log))[before:], lambda found: len(found) == 2, within_s=30)


if __name__ == "__main__":
    main()
