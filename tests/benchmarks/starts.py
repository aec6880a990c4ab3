"""Cold starts: from the first import to the first answer of each zip function, against a bare `import boto3`."""

import json
import statistics
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import boto3

from infra import openapi, page
from infra.local import processes
from infra.local.engine import CREDENTIALS, REGION
from infra.local.processes import ROOT
from tests import canaries
from tests.benchmarks.rows import Bench, Row
from tests.e2e.running import serve
from tests.events import HttpRequest
from tests.jobs_in import queued

GOAL = 1.6
_BARE = "import time; t = time.perf_counter(); import boto3; print(time.perf_counter() - t)"
# What a function is asked first. An answer is an answer, an error as well: all of the way to it has been gone then.
_COLD = """
import time; started = time.perf_counter()
import importlib, json, sys
handler = importlib.import_module(sys.argv[1] + ".handler").lambda_handler
class Context:
    function_name, memory_limit_in_mb, invoked_function_arn, aws_request_id = "f", 512, "arn", "1"
    def get_remaining_time_in_millis(self): return 5000
try:
    handler(json.loads(sys.argv[2]), Context())
except Exception as error:
    print(repr(error), file=sys.stderr)
seconds = time.perf_counter() - started
print(json.dumps([seconds, "yt_dlp" in sys.modules]))
"""


def measure(bench: Bench) -> Iterator[Row]:
    """Against the running engine, with the environment that each function has there."""
    with ExitStack() as exits:
        service = exits.enter_context(serve(bench.directory / "data"))
        document = bench.directory / "docs"
        document.mkdir()
        openapi.put_together(document, max_retention_days=30)
        page.put_together(document)
        with_ytdlp = []
        for name, variables in sorted(_functions(service.url).items()):
            env = variables | {"AWS_ENDPOINT_URL": service.url, "HOLD_S": "0", **CREDENTIALS}
            env |= {"PYTHONPATH": f"{document}:{ROOT / 'functions'}:{ROOT / 'layers' / 'core' / 'python'}"}
            event, bare, ours = json.dumps(_event(name)), [], []
            for _ in range(bench.runs):  # in turns: what else the machine does strikes both alike
                bare.append(_python(_BARE, env={})[0])
                ours.append(_python(_COLD, name, event, env=env))
            with_ytdlp += [name] if any(imported for _, imported in ours) else []
            seconds, limit = statistics.median(took for took, _ in ours), statistics.median(bare)
            what = f"cold start: {name}, first import to first answer"
            yield Row(what, seconds, "s", "bare import boto3", limit, GOAL)
        yield Row("functions that import yt_dlp", len(with_ytdlp), ", ".join(with_ytdlp), "none", 1, 0)


def _functions(url: str) -> dict[str, dict[str, str]]:
    """The environments of the zip functions, by their folders' names."""
    client = boto3.client(
        "lambda", endpoint_url=url, region_name=REGION, aws_access_key_id="test", aws_secret_access_key="test"
    )
    found = [one for page in client.get_paginator("list_functions").paginate() for one in page["Functions"]]
    zipped = [one for one in found if one.get("Handler", "").endswith(".handler.lambda_handler")]
    return {
        one["Handler"].partition(".")[0]: dict(one.get("Environment", {}).get("Variables", {}))
        for one in zipped
        if (ROOT / "functions" / one["Handler"].partition(".")[0] / "handler.py").exists()
    }


def _event(name: str) -> dict[str, Any]:
    """The first request that each is usually for. None of them changes anything that matters afterwards."""
    job = queued()
    paths = {
        "create_download": HttpRequest(
            method="POST", path="/download", body='{"stream_link": "https://m.example/a.mp4"}'
        ),
        "get_status": HttpRequest(method="GET", path=f"/download/{job.id}", route="GET /download/{id}"),
        "list_downloads": HttpRequest(method="GET", path="/download"),
        "retry_download": HttpRequest(method="POST", path=f"/download/{job.id}", route="POST /download/{id}"),
        "delete_download": HttpRequest(method="DELETE", path=f"/download/{job.id}", route="DELETE /download/{id}"),
        "docs": HttpRequest(method="GET", path="/openapi.json", tenant=None),
        "page": HttpRequest(method="GET", path="/", tenant=None),
    }
    if name == "authorizer":
        return HttpRequest(method="GET", path="/download", headers={"x-access-token": canaries.MARK}).authorizer_event()
    return paths[name].event() if name in paths else {"Records": []}


def _python(program: str, *arguments: str, env: Mapping[str, str]) -> tuple[float, bool]:
    """What the program prints: seconds, and whether yt-dlp was imported. With bytecode, as it is after a first run."""
    command = [sys.executable, "-c", program, *arguments]
    told = subprocess.run(
        command, env=processes.plain_environment(**env), capture_output=True, text=True, check=True, timeout=120,
        cwd=Path("/"),
    )  # fmt: skip
    value = json.loads(told.stdout.splitlines()[-1])
    return (value[0], value[1]) if isinstance(value, list) else (value, False)
