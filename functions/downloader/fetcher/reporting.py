"""What the parent hears: one JSON object per line."""

import json
import os
import re
import threading
import time
from collections.abc import Iterable, Mapping
from typing import Any

from downloader.fetcher.numbers import number
from downloader.redaction import without
from reelhaul.errors import ExtractorBroken, SourceError

PROGRESS_EVERY_S = 0.25
MAX_DETAIL_CHARS = 500
MAX_TEXT_CHARS = 2049  # of a remote text; the parent shortens it further, and takes no URL of more than 2,048

_LAST = {"finished", "paused", "failed", "inspected", "playlist"}  # words
_URL = re.compile(r"(https?://)(?:[^\s/?#@'\"]*@)?([^\s/?#'\"<>]*)[^\s'\"<>]*", re.IGNORECASE)
_TARGET = re.compile(r"(with url: )\S+")  # how urllib3 puts it, without the host


class Reporter:
    """Writes events to the descriptor `out`. None of `secrets` appears in what is for the log."""

    def __init__(self, out: int, *, secrets: Iterable[str]) -> None:
        self._out = out
        self._secrets = tuple(secrets)
        self._lock = threading.Lock()
        self._next_progress = 0.0
        self._has_ended = False

    def progress(self, *, phase: str, fields: Mapping[str, float | None], force: bool = False) -> None:
        """How far it is; dropped if the last one has only just been written, unless forced."""
        now = time.monotonic()
        if not force and now < self._next_progress:
            return
        self._next_progress = now + PROGRESS_EVERY_S
        self._write({"event": "progress", "phase": phase, **{name: number(value) for name, value in fields.items()}})

    def told(self, event: str, fields: Mapping[str, Any]) -> None:
        """What was found or made. Long texts are cut; more than two such in `fields` might be too much for one line."""
        short = {name: value[:MAX_TEXT_CHARS] if isinstance(value, str) else value for name, value in fields.items()}
        self._write({"event": event, **short})

    def failed(self, error: SourceError, *, detail: str) -> None:
        fields: dict[str, Any] = {"code": error.code, "retry_after_s": error.retry_after_s}
        if isinstance(error, ExtractorBroken):
            fields["extractor"] = error.extractor
        self._write({"event": "failed", **fields, "detail": for_the_log(without(self._secrets, detail))})

    def _write(self, event: dict[str, Any]) -> None:
        data = json.dumps(event).encode() + b"\n"
        with self._lock:
            if self._has_ended:
                return  # by a thread that nobody waits for
            self._has_ended = event["event"] in _LAST
            while data:
                data = data[os.write(self._out, data) :]


def for_the_log(text: str) -> str:
    """`text` on one bounded line, `without_addresses`."""
    return " ".join(without_addresses(text).split())[:MAX_DETAIL_CHARS]


def without_addresses(text: str) -> str:
    """Of URLs only the host is left: the rest may hold keys that open the media."""
    return _TARGET.sub(r"\1...", _URL.sub(r"\1\2/...", text))
