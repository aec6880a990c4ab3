"""Programs get no sockets: a thread that may make none starts them all, and they have its filter from their first step.

A filter is a matter of single threads, and what a thread starts is born with it. That costs no time, where a launcher
that puts it up after `exec` would be one more Python for each program.
"""

import concurrent.futures
import subprocess
from typing import Any

from downloader import kernel
from downloader.kernel import Support


def confine_programs(walls: Support) -> None:
    """From now on, for whatever `subprocess` starts. Raises `OSError` if `walls` has one that cannot be put up."""
    if not walls.seccomp:
        return
    starter = concurrent.futures.ThreadPoolExecutor(1, thread_name_prefix="starter")
    starter.submit(kernel.confine_programs, walls).result()
    start = subprocess.Popen.__init__

    def start_there(self: Any, *args: Any, **kwargs: Any) -> None:
        starter.submit(start, self, *args, **kwargs).result()

    subprocess.Popen.__init__ = start_there  # type: ignore[method-assign]  # yt-dlp has a subclass, which calls it
