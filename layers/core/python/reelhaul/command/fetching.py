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
    NotFound,
    NotReelhaul,
    Options,
    Overwriting,
    Refused,
    Status,
    Unavailable,
)
from reelhaul.command import exits
from reelhaul.command.display import Display
from reelhaul.command.exits import Exit
from reelhaul.ids import is_id
from reelhaul.names import safe_name

_POLL_S, _SLOWEST_POLL_S = 1.0, 5.0
_FULL_S = 15.0  # how long to wait where as many jobs run as the key allows, unless the service says
_LAST_WORDS_S = 5.0  # for what is being submitted when somebody interrupts
_FATAL = (KeyRefused, NotReelhaul, BadAddress)  # what would be the same for every other download


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """Where files go: a directory, and for a single one perhaps its name."""

    directory: Path
    filename: str | None = None
    overwrite: bool = False


class Fetching:
    """Fetches what it is told to. What an interrupt leaves is kept in `unsaved` and `unbegun`.

    The former are the jobs whose files are not here yet, and whether they run; the latter the URLs without a job.
    """

    def __init__(
        self,
        client: AsyncClient,
        display: Display,
        place: Place,
        options: Options,
        *,
        at_once: int,
        unsaved: dict[str, bool],
        unbegun: set[str],
    ) -> None:
        self._unsaved = unsaved
        self._unbegun = unbegun
        self._ids: dict[str, str] = {}
        self._submitting: set[asyncio.Task[Job]] = set()
        self._hopeless = False
        self._client = client
        self._display = display
        self._place = place
        self._overwrite = Overwriting() if place.overwrite else False
        self._options = options
        self._places = asyncio.Semaphore(at_once)
        self._saving = asyncio.Semaphore(at_once)

    async def all(self, wanted: list[str]) -> Exit:
        """Fetch all of them, URLs or ids of jobs that are there. Raises `ClientError` for what would end each."""
        self._expect(wanted)
        tasks = [asyncio.create_task(self._one(what)) for what in wanted]
        try:
            return exits.worst(await asyncio.gather(*tasks))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            await self._answered()

    async def submit_only(self, wanted: list[str]) -> Exit:
        """Have the service fetch them, and wait for none."""
        self._expect(wanted)
        try:
            return exits.worst([await self._guarded(what, self._submitted(what)) for what in wanted])
        finally:
            await self._answered()

    def _expect(self, wanted: list[str]) -> None:
        for what in wanted:
            if is_id(what):
                self._ids[what] = what
                self._unsaved[what] = False  # for all that is known
            else:
                self._unbegun.add(what)

    async def _one(self, what: str) -> Exit:
        async with self._places:
            if self._hopeless:
                return Exit.NO_SERVICE
            return await self._guarded(what, self._fetched(what))

    async def _guarded(self, what: str, work: Awaitable[Exit], *, playlist_id: str | None = None) -> Exit:
        """How `work` has ended, with its failure told."""
        try:
            return await work
        except _FATAL:
            self._hopeless = True
            raise
        except BrokenPipeError:
            raise  # it is not the disk: nobody reads any more what is printed
        except (ClientError, OSError) as error:
            self._unbegun.discard(what)
            job_id = self._ids.get(what)
            code = error.code if isinstance(error, ClientError) else "client.disk"
            if isinstance(error, NotFound) and job_id is not None:
                self._unsaved.pop(job_id, None)
            url = error.job.url if isinstance(error, DownloadFailed) else None
            self._display.failed(what, job_id, code, str(error), url=url, playlist_id=playlist_id)
            return _end_of(error)

    # --- submitting ---------------------------------------------------------------------------------------------------

    async def _submitted(self, what: str) -> Exit:
        job = await self._submission(what)
        self._display.handed_over(what, job)
        del self._unsaved[job.id]
        return Exit.OK

    async def _submission(self, what: str) -> Job:
        """Ask for it. An interrupt at this moment does not undo that, so whoever interrupts is told of the job."""
        submitting = asyncio.create_task(self._client.submit(what, **self._options))
        self._submitting.add(submitting)
        submitting.add_done_callback(lambda task: self._note_job(what, task))
        return await asyncio.shield(submitting)

    def _note_job(self, what: str, submitting: asyncio.Task[Job]) -> None:
        self._submitting.discard(submitting)
        if not submitting.cancelled() and submitting.exception() is None:
            job_id = submitting.result().id
            self._ids[what], self._unsaved[job_id] = job_id, True
            self._unbegun.discard(what)

    async def _answered(self) -> None:
        """Wait a little for what was being asked when all this was ended."""
        if self._submitting:
            await asyncio.wait(self._submitting, timeout=_LAST_WORDS_S)

    async def _fetched(self, what: str) -> Exit:
        job = await self._begun(what)
        self._unsaved[job.id] = True
        job = await self._ended(what, job)
        if job.is_playlist:
            code = await self._items_saved(what, job)
        else:
            async with self._saving:
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
                job = await self._submission(what)
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
            job = await self._client.job(job.id, patient=True)
        if job.status is Status.ERROR:
            del self._unsaved[job.id]
            raise DownloadFailed(job)
        self._unsaved[job.id] = False
        return job

    def _pause_s(self, waited_s: float) -> float:
        """The more are asked for and the longer it takes, the less often."""
        return min(_SLOWEST_POLL_S, max(_POLL_S, len(self._unsaved) / 4, waited_s / 60))

    # --- saving -------------------------------------------------------------------------------------------------------

    async def _items_saved(self, what: str, playlist: Job) -> Exit:
        """A playlist's files, in a directory of its name."""
        directory = self._place.directory / (self._place.filename or safe_name(playlist.name))
        if playlist.raw.get("truncated"):
            self._display.note(f"{playlist.name}: the playlist is longer than what was taken of it.")
        place = Place(directory=directory)
        codes = await asyncio.gather(*(self._item_saved(item, playlist, place) for item in playlist.items))
        self._display.ended(what, playlist, directory, saved=codes.count(Exit.OK))
        return exits.worst(codes)

    async def _item_saved(self, item: Item, playlist: Job, place: Place) -> Exit:
        """Not all are asked for at once: the service takes so many requests a second, and a playlist has a thousand."""
        self._ids[item.id] = item.id
        async with self._saving:
            if self._hopeless:
                return Exit.NO_SERVICE
            return await self._guarded(item.id, self._item(item, place), playlist_id=playlist.id)

    async def _item(self, item: Item, place: Place) -> Exit:
        job = await self._client.job(item.id)
        if job.status is not Status.DONE:
            raise DownloadFailed(job)
        await self._saved(item.id, job, place)
        return Exit.OK

    async def _saved(self, what: str, job: Job, place: Place) -> None:
        path = await self._client.download(
            job, place.directory, filename=place.filename, overwrite=self._overwrite,
            on_progress=lambda received, size: self._display.saving(what, job.name, received, size),
        )  # fmt: skip
        self._display.saved(what, job, path)
        for subtitles in await self._client.download_subtitles(
            job, place.directory, beside=path.name, overwrite=self._overwrite
        ):
            self._display.note(f"subtitles {subtitles}")
        if job.subtitles_missing:
            self._display.note(f"{path.name}: there are no subtitles in {', '.join(job.subtitles_missing)}.")


def _end_of(error: ClientError | OSError) -> Exit:
    """How a download ends that `error` has ended."""
    if isinstance(error, Refused) and not isinstance(error, Unavailable) and error.status < 500:
        return Exit.JOBS_FAILED
    return exits.of(error) if isinstance(error, ClientError) else Exit.FAILED
