"""Read the request, put up the guards, and only then import what works on a stranger's bytes."""

import os
import sys

from downloader import kernel
from downloader.fetcher import guard, starting
from downloader.fetcher.reporting import Reporter
from downloader.fetcher.request import MAX_REQUEST_BYTES, Request


def main() -> int:
    """Fetch one thing, or find several. 0 when the last event says how it ended."""
    request = Request.parse(sys.stdin.buffer.read(MAX_REQUEST_BYTES))
    reporter = Reporter(os.dup(sys.stdout.fileno()), secrets=request.secrets)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints, it cannot pose as us
    guard.engage(
        proxy=request.proxy_address,
        max_file_bytes=request.max_bytes + guard.CONTAINER_OVERHEAD_BYTES,
        max_memory_bytes=request.max_memory_bytes,
    )
    kernel.confine(request.kernel, proxy_port=request.proxy_address[1], directory=request.directory)
    starting.confine_programs(request.kernel)
    from downloader.fetcher import failures, job  # noqa: PLC0415 - they import yt_dlp: behind the guards

    try:
        job.run(request, reporter)
    except Exception as error:  # noqa: BLE001 - every failure has a code, and this is where it gets it
        guard.make_room()
        reporter.failed(failures.verdict(error), detail=f"{type(error).__name__}: {error}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
