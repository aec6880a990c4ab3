"""Small jobs with the whole service on the embedded engine: from POST to a link that yields the file."""

import time
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack

from tests.benchmarks import programs, source
from tests.benchmarks.files import make_media
from tests.benchmarks.peer import AT_ONCE
from tests.benchmarks.programs import NotDone
from tests.benchmarks.rows import Bench, Row
from tests.benchmarks.small import PEER
from tests.e2e.running import Client, serve

_LIMIT_S = 300


def measure(bench: Bench) -> Iterator[Row]:
    with ExitStack() as exits:
        files = exits.enter_context(source.serve(bench.directory / "source"))
        make_media(files.media, bench.small_mb * 1e6, rate=1e9)
        service = exits.enter_context(serve(bench.directory / "data", "--allow-origin", files.origin))
        peer = exits.enter_context(programs.peer(bench.directory / "peer"))
        client, url = service.client(), files.url("small.mp4")
        all_at_once(client, url, bench.burst)  # all workers are warm then
        limit, ours = bench.in_turns([lambda: peer.run_all([url]), lambda: one(client, url)])
        yield Row("small job, whole: POST to link usable", ours, "s", PEER, limit, 1.5)
        limit, ours = bench.in_turns(
            [lambda: peer.run_all([url] * bench.burst), lambda: all_at_once(client, url, bench.burst)]
        )
        what = f"burst: {bench.burst} jobs of {bench.small_mb} MB, POSTs to all done"
        yield Row(what, ours, "s", f"{PEER}, {AT_ONCE} at a time", limit, 0.8)


def one(client: Client, url: str) -> float:
    """Seconds until the link has yielded its first byte."""
    started = time.perf_counter()
    job_id = client.create(url)
    wait(client, job_id)
    link = client.job(job_id)["download_url"]
    with urllib.request.urlopen(urllib.request.Request(link, headers={"Range": "bytes=0-0"})) as reply:
        reply.read()
    return time.perf_counter() - started


def all_at_once(client: Client, url: str, count: int) -> float:
    started = time.perf_counter()
    jobs = [client.create(url) for _ in range(count)]
    for job_id in jobs:
        wait(client, job_id)
    return time.perf_counter() - started


def wait(client: Client, job_id: str) -> None:
    """As the SDK does: by requests that are held back. Raises `NotDone`."""
    deadline = time.monotonic() + _LIMIT_S
    while time.monotonic() < deadline:
        status = client.call("GET", f"/async-response/{job_id}").json["status"]
        if status != "processing":
            break
    if status != "done":
        raise NotDone(str(client.job(job_id).get("error_code", status)))
