"""What the service says about jobs, as frozen objects. A field that this version does not know stays in `raw`. Pure."""

import dataclasses
import enum
import math
import re
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Self

from reelhaul.client.errors import NotReelhaul

_SHA256 = re.compile(r"[0-9a-f]{64}", re.ASCII)


class Status(enum.StrEnum):
    """What became of a job. `DONE` has a file (or, of a playlist, all its items have ended), `ERROR` says why not."""

    PROCESSING = "processing"
    DONE = "done"
    ERROR = "error"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Subtitles:
    """One file of subtitles of a job that is done; `url` is a link like the job's own."""

    language: str
    format: str
    size: int | None
    url: str


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A job of a playlist, as the playlist's own job shows it; `index` counts from 1."""

    id: str
    index: int
    name: str
    status: Status
    progress: float
    error: str | None
    error_code: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Job:
    """One requested download as the service showed it last.

    `progress` is 0-100; sizes are bytes, `speed` is bytes a second, `eta_s` and `duration_s` are seconds. What is not
    known (yet) is `None`. `download_url` is there once it is done, and good until `expires_at`: ask for the job again
    for a fresh one. `items` are those of a playlist's own job, `items_total` is `None` for everything else. `raw` is
    the whole answer.
    """

    id: str
    status: Status
    name: str
    url: str | None = None
    title: str | None = None
    progress: float = 0.0
    downloaded_bytes: int = 0
    size: int | None = None
    speed: float | None = None
    eta_s: float | None = None
    duration_s: float | None = None
    created_at: datetime | None = None
    completed_at: datetime | None = None
    error: str | None = None
    error_code: str | None = None
    download_url: str | None = None
    expires_at: datetime | None = None
    checksum_sha256: str | None = None
    content_type: str | None = None
    subtitles: tuple[Subtitles, ...] = ()
    subtitles_missing: tuple[str, ...] = ()
    items_total: int | None = None
    items: tuple[Item, ...] = ()
    playlist_id: str | None = None
    raw: Mapping[str, Any] = dataclasses.field(default_factory=dict, repr=False)

    @property
    def has_ended(self) -> bool:
        return self.status is not Status.PROCESSING

    @property
    def is_playlist(self) -> bool:
        """Whether it stands for several others, and has no file of its own."""
        return self.items_total is not None

    @classmethod
    def of(cls, row: Any) -> Self:
        """The job that `row` describes. Raises `NotReelhaul` if it describes none."""
        try:
            return cls(
                id=str(row["id"]),
                status=Status(row["status"]),
                name=str(row.get("name") or row["id"]),
                progress=_number(row.get("progress")) or 0.0,
                downloaded_bytes=_count(row.get("downloaded_bytes")) or 0,
                size=_count(row.get("filesize")),
                speed=_number(row.get("speed")),
                eta_s=_number(row.get("eta")),
                duration_s=_number(row.get("duration")),
                created_at=_time(row.get("created_at")),
                completed_at=_time(row.get("completed_at")),
                download_url=_link(row.get("download_url")),
                expires_at=_time(row.get("expires_at")),
                checksum_sha256=_checksum(row.get("checksum_sha256")),
                subtitles=tuple(_subtitles(one) for one in row.get("subtitles") or ()),
                subtitles_missing=tuple(str(one) for one in row.get("subtitles_missing") or ()),
                items_total=_count(row.get("items_total")),
                items=tuple(_item(one) for one in row.get("items") or ()),
                raw=row,
                **{field: _text(row.get(field)) for field in _TEXTS},
            )
        except (KeyError, TypeError, ValueError, AttributeError, OverflowError) as error:
            raise NotReelhaul("The answer describes no download of this service.") from error


_TEXTS = ("url", "title", "error", "error_code", "content_type", "playlist_id")


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """A part of the list, newest first; `next_token` leads to what follows, `None` at its end."""

    jobs: tuple[Job, ...]
    total: int
    next_token: str | None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class ServiceInfo:
    """What a service says of itself. `clock_off_s` is by how much this machine's clock is ahead of its, if it tells."""

    version: str
    clock_off_s: float | None


def _subtitles(row: Mapping[str, Any]) -> Subtitles:
    url = _link(row["url"])
    if url is None:
        raise ValueError
    return Subtitles(
        language=str(row["language"]), format=str(row["format"]), size=_count(row.get("filesize")), url=url
    )


def _item(row: Mapping[str, Any]) -> Item:
    return Item(
        id=str(row["id"]),
        index=int(row["playlist_index"]),
        name=str(row["name"]),
        status=Status(row["status"]),
        progress=_number(row.get("progress")) or 0.0,
        error=_text(row.get("error")),
        error_code=_text(row.get("error_code")),
    )


# --- what may stand in a field; each raises what `Job.of` translates --------------------------------------------------


def _time(text: str | None) -> datetime | None:
    return None if text is None else datetime.fromisoformat(text).astimezone(UTC)


def _text(said: Any) -> str | None:
    if not isinstance(said, str | None):
        raise TypeError
    return said


def _number(said: Any) -> float | None:
    if said is None:
        return None
    if not math.isfinite(number := float(said)):  # JSON of Python's kind knows Infinity
        raise ValueError
    return number


def _count(said: Any) -> int | None:
    if said is None:
        return None
    if not isinstance(said, int) or said < 0:
        raise TypeError
    return said


def _checksum(said: Any) -> str | None:
    """Files are named after it."""
    if said is not None and not _SHA256.fullmatch(said):
        raise ValueError
    return _text(said)


def _link(said: Any) -> str | None:
    text = _text(said)
    if text is not None and not text.startswith(("https://", "http://")):
        raise ValueError
    return text
