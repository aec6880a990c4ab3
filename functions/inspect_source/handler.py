"""`POST /api/info`: what there is at an address, without downloading it.

It runs in the downloader's image and reads what strangers serve as that does: in a child process, behind the egress
guard. It has no rights on AWS, so that there is nothing to be had from it.
"""

import functools
import os
import shutil
import signal
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from aws_lambda_powertools import Logger
from aws_lambda_powertools.utilities.typing import LambdaContext

from downloader import kernel
from downloader.fetch import FetchRequest, Inspection, guarded_fetch, harden_parent, prepare_in_init
from inspect_source.settings import InspectSettings
from reelhaul import http
from reelhaul.contracts import info, requests
from reelhaul.errors import (
    LeaseLost,
    ServiceUnavailable,
    SourceTimedOut,
    SourceTooSlow,
    StorageUnavailable,
    WorkerCrashed,
)
from reelhaul.options import Options
from reelhaul.site_policy import SitePolicy

MOST_S = 25.0  # API Gateway gives up after 30, of which a new environment has taken some
MAX_ENTRIES = 50  # of a playlist; a download of it takes more

_LAST_WORDS_S = 2.0  # what it takes to end the child, to clean up and to reply
_DIRECTORY = "inspect-"

logger = Logger(service="inspect_source")
app = http.resolver(logger)
stop = threading.Event()
prepare_in_init()


@functools.cache
def settings() -> InspectSettings:
    """The settings, once the process has been made ready: hardened, tidy, and fit to be ended."""
    read = InspectSettings.from_env(os.environ)
    harden_parent()
    # As in the downloader: what lies there is of a process that crashed, and there is no other one in this place.
    for left in Path(read.work_directory).glob(f"{_DIRECTORY}*"):
        shutil.rmtree(left, ignore_errors=True)
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    return read


@app.post("/api/info")
def inspect_source() -> dict[str, Any]:
    url, playlist = requests.parse_info(http.json_object(app.current_event), sites=_sites())
    _check_walls()
    left_s = app.lambda_context.get_remaining_time_in_millis() / 1000 - _LAST_WORDS_S
    return info.inspected(_inspect(url, playlist, deadline=time.monotonic() + min(MOST_S, left_s)))


def _check_walls() -> None:
    """Raises `ServiceUnavailable`: it may be another kernel's turn next time."""
    try:
        kernel.require(kernel.support(), seccomp=settings().require_seccomp)
    except kernel.WallMissing as error:
        raise ServiceUnavailable from error


def _sites() -> SitePolicy:
    return SitePolicy(allowed=settings().allowed_sites, denied=settings().denied_sites)


def _inspect(url: str, playlist: str, *, deadline: float) -> Inspection:
    """Look at the source until `deadline` (monotonic). Raises `SourceError`, and `ServiceUnavailable` when we fail."""
    options = Options(playlist=playlist, playlist_limit=MAX_ENTRIES)
    request = FetchRequest(url=url, options=options, inspect=True, max_bytes=settings().max_bytes)
    directory = Path(tempfile.mkdtemp(prefix=_DIRECTORY, dir=settings().work_directory))
    try:
        found = guarded_fetch(
            request,
            directory=directory,
            deadline=deadline,
            allowed_origins=settings().allowed_origins,
            denied_sites=settings().denied_sites,
            on_progress=lambda _: None,
            stop=stop,
            log=logger.info,
        )
    except SourceTooSlow as error:
        raise SourceTimedOut from error
    except (LeaseLost, WorkerCrashed, StorageUnavailable) as error:
        raise ServiceUnavailable from error
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    if not isinstance(found, Inspection):
        raise TypeError(f"{type(found).__name__} where a look was asked for")
    return found


def lambda_handler(event: dict[str, Any], context: LambdaContext) -> dict[str, Any]:
    return app.resolve(event, context)
