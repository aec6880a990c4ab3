"""A job that does not fit into one invocation: whether it completes, and how much of its file is fetched twice."""

from collections.abc import Iterator
from contextlib import ExitStack

from tests.benchmarks import source
from tests.benchmarks.files import make_media
from tests.benchmarks.rows import Bench, Row
from tests.e2e.running import serve

_INVOCATION_S = 10
_SIZE_MB = 30


def measure(bench: Bench) -> Iterator[Row]:
    """The source is so slow that a job takes `bench.relay_s`, and refuses whoever comes with a second connection."""
    with ExitStack() as exits:
        files = exits.enter_context(source.serve(bench.directory / "source"))
        make_media(files.media, _SIZE_MB * 1e6, rate=1e9)
        size = (files.media / "large.mp4").stat().st_size
        options = ["--allow-origin", files.origin, "--invocation-limit", str(_INVOCATION_S)]
        service = exits.enter_context(serve(bench.directory / "data", *options))
        client = service.client()
        job_id = client.create(files.url("large.mp4", rate=size / bench.relay_s, lane="one"))
        ended = client.ended(job_id, within_s=10 * bench.relay_s)
        log = (service.data / "downloader.log").read_text(errors="replace")
        invocations = log.count('"job_handed_over"') + 1
        what = f"beyond one invocation: {bench.relay_s} s of work in {invocations} of {_INVOCATION_S} s, bytes fetched"
        failed = "" if ended["status"] == "done" else str(ended.get("error_code"))
    sent = sum(one.size for one in files.sent() if one.path == "/large.mp4")
    yield Row(what, sent / 1e6, "MB", "the file", size / 1e6, 1.05, failed=failed)
