"""One more fetcher, out of the template. It starts with its memory, and what it writes to is copied for it alone."""

import gc
import os
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from downloader.fetcher import MAX_WORD_BYTES, single, warming


def fork(descriptors: Sequence[int], *, worker: int) -> int:
    """The number of a new fetcher, which has these `descriptors` and no others; they are closed here.

    Its parent is `worker`, which adopts orphans: the process that forked it has ended by then. So nothing depends on
    the template any more.
    """
    reader, writer = os.pipe()
    between = os.fork()
    if between == 0:
        _fork_again(descriptors, tell=writer, worker=worker)
    for each in (writer, *descriptors):
        os.close(each)
    with os.fdopen(reader, "rb", buffering=0) as stream:
        number = stream.read(MAX_WORD_BYTES)
    os.waitpid(between, 0)
    return int(number or 0)


def _fork_again(descriptors: Sequence[int], *, tell: int, worker: int) -> NoReturn:
    """No way out of here but the end of the process, and that without cleaning up what will be gone with it."""
    status = 1
    try:
        number = os.fork()
        if number:
            os.write(tell, b"%d" % number)
        else:
            _begin(*descriptors)
            single.run(worker=worker)
        status = 0
    except BaseException:  # noqa: BLE001 - said to the worker, as the interpreter would
        sys.excepthook(*sys.exc_info())
    finally:
        sys.stderr.flush()
        os._exit(status)


def _begin(stdin: int, stdout: int, stderr: int, directory: int) -> None:
    """A session, descriptors, a directory and random numbers of its own."""
    os.setsid()
    for place, descriptor in enumerate((stdin, stdout, stderr)):
        os.dup2(descriptor, place)
    os.fchdir(directory)
    os.closerange(3, os.sysconf("SC_OPEN_MAX"))
    # As the interpreter opens them: the template's are of other kinds of files.
    sys.stdin, sys.stdout = os.fdopen(0, closefd=False), os.fdopen(1, "w", closefd=False)
    sys.stderr = os.fdopen(2, "w", buffering=1, errors="backslashreplace", closefd=False)
    os.environ["HOME"] = os.environ["TMPDIR"] = str(Path.cwd())
    warming.draw_again()
    gc.enable()
