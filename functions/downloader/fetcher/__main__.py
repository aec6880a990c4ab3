"""The template of all fetchers of a worker: it has imported and compiled everything, and is forked for each job.

    python -m downloader.fetcher

It never hears what a job is about: a word on its standard input, a socket, asks for one more fetcher, and descriptors
come with it that are that one's own. It ends when the worker closes its end of the socket, as the worker's death does.
"""

import gc
import os
import socket
import sys
from pathlib import Path

from downloader.fetcher import DESCRIPTORS, MAX_WORD_BYTES, READY, guard


def main() -> None:
    worker = os.getppid()
    guard.hide()
    gc.disable()  # all of it stays, and to look for what does not would be to write to it
    from downloader.fetcher import forking, warming  # noqa: PLC0415 - they import yt_dlp, which takes a while: hidden

    warming.up()
    if len(list(Path("/proc/self/task").iterdir())) > 1:
        raise RuntimeError("a thread is not forked with the others, and would keep its locks for ever")
    gc.freeze()
    with socket.socket(fileno=sys.stdin.fileno()) as control:
        control.send(READY)
        while (message := socket.recv_fds(control, MAX_WORD_BYTES, DESCRIPTORS))[0]:
            control.send(b"%d" % forking.fork(message[1], worker=worker))


if __name__ == "__main__":
    main()
