"""`AsyncClient`: the service, called by many tasks at once. It does what `Client` does, whose words it borrows."""

import asyncio
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from pathlib import Path
from typing import Any, Self, TypeVar, Unpack

import httpx2

from reelhaul.client import calls
from reelhaul.client.calls import Call, Options, Reply
from reelhaul.client.errors import Broken, DownloadFailed, StillRunning, Unavailable, Unreachable
from reelhaul.client.files import PartialFile
from reelhaul.client.jobs import Job, Page, ServiceInfo, Status
from reelhaul.client.naming import Overwriting, Piece, main_piece, subtitle_pieces
from reelhaul.client.sync import OnProgress
from reelhaul.client.transport import LINK_TIMEOUT, proxies_understood, trusted, uses_proxies
from reelhaul.client.tries import LinkExpired, Tries

T = TypeVar("T")


class AsyncClient:
    """`Client` for asyncio: the same calls, to be awaited; `jobs` is iterated with `async for`.

    An asynchronous context manager; or await `close`.
    """

    def __init__(self, url: str, key: str | None, *, timeout_s: float = calls.TIMEOUT_S) -> None:
        headers = {} if key is None else {calls.KEY_HEADER: calls.checked_key(key)}
        self.url = calls.checked_address(url)
        self._timeout_s = timeout_s
        with proxies_understood():
            self._http = httpx2.AsyncClient(
                base_url=self.url, headers=headers, verify=trusted(), trust_env=uses_proxies(self.url)
            )  # fmt: skip
            # Another one, as a key has no business where links lead to.
            self._links = httpx2.AsyncClient(timeout=LINK_TIMEOUT, verify=trusted())

    async def close(self) -> None:
        await self._http.aclose()
        await self._links.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.close()

    # --- jobs ---------------------------------------------------------------------------------------------------------

    async def submit(self, url: str, *, idempotency_key: str | None = None, **options: Unpack[Options]) -> Job:
        """Ask for the medium behind `url`. Returns the job, which has just begun.

        With the same `idempotency_key` the same request gives the same job for a day.
        """
        return await self._call(calls.submit(url, options, idempotency_key=idempotency_key))

    async def job(self, job_id: str, *, patient: bool = False) -> Job:
        """The job as it is now, with a fresh link if it is done. `patient`: nobody's answering is borne for 45 s."""
        return await self._call(calls.job(job_id, patient=patient))

    async def wait(self, job_id: str, *, timeout_s: float | None = None) -> Job:
        """The job once it has ended, well or not. It is not polled: the service answers when there is something to say.

        Raises `StillRunning` with the first answer after `timeout_s`: 20 s later, or more while nobody answers.
        """
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while True:
            asked_at = time.monotonic()
            if await self._call(calls.held(job_id)):
                return await self._call(calls.job(job_id, patient=True))
            if deadline is not None and time.monotonic() >= deadline:
                raise StillRunning(f"{job_id} has not ended after {timeout_s:.0f} s. It goes on.")
            await asyncio.sleep(max(0.0, calls.POLL_S - (time.monotonic() - asked_at)))

    async def page(self, *, count: int = 50, status: Status | str | None = None, next_token: str | None = None) -> Page:
        """A part of the list of jobs, newest first. `status`: only those. `next_token`: what follows another page."""
        return await self._call(calls.page(count=count, status=status, next_token=next_token))

    async def jobs(self, *, status: Status | str | None = None) -> AsyncIterator[Job]:
        """All jobs, newest first, page by page as they are asked for."""
        token: str | None = None
        while True:
            page = await self.page(count=200, status=status, next_token=token)
            for job in page.jobs:
                yield job
            token = page.next_token
            if token is None:
                return

    async def retry(self, job_id: str) -> Job:
        """Have a job that failed, was cancelled or has expired done again. Raises `Conflict` for another."""
        return await self._call(calls.retry(job_id))

    async def cancel(self, job_id: str) -> None:
        """Stop a job. It stays in the list, as one that was cancelled."""
        await self._call(calls.cancel(job_id))

    async def remove(self, job_id: str) -> None:
        """Delete the job and its file. Running ones are cancelled, of a playlist all items are deleted."""
        await self._call(calls.remove(job_id))

    async def inspect(self, url: str) -> Mapping[str, Any]:
        """What would be downloaded: title, duration, formats, as `POST /api/info` answers."""
        return await self._call(calls.inspect(url))

    async def service(self) -> ServiceInfo:
        """Which version answers, and how wrong this machine's clock is. Raises `NotReelhaul`. The key plays no part."""
        return await self._call(calls.service_info())

    # --- files --------------------------------------------------------------------------------------------------------

    async def fetch(self, url: str, directory: Path | str = ".", **options: Unpack[Options]) -> Path:
        """Everything at once: submit `url`, wait, and save the file in `directory`. Raises `DownloadFailed`."""
        begun = await self.submit(url, **options)
        return await self.download(await self.wait(begun.id), directory)

    async def download(
        self,
        job: Job | str,
        directory: Path | str = ".",
        *,
        filename: str | None = None,
        overwrite: Overwriting | bool = False,
        on_progress: OnProgress | None = None,
    ) -> Path:
        """Save the file of a job that is done in `directory`, under its own name or `filename`. Returns where.

        `job` is its id, or what `wait` gave, which saves a call. What has come before, also in another process, is not
        fetched again; size and checksum are checked. Where another file has the name it gets a number, unless it is to
        `overwrite`; an `Overwriting` that several downloads share keeps them from replacing each other's. Raises
        `DownloadFailed` for a job without a file, `Broken` (what has come stays), `FileDamaged`, and `OSError`.
        """
        job = await self.job(job) if isinstance(job, str) else job
        job_id, piece = job.id, main_piece(job)
        if piece is None:
            raise DownloadFailed(job)

        async def renewed() -> Piece | None:
            return main_piece(await self.job(job_id, patient=True))

        part = PartialFile(piece, Path(directory), filename=filename, overwrite=overwrite)
        return await self._saved(part, renewed, on_progress)

    async def download_subtitles(
        self,
        job: Job | str,
        directory: Path | str = ".",
        *,
        beside: str | None = None,
        overwrite: Overwriting | bool = False,
    ) -> list[Path]:
        """Save the job's subtitles, called as the file `beside` (else the job's) with language and format behind.

        `job` and `overwrite` are as for `download`; where the same subtitles lie already they stay.
        """
        job = await self.job(job) if isinstance(job, str) else job
        job_id, name, saved = job.id, beside or job.name, list[Path]()
        for piece in subtitle_pieces(job, name):

            async def renewed(name_of_piece: str = piece.name) -> Piece | None:
                pieces = subtitle_pieces(await self.job(job_id, patient=True), name)
                return next((each for each in pieces if each.name == name_of_piece), None)

            part = PartialFile(piece, Path(directory), overwrite=overwrite)
            saved.append(await self._saved(part, renewed))
        return saved

    async def _saved(
        self, part: PartialFile, renewed: Callable[[], Awaitable[Piece | None]], on_progress: OnProgress | None = None
    ) -> Path:
        """`renewed` asks for a fresh link. What the disk takes long for happens beside the other tasks."""
        await asyncio.to_thread(part.open)
        with part:
            if part.path is not None:
                return part.path
            tries = Tries(part)
            while not part.is_whole():
                try:
                    await self._fill(part, on_progress)
                except LinkExpired as error:
                    await asyncio.sleep(tries.pause_s(error))
                    part.renew(await renewed())
                except (httpx2.TransportError, Broken) as error:
                    await asyncio.sleep(tries.pause_s(error))
            await asyncio.to_thread(part.settle)
            return part.finish()

    async def _fill(self, part: PartialFile, on_progress: OnProgress | None) -> None:
        async with self._links.stream("GET", part.piece.url, headers=part.headers) as reply:
            part.accept(reply.status_code, reply.headers)
            async for data in reply.aiter_raw():
                part.write(data)
                if on_progress is not None:
                    on_progress(part.received, part.piece.size)
        part.end()

    # --- calls --------------------------------------------------------------------------------------------------------

    async def _call(self, call: Call[T]) -> T:
        for wait_s in call.waits_s:
            try:
                return call.read(await self._exchanged(call))
            except (Unreachable, Unavailable) as error:
                await asyncio.sleep(calls.pause_s(error, wait_s))
        return call.read(await self._exchanged(call))

    async def _exchanged(self, call: Call[Any]) -> Reply:
        started, body = time.monotonic(), bytearray()
        try:
            async with self._http.stream(
                call.method, call.path, json=call.body, headers=dict(call.headers),
                timeout=max(self._timeout_s, call.held_s),
            ) as reply:  # fmt: skip
                async for part in reply.aiter_bytes():
                    calls.add_bounded(body, part)
        except httpx2.HTTPError as error:
            raise Unreachable(f"{self.url} does not answer: {error or type(error).__name__}") from error
        return Reply(
            status=reply.status_code,
            headers={name.lower(): value for name, value in reply.headers.items()},
            body=bytes(body),
            received_at=time.time(),
            took_s=time.monotonic() - started,
        )
