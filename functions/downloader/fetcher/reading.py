"""Media are read as they come: whoever asks for a block gets what there is of it a moment after its first byte.

yt-dlp waits until a block is full, and what there is of it is lost when a fetch is stopped meanwhile. Small blocks cost
time, since each is counted, written, and told.
"""

import select
import time
from typing import Any

from urllib3.exceptions import HTTPError
from urllib3.response import HTTPResponse

MOMENT_S = 0.05
# What came together with a reply's head may be in memory already, where waiting for the socket tells nothing: as much
# as one TLS record holds (RFC 8446, 5.1).
_WITH_THE_HEAD_BYTES = 16 * 1024


def as_it_comes(original: Any) -> Any:
    """`HttpFD.real_download`, which reads plain files as well as fragments."""

    def real_download(self: Any, filename: str, info_dict: dict[str, Any]) -> Any:
        if not isinstance(self.ydl, _Promptly):  # of fragments, several threads share one downloader
            self.ydl = _Promptly(self.ydl)
        return original(self, filename, info_dict)

    return real_download


class _Promptly:
    """The `ydl` of a downloader."""

    def __init__(self, ydl: Any) -> None:
        self._ydl = ydl

    def urlopen(self, request: Any) -> Any:
        """A reply without a length is read as before: what has none cannot be gone on with either."""
        reply = self._ydl.urlopen(request)
        body = reply.fp
        if isinstance(body, HTTPResponse) and body.length_remaining and not reply.headers.get("Content-Encoding"):
            reply.fp = _Body(body)
        return reply

    def __getattr__(self, name: str) -> Any:
        return getattr(self._ydl, name)


class _Body:
    """Of a reply that is as it is sent, and has a length."""

    def __init__(self, body: HTTPResponse) -> None:
        self._body = body
        self._come_bytes = 0
        self._error: HTTPError | None = None

    @property
    def closed(self) -> bool:
        return self._body.closed

    def close(self) -> None:
        self._body.close()

    def readable(self) -> bool:
        return self._body.readable()

    def read(self, amt: int | None = None, **options: Any) -> bytes:
        """At least one byte of the `amt`, unless all have been read. Raises as the body of urllib3 does."""
        if self._error is not None:
            raise self._error
        if amt is None:
            return self._body.read(**options)
        data = self._first(amt, options)
        if data and len(data) < amt:
            data = b"".join([data, *self._rest(amt - len(data), options)])
        self._come_bytes += len(data)
        return data

    def _first(self, amt: int, options: dict[str, Any]) -> bytes:
        with_the_head = _WITH_THE_HEAD_BYTES - self._come_bytes
        if with_the_head > 0:
            return self._body.read(min(amt, with_the_head), **options)
        return self._body.read1(amt, **options)

    def _rest(self, amt: int, options: dict[str, Any]) -> list[bytes]:
        """What comes within a moment. An error is for whoever asks for the next block: this one counts."""
        pieces: list[bytes] = []
        until = time.monotonic() + MOMENT_S
        while amt > 0 and self._has_more(until):
            try:
                piece = self._body.read1(amt, **options)
            except HTTPError as error:
                self._error = error
                break
            pieces.append(piece)
            amt -= len(piece)
            if not piece:
                break
        return pieces

    def _has_more(self, until: float) -> bool:
        left_s = until - time.monotonic()
        if left_s <= 0 or self._body.closed:
            return False
        socket = select.poll()
        socket.register(self._body.fileno(), select.POLLIN)
        return bool(socket.poll(left_s * 1000))
