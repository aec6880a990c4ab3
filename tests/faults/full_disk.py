"""python -m tests.faults.full_disk DIRECTORY ORIGIN URL: fetch into it, and print what came of it."""

import sys
import threading
import time
from pathlib import Path

from downloader.fetch import FetchRequest, guarded_fetch
from reelhaul.errors import SourceError


def main(directory: Path, origin: str, url: str) -> None:
    job = directory / "job"
    job.mkdir()
    try:
        guarded_fetch(
            FetchRequest(url=url, max_bytes=10 * 1024**2),
            directory=job,
            deadline=time.monotonic() + 60,
            allowed_origins=frozenset({origin}),
            on_progress=lambda _: None,
            stop=threading.Event(),
            log=lambda *words, **fields: print(words, fields, file=sys.stderr),  # noqa: T201 - for a test that fails
        )
    except SourceError as error:
        print(error.code)  # noqa: T201 - what the test reads
    else:
        print("done")  # noqa: T201 - likewise


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
