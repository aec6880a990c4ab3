"""Jobs in every state, each brought there by the steps that really lead there."""

import dataclasses
from typing import Any

from reelhaul import ids, steps
from reelhaul.errors import SourceNotFound
from reelhaul.jobs import Job, Media, Playlist, Progress, State, StoredExtra, StoredObject
from reelhaul.options import Options

NOW = 1_795_305_600.0  # 2026-11-22T00:00:00Z
MEDIA = Media(
    title="Ein Titel",
    extension="mp4",
    content_type="video/mp4",
    duration_s=12.5,
    thumbnail="https://img.example/t.jpg",
    format_note="720p",
)
PROGRESS = Progress(downloaded_bytes=420, total_bytes=1000, speed=3_200_000.0, eta_s=120.0)


def queued(*, tenant: str = "acme", now: float = NOW, **fields: Any) -> Job:
    request: dict[str, Any] = {
        "url": "https://media.example/a.mp4", "name": None, "options": Options(quality="720p"), "retention_days": 7,
    }  # fmt: skip
    return steps.new(job_id=ids.new_id(now), tenant=tenant, now=now, **(request | fields))


def running(*, now: float = NOW, **fields: Any) -> Job:
    return steps.beat(steps.claim(queued(now=now, **fields), now=now), PROGRESS, now=now)


def stored(job: Job, *, extension: str = "mp4") -> StoredObject:
    return StoredObject(key=ids.object_key(job, extension), size=1000, checksum_sha256="ab" * 32)


def extra(job: Job, kind: str = "thumbnail", *, language: str | None = None) -> StoredExtra:
    ending, content_type = ("thumbnail.jpg", "image/jpeg") if kind == "thumbnail" else (f"{language}.vtt", "text/vtt")
    key = ids.object_key(job, ending)
    return StoredExtra(
        kind=kind, key=key, size=10, checksum_sha256="cd" * 32, content_type=content_type, language=language
    )


def done(*, now: float = NOW, media: Media = MEDIA, extras: tuple[StoredExtra, ...] = (), **fields: Any) -> Job:
    job = running(now=now, **fields)
    return steps.complete(job, media, stored(job, extension=media.extension), extras=extras, now=now)


def expanded(*, now: float = NOW, total: int = 3, title: str = "A list", **fields: Any) -> Job:
    """A playlist whose items are jobs of their own."""
    return steps.expand(running(now=now, **fields), Playlist(title=title, total=total), now=now)


def failed(*, now: float = NOW, **fields: Any) -> Job:
    return steps.fail(running(now=now, **fields), SourceNotFound(), now=now)


def cancelled(*, now: float = NOW, **fields: Any) -> Job:
    return steps.cancel(queued(now=now, **fields), now=now)


def expired(*, now: float = NOW, **fields: Any) -> Job:
    return steps.expire(done(now=now, **fields), now=now)


def in_state(state: State, **fields: Any) -> Job:
    makers = {
        State.QUEUED: queued,
        State.RUNNING: running,
        State.EXPANDED: expanded,
        State.DONE: done,
        State.FAILED: failed,
        State.CANCELLED: cancelled,
        State.EXPIRED: expired,
    }
    return makers[state](**fields)


def due(job: Job, at: float) -> Job:
    """`job`, to be looked at from `at` on."""
    return dataclasses.replace(job, due_at=at)
