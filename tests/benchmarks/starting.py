"""What a fetcher costs that is forked. Prints a table; `python -m tests.benchmarks.starting`, from the project's root.

A 1 MB mp4 of the loopback through proxy, fetcher, probe and thumbnail: forked from a template that is ready, with a
template made for each, and by the plain yt-dlp command, which does less. CPU time of all processes, and wall time, each
the median of several. `ratio` is to the template that is ready.
"""

import dataclasses
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from pathlib import Path
from unittest import mock

from downloader import child, orphans
from downloader.fetch import FetchRequest, guarded_fetch
from infra.local.media import MediaServer, make_mp4

RUNS = 7
BYTES = 1_000_000


@dataclasses.dataclass(frozen=True)
class Cost:
    cpu_s: float
    wall_s: float


def main() -> None:
    orphans.adopt()
    with tempfile.TemporaryDirectory() as place, MediaServer(Path(place)) as source:
        padded(make_mp4(source.directory / "clip.mp4"))
        rows = {
            "forked from a template": cost(lambda: fetched(source)),
            "with a template made for it": cost(lambda: fetched_anew(source)),
            "the command yt-dlp": cost(lambda: by_command(source)),
        }
    (least, *_) = rows.values()
    lines = [f"{'a clip of 1 MB':<30} {'CPU ms':>8} {'ratio':>6} {'wall ms':>8} {'ratio':>6}", "-" * 62]
    for what, one in rows.items():
        ratios = one.cpu_s / least.cpu_s, one.wall_s / least.wall_s
        lines.append(f"{what:<30} {one.cpu_s * 1e3:>8.0f} {ratios[0]:>6.1f} {one.wall_s * 1e3:>8.0f} {ratios[1]:>6.1f}")
    sys.stdout.write("\n".join([*lines, ""]))


def padded(path: Path, size: int = BYTES) -> None:
    """With a box that players pass over (ISO 14496-12, 8.1.2), as large as it takes."""
    length = size - path.stat().st_size
    with path.open("ab") as file:
        file.write(length.to_bytes(4, "big") + b"free" + bytes(length - 8))


def fetched(source: MediaServer) -> None:
    with tempfile.TemporaryDirectory() as directory:
        guarded_fetch(
            FetchRequest(url=source.url("clip.mp4"), max_bytes=50 * 1024**2),
            directory=Path(directory),
            deadline=time.monotonic() + 600,
            allowed_origins=frozenset({source.origin}),
            on_progress=lambda _: None,
            stop=threading.Event(),
            log=lambda *_, **__: None,
        )


def fetched_anew(source: MediaServer) -> None:
    """In an environment that none was ever in, which no template fits; what the last one took counts here."""
    environment, name = child.environment, f"RUN_{time.monotonic_ns()}"
    with mock.patch.object(child, "environment", lambda directory: {**environment(directory), name: "1"}):
        fetched(source)


def by_command(source: MediaServer) -> None:
    command = [str(Path(sys.executable).with_name("yt-dlp")), "--quiet", "--no-config", "--output", "-"]
    subprocess.run([*command, source.url("clip.mp4")], check=True, stdout=subprocess.DEVNULL)


def cost(run: Callable[[], None]) -> Cost:
    """The first one warms up whatever can be warm."""
    found = []
    for _ in range(RUNS + 1):
        cpu_s, wall_s = of_all(), time.monotonic()
        run()
        found.append(Cost(of_all() - cpu_s, time.monotonic() - wall_s))
    return Cost(*(statistics.median(getattr(one, name) for one in found[1:]) for name in ("cpu_s", "wall_s")))


def of_all() -> float:
    """CPU seconds of this process and of those that it has waited for."""
    used = [resource.getrusage(which) for which in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(one.ru_utime + one.ru_stime for one in used)


if __name__ == "__main__":
    main()
