"""Downloads under way: from an address to a file on the disk, several at once."""

import asyncio
import dataclasses
import time
from collections.abc import Awaitable
from pathlib import Path

from reelhaul.client import (
    AsyncClient,
    BadAddress,
    ClientError,
    DownloadFailed,
    Item,
    Job,
    KeyRefused,
    LimitReached,
    NotReelhaul,
    Options,
    Refused,
    Status,
)
from reelhaul.command import exits
from reelhaul.command.display import Display
from reelhaul.command.exits import Exit
from reelhaul.ids import is_id
from reelhaul.names import safe_name

_POLL_S, _SLOWEST_POLL_S = 1.0, 5.0
_FULL_S = 15.0  # how long to wait where as many jobs run as the key allows, unless the service says
_FATAL = (KeyRefused, NotReelhaul, BadAddress)  # what would be the same for every other download


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where files go: a directory, and for a single one perhaps its name."""

    directory: Path
    filename: str | None = None
    overwrite: bool = False


class Fetching:
    """Fetches what it is told to. `unsaved` is kept: the jobs whose files are not here yet, and whether they run."""

    def __init__(
        self,
        client: AsyncClient,
        display: Display,
        place: Place,
        options: Options,
        *,
        at_once: int,
        unsaved: dict[str, bool],
    ) -> None:
        self._unsaved = unsaved
        self._ids: dict[str, str] = {}
        self._hopeless = False
        self._client = client
        self._display = display
        self._place = place
        self._options = options
        self._places = asyncio.Semaphore(at_once)
        self._saving = asyncio.Semaphore(at_once)

    async def all(self, wanted: list[str]) -> Exit:
        """Fetch all of them, URLs or ids of jobs that are there. Raises `ClientError` for what would end each."""
        tasks = [asyncio.create_task(self._one(what)) for what in wanted]
        try:
            return exits.worst(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)

    async def submit_only(self, wanted: list[str]) -> Exit:
        """Have the service fetch them, and wait for none."""
        return exits.worst([await self._guarded(what, self._submitted(what)) for what in wanted])

    async def _one(self, what: str) -> Exit:
        async with self._places:
            if self._hopeless:
                return Exit.NO_SERVICE
            return await self._guarded(what, self._fetched(what))

    async def _guarded(self, what: str, work: Awaitable[Exit]) -> Exit:
        """How `work` has ended, with its failure told."""
        try:
            return await work
        except _FATAL:
            self._hopeless = True
            raise
        except DownloadFailed as error:
            self._display.failed(what, error.job.id, error.code, str(error))
            return Exit.JOBS_FAILED
        except Refused as error:
            self._display.failed(what, None, error.code, str(error))
            return Exit.JOBS_FAILED if error.status < 500 else Exit.FAILED
        except ClientError as error:
            self._display.failed(what, self._ids.get(what), error.code, str(error))
            return exits.of(error)
        except OSError as error:
            self._display.failed(what, self._ids.get(what), "client.disk", str(error))
            return Exit.FAILED

    async def _submitted(self, what: str) -> Exit:
        self._display.submitted(what, await self._client.submit(what, **self._options))
        return Exit.OK

    async def _fetched(self, what: str) -> Exit:
        job = await self._begun(what)
        self._ids[what] = job.id
        self._unsaved[job.id] = True
        job = await self._ended(what, job)
        if job.is_playlist:
            code = await self._items_saved(job)
        else:
            await self._saved(what, job, self._place)
            code = Exit.OK
        del self._unsaved[job.id]
        return code

    async def _begun(self, what: str) -> Job:
        """The job that `what` names, or a new one; while the key allows no more at a time it is waited."""
        if is_id(what):
            return await self._client.job(what)
        while True:
            try:
                job = await self._client.submit(what, **self._options)
            except LimitReached as error:
                if error.code != "limit.concurrent_jobs":
                    raise
                self._display.note(f"{error} Waiting until one of them has ended.")
                asked_s = error.retry_after_s
                await asyncio.sleep(_FULL_S if asked_s is None else max(_POLL_S, asked_s))
            else:
                self._display.submitted(what, job)
                return job

    async def _ended(self, what: str, job: Job) -> Job:
        """Raises `DownloadFailed`. Who looks at bars gets news each second or so, others when it has ended."""
        if not self._display.wants_progress and not job.has_ended:
            job = await self._client.wait(job.id)
        started = time.monotonic()
        while not job.has_ended:
            self._display.fetching(what, job)
            await asyncio.sleep(self._pause_s(time.monotonic() - started))
            job = await self._client.job(job.id)
        if job.status is Status.ERROR:
            del self._unsaved[job.id]
            raise DownloadFailed(job)
        self._unsaved[job.id] = False
        return job

    def _pause_s(self, waited_s: float) -> float:
        """The more are asked for and the longer it takes, the less often."""
        return min(_SLOWEST_POLL_S, max(_POLL_S, len(self._unsaved) / 4, waited_s / 60))

    async def _items_saved(self, playlist: Job) -> Exit:
        """A playlist's files, in a directory of its name."""
        name = self._place.filename or safe_name(playlist.name)
        place = Place(directory=self._place.directory / name, overwrite=self._place.overwrite)
        if playlist.raw.get("truncated"):
            self._display.note(f"{playlist.name}: the playlist is longer than what was taken of it.")
        full = await self._client.job(playlist.id)
        return exits.worst(await asyncio.gather(*(self._item_saved(item, place) for item in full.items)))

    async def _item_saved(self, item: Item, place: Place) -> Exit:
        return await self._guarded(item.id, self._item(item, place))

    async def _item(self, item: Item, place: Place) -> Exit:
        job = await self._client.job(item.id)
        if job.status is not Status.DONE:
            raise DownloadFailed(job)
        await self._saved(item.id, job, place)
        return Exit.OK

    async def _saved(self, what: str, job: Job, place: Place) -> None:
        async with self._saving:
            path = await self._client.download(
                job.id, place.directory, filename=place.filename, overwrite=place.overwrite,
                on_progress=lambda received, size: self._display.saving(what, job.name, received, size),
            )  # fmt: skip
            self._display.saved(what, job, path)
            for subtitles in await self._client.download_subtitles(job.id, place.directory, beside=path.name):
                self._display.note(f"subtitles {subtitles}")
