"""Whether what a server sends now is of the same file as what came before: by its length, ETag and Last-Modified.

yt-dlp joins whatever comes, and takes a file that is up to 100 bytes off for complete.
"""

import dataclasses
import functools
import re
from collections.abc import Iterable
from typing import Any

from yt_dlp.networking import Request as WebRequest
from yt_dlp.networking.exceptions import HTTPError

from downloader.events import Source
from reelhaul.errors import SourceChanged, SourceTooSlow

_RANGE = re.compile(r"bytes=(\d{1,18})-", re.ASCII)
_CONTENT_RANGE = re.compile(r"bytes (?:(\d{1,18})-(\d{1,18})|\*)/(\d{1,18}|\*)", re.ASCII)
_MAX_MARK_CHARS = 300


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """What a server says of a file. `None`: nothing."""

    total_bytes: int | None
    etag: str | None
    last_modified: str | None

    @classmethod
    def of(cls, headers: Any, *, total_bytes: int | None) -> "Marks":
        return cls(
            total_bytes=total_bytes, etag=_mark(headers.get("ETag")), last_modified=_mark(headers.get("Last-Modified"))
        )

    def contradict(self, other: "Marks") -> bool:
        pairs = zip(dataclasses.astuple(self), dataclasses.astuple(other), strict=True)
        return any(mine is not None and its is not None and mine != its for mine, its in pairs)


class RangeRequest(WebRequest):  # type: ignore[misc]  # yt-dlp ships no types
    """For one of several ranges that are fetched side by side: nothing can begin anew with it."""


class Watch:
    """Looks at each reply to a request for the file at `url`. With a `source` its beginning is there already.

    One that `adopts` believes the first reply, wherever that begins: what is there is known to somebody else.
    """

    def __init__(self, url: str, source: Source | None, *, adopts: bool = False) -> None:
        self._url = WebRequest(url).url  # as it is asked for
        self._adopts = adopts
        self._is_resumed = source is not None
        self.marks: Marks | None = None
        if source is not None:
            self.marks = Marks(total_bytes=source.total_bytes, etag=source.etag, last_modified=source.last_modified)

    def open(self, send: Any, request: Any) -> Any:
        """What `send` makes of the request. Raises `SourceChanged`, and `SourceTooSlow` where ranges are ignored."""
        if not isinstance(request, WebRequest) or request.url != self._url:
            return send(request)
        found = _RANGE.match(request.headers.get("Range") or "")
        start = int(found[1]) if found else 0
        if (
            start and self.marks and self.marks.etag and self.marks.etag.startswith('"')
        ):  # RFC 9110, 13.1.5: strong ones
            request.headers["If-Range"] = self.marks.etag
        try:
            reply = send(request)
        except HTTPError as error:
            if error.status == 416 and start and not self._ends_at(start, error.response.headers):
                raise SourceChanged from error
            raise
        part = _CONTENT_RANGE.fullmatch(reply.headers.get("Content-Range") or "") if reply.status == 206 else None
        is_one_of_several = isinstance(request, RangeRequest)
        if part is not None:
            self._look_at_part(reply.headers, part, start, is_one_of_several=is_one_of_several)
        elif reply.status == 206 and found:  # nobody knows of what: yt-dlp would take it for all, or for what it is not
            raise SourceTooSlow if is_one_of_several else SourceChanged
        else:
            self._look_at_all(reply.headers, start, is_one_of_several=is_one_of_several)
        return reply

    def _ends_at(self, start: int, headers: Any) -> bool:
        """Whether the file of which nothing comes behind that is the one that is known."""
        known = self.marks.total_bytes if self.marks else None
        return _length(headers) == start and known in {None, start}

    def _look_at_all(self, headers: Any, start: int, *, is_one_of_several: bool) -> None:
        length = headers.get("Content-Length") or ""
        is_plain = length.isdecimal() and len(length) < 19 and not headers.get("Content-Encoding")
        seen = Marks.of(headers, total_bytes=int(length) if is_plain else None)
        if is_one_of_several or (start and self._is_resumed):
            raise SourceChanged if self.marks is None or self.marks.contradict(seen) else SourceTooSlow
        if start and self.marks is not None and self.marks.contradict(seen):
            raise SourceChanged  # somebody may have made something of what came before
        self.marks = seen  # yt-dlp begins anew

    def _look_at_part(self, headers: Any, part: re.Match[str], start: int, *, is_one_of_several: bool) -> None:
        last = None if is_one_of_several else part[2]
        total = part[3] if part[3] != "*" else str(int(last) + 1) if last else None
        seen = Marks.of(headers, total_bytes=int(total) if total else None)
        known = seen if self._adopts and self.marks is None else self.marks
        if start and (known is None or known.contradict(seen) or part[1] != str(start)):
            raise SourceChanged
        self.marks = self.marks or seen


class Watches:
    """One for each of several files."""

    def __init__(self, watches: Iterable[Watch]) -> None:
        self._watches = tuple(watches)

    def open(self, send: Any, request: Any) -> Any:
        for watch in self._watches:
            send = functools.partial(watch.open, send)
        return send(request)


def _length(headers: Any) -> int | None:
    found = _CONTENT_RANGE.fullmatch(headers.get("Content-Range") or "")
    return int(found[3]) if found and found[3] != "*" else None


def _mark(value: str | None) -> str | None:
    return value if value and len(value) <= _MAX_MARK_CHARS else None
