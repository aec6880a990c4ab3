"""Where a job's media go: into S3, under names that carry the fence, also while they are still being fetched."""

import contextlib
import functools
import hashlib
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType
from typing import Self

from downloader.answers import Fetched, FetchedExtra, Resume, checked
from downloader.baggage import Baggage, Carried
from downloader.events import Paused
from downloader.transfer import Begun, Growing, Uploader
from reelhaul import ids, jobs
from reelhaul.errors import WorkerCrashed
from reelhaul.jobs import Checkpoint, Job, Media, StoredExtra, StoredObject
from reelhaul.names import content_disposition

_EXTRAS_AT_ONCE = 4  # beside the medium


class Outlet:
    """Of one attempt; a context manager. Until `store` has returned there is no object, whatever was sent by then.

    The caller removes what was begun, see `Uploader.upload`, whose errors all methods may raise.
    """

    def __init__(self, job: Job, uploader: Uploader) -> None:
        self._job = job
        self._uploader = uploader
        self._stack = contextlib.ExitStack()
        self._growing: Growing | None = None
        self._media: Media | None = None
        self._begun: Begun | None = None
        self._final_bytes = 0
        self._directory: Path | None = None
        self.resume: Resume | None = None  # where the fetch has to go on

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Nothing is sent any more afterwards."""
        self._growing = None
        self._stack.close()

    def has_room(self) -> bool:
        growing = self._growing
        return growing is None or growing.has_room

    def take_over(self, directory: Path) -> None:
        """What an earlier worker has handed over, if one has, is gone on with in `directory`, which is the job's.

        Raises as `Uploader.upload` does.
        """
        self._directory = directory
        if self._job.checkpoint is not None:
            baggage = Baggage.unpacked(self._uploader.get(self._job.checkpoint.baggage_key), self._job.checkpoint)
            self._begun = baggage.begun
            self.resume = baggage.laid_out(directory, self._job.checkpoint, fetch=self._uploader.fetch)

    def begin(self, path: Path, media: Media) -> None:
        self._media = media
        self._growing = self._stack.enter_context(self._named(media)(path, begun=self._begun))

    def extend(self, final_bytes: int) -> None:
        self._final_bytes = final_bytes
        self.tend()

    def tend(self) -> None:
        if self._growing is not None:
            self._growing.advance(self._final_bytes)

    def hand_over(self, paused: Paused, *, spent_s: float) -> Checkpoint:
        """All that there is so far goes to where the next worker finds it."""
        growing = self._growing if paused.bytes else None  # else what was sent is removed in the end, as of a failure
        begun, head, tail = growing.pause(paused.bytes) if growing else (None, b"", b"")
        if begun is None and self._begun is not None:
            raise WorkerCrashed  # what an earlier worker has begun is not gone on with
        files = tuple(self._carried(name, number) for number, name in enumerate(paused.files))
        left = Baggage(
            tracks=paused.tracks, files=files, begun=begun, is_alone=paused.is_alone, direct=paused.direct,
            head=head, tail=tail,
        )  # fmt: skip
        packed = left.packed()
        key = ids.baggage_key(self._job)
        self._uploader.put(key, packed)
        return Checkpoint(
            media=self._media if begun else None,
            object_key=begun.key if begun else None, upload_id=begun.upload_id if begun else None,
            parts=len(begun.digests) if begun else 0, final_bytes=begun.final_bytes if begun else 0,
            bytes=paused.bytes, place=paused.place, baggage_key=key,
            baggage_sha256=hashlib.sha256(packed).hexdigest(), spent_s=spent_s,
        )  # fmt: skip

    def _carried(self, name: str, number: int) -> Carried:
        if self._directory is None:
            raise WorkerCrashed
        stored = self._uploader.upload(
            checked(self._directory / name), key=ids.carried_key(self._job, number),
            content_type="application/octet-stream", disposition="attachment",
        )  # fmt: skip
        return Carried(name=name, stored=stored)

    def store(self, found: Fetched) -> tuple[StoredObject, tuple[StoredExtra, ...]]:
        """All that was found becomes objects, at the same time: of what is small, most is waiting for replies."""
        with ThreadPoolExecutor(_EXTRAS_AT_ONCE, thread_name_prefix="extra") as pool:
            extras = [pool.submit(self._stored_extra, found.media, extra) for extra in found.extras]
            stored = self._stored(found)
            return stored, tuple(extra.result() for extra in extras)

    def _stored(self, found: Fetched) -> StoredObject:
        if self._growing is None and self._begun is not None:
            raise WorkerCrashed
        if self._growing is None:
            with self._named(found.media)(found.path, keep=True) as whole:
                return whole.finish(found.path.stat().st_size)
        if not self._growing.is_of(found.path):
            raise WorkerCrashed  # there are holes in what it was before
        return self._growing.finish(found.path.stat().st_size)

    def _named(self, media: Media) -> Callable[..., AbstractContextManager[Growing]]:
        return functools.partial(
            self._uploader.growing,
            key=ids.object_key(self._job, media.extension),
            content_type=media.content_type,
            disposition=content_disposition(jobs.filename_of(self._job, media)),
        )

    def _stored_extra(self, media: Media, extra: FetchedExtra) -> StoredExtra:
        """The names of extras are ours, down to the language, which is one that the user asked for."""
        part = f"{extra.language}.{extra.extension}" if extra.language else extra.extension
        name = f"{jobs.filename_of(self._job, media).rpartition('.')[0]}.{part}"
        stored = self._uploader.upload(
            extra.path,
            key=ids.object_key(self._job, f"{extra.kind}.{part}"),
            content_type=extra.content_type,
            disposition=content_disposition(name),
        )
        return StoredExtra(
            kind=extra.kind, key=stored.key, size=stored.size, checksum_sha256=stored.checksum_sha256,
            content_type=extra.content_type, language=extra.language,
        )  # fmt: skip
