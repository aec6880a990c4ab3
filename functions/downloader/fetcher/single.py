"""One request from its first byte to the last word about it, in a process that has just been forked for it.

What works on a stranger's bytes has been imported by the template, which has never seen any. The guards are up before
there are any here.
"""

import os
import sys

from downloader import kernel
from downloader.fetcher import failures, guard, job, starting
from downloader.fetcher.reporting import Reporter
from downloader.fetcher.request import MAX_REQUEST_BYTES, Request


def run(*, worker: int) -> None:
    """Fetch one thing, or find several, as the parent, the process `worker`, asks. The last event says how it ended."""
    request = Request.parse(sys.stdin.buffer.read(MAX_REQUEST_BYTES))
    reporter = Reporter(os.dup(sys.stdout.fileno()), secrets=request.secrets)
    os.dup2(sys.stderr.fileno(), sys.stdout.fileno())  # whatever prints, it cannot pose as us
    guard.engage(
        proxy=request.proxy_address,
        max_file_bytes=request.max_bytes + guard.CONTAINER_OVERHEAD_BYTES,
        max_memory_bytes=request.max_memory_bytes,
    )
    if os.getppid() != worker:  # it was gone before its death could end this process
        raise ProcessLookupError(worker)
    kernel.confine(request.kernel, proxy_port=request.proxy_address[1], directory=request.directory)
    starting.confine_programs(request.kernel)
    try:
        job.run(request, reporter)
    except Exception as error:  # noqa: BLE001 - every failure has a code, and this is where it gets it
        guard.make_room()
        reporter.failed(failures.verdict(error), detail=f"{type(error).__name__}: {error}")
