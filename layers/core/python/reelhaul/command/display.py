"""What is shown while downloads are under way: bars on a terminal, lines elsewhere, or JSON."""

import json
import sys
import time
from pathlib import Path
from typing import Any, Self

from rich.console import Console
from rich.progress import BarColumn, Progress, TaskID, TaskProgressColumn, TextColumn
from rich.text import Text

from reelhaul.client import Job
from reelhaul.command import advice, words

_DRAW_S = 0.1  # a file that is saved tells of every block


class Display:
    """Shows nothing. A context manager. `what` is the URL or id that was asked for, and names a download everywhere."""

    wants_progress = False  # whether the calls `fetching` and `saving` show anything
    may_ask = True  # whether somebody may be asked something, where there is a terminal

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        sys.stdout.flush()

    def submitted(self, what: str, job: Job) -> None:
        """The service has taken it."""

    def handed_over(self, what: str, job: Job) -> None:
        """The service has taken it, and it is not waited for."""
        self.submitted(what, job)

    def fetching(self, what: str, job: Job) -> None:
        """The service is at it, as `job` says."""

    def saving(self, what: str, name: str, received: int, size: int | None) -> None:
        """The file is on its way here, bytes so far and in all."""

    def saved(self, what: str, job: Job, path: Path) -> None:
        """The file is here."""

    def failed(
        self, what: str, job_id: str | None, code: str, sentence: str, *, url: str | None = None,
        playlist_id: str | None = None,
    ) -> None:  # fmt: skip
        """There will be no file. `url` is where it was to come from, `playlist_id` the playlist that it is of."""

    def ended(self, what: str, playlist: Job, directory: Path, *, saved: int) -> None:
        """Of every item it is told what became of it; so many are here."""

    def note(self, sentence: str) -> None:
        """Something else that its user wants to know."""


def display(*, as_json: bool) -> Display:
    """The one that suits where standard output leads to."""
    if as_json:
        return JsonLines()
    return Bars() if sys.stdout.isatty() else Lines()


class JsonLines(Display):
    """One object a line. Their fields stay as they are; new ones may come."""

    may_ask = False

    def submitted(self, what: str, job: Job) -> None:
        print_json(event="submitted", asked=what, id=job.id)

    def saved(self, what: str, job: Job, path: Path) -> None:
        print_json(
            event="saved", asked=what, id=job.id, url=job.url, path=str(path), bytes=path.stat().st_size,
            sha256=job.checksum_sha256, playlist_id=job.playlist_id, subtitles_missing=job.subtitles_missing,
        )  # fmt: skip

    def failed(
        self, what: str, job_id: str | None, code: str, sentence: str, *, url: str | None = None,
        playlist_id: str | None = None,
    ) -> None:  # fmt: skip
        print_json(event="failed", asked=what, id=job_id, url=url, code=code, message=sentence, playlist_id=playlist_id)

    def ended(self, what: str, playlist: Job, directory: Path, *, saved: int) -> None:
        print_json(
            event="playlist", asked=what, id=playlist.id, url=playlist.url, path=str(directory), saved=saved,
            failed=len(playlist.items) - saved,
        )  # fmt: skip

    def note(self, sentence: str) -> None:
        print(words.plain(sentence), file=sys.stderr, flush=True)


def print_json(**fields: Any) -> None:
    """ASCII only, so that no file name can be anything but itself, wherever it is read."""
    print(json.dumps(fields), flush=True)


class Lines(Display):
    """A line for each thing that happens; what failed goes to standard error."""

    def submitted(self, what: str, job: Job) -> None:
        print(f"submitted {job.id} {words.plain(what)}", flush=True)

    def saved(self, what: str, job: Job, path: Path) -> None:  # noqa: ARG002 - the line of `submitted` has them
        print(f"saved {path}", flush=True)

    def failed(
        self, what: str, job_id: str | None, code: str, sentence: str, *, url: str | None = None,
        playlist_id: str | None = None,  # noqa: ARG002 - its items come one after the other, and name themselves
    ) -> None:  # fmt: skip
        for line in failure(what, job_id, code, sentence, url=url):
            print(line, file=sys.stderr, flush=True)

    def note(self, sentence: str) -> None:
        print(words.plain(sentence), file=sys.stderr, flush=True)


def failure(what: str, job_id: str | None, code: str, sentence: str, *, url: str | None = None) -> list[str]:
    """Why, by which code, and what can be done about it."""
    told = advice.on(code, job_id=job_id, url=url or what)
    return [
        f"failed {words.plain(what)}: {words.plain(sentence)} ({words.plain(code)})",
        *([f"  {told}"] if told else []),
    ]


class Bars(Display):
    """A bar for each download under way. What has ended becomes a line above them, and stays."""

    wants_progress = True

    def __init__(self, console: Console | None = None) -> None:
        self._console = console or Console(highlight=False)
        self._progress = Progress(
            TextColumn("{task.fields[doing]}", style="dim", markup=False),
            TextColumn("{task.description}", markup=False),
            BarColumn(bar_width=None),
            TaskProgressColumn(),
            TextColumn("{task.fields[detail]}", markup=False),
            console=self._console,
            expand=True,
            transient=True,
            # By the thread that all calls come from: rich's own now and then leaves a bar behind that has ended.
            auto_refresh=False,
        )
        self._tasks: dict[str, TaskID] = {}
        self._drawn_at = 0.0

    def __enter__(self) -> Self:
        self._progress.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._progress.stop()

    def submitted(self, what: str, job: Job) -> None:
        self._update(what, doing="waiting", name=what, share=job.progress / 100, detail="")

    def handed_over(self, what: str, job: Job) -> None:
        self._console.print(Text.assemble(("submitted ", "green"), f"{job.id} {words.plain(what)}"), soft_wrap=True)

    def fetching(self, what: str, job: Job) -> None:
        speed = f"{words.size(job.speed)}/s" if job.speed else ""
        left = words.duration(job.eta_s)
        name = what if job.title is None else job.name
        share = job.progress / 100
        self._update(what, doing="fetching", name=name, share=share, detail=f"{speed:>9} {left:>7}")

    def saving(self, what: str, name: str, received: int, size: int | None) -> None:
        share = received / size if size else 0.0
        self._update(what, doing="saving", name=name, share=share, detail=f"{words.size(received):>9} {'':>7}")

    def saved(self, what: str, job: Job, path: Path) -> None:
        self._end(what)
        self._console.print(Text.assemble(("saved ", "green"), str(path), f"  {words.size(job.size)}"), soft_wrap=True)

    def failed(
        self, what: str, job_id: str | None, code: str, sentence: str, *, url: str | None = None,
        playlist_id: str | None = None,  # noqa: ARG002 - as in `Lines`
    ) -> None:  # fmt: skip
        self._end(what)
        first, *rest = failure(what, job_id, code, sentence, url=url)
        self._console.print(Text.assemble(("failed", "red"), first.removeprefix("failed")), soft_wrap=True)
        for line in rest:
            self._console.print(Text(line, style="dim"), soft_wrap=True)

    def ended(self, what: str, playlist: Job, directory: Path, *, saved: int) -> None:  # noqa: ARG002 - lines have it
        self._end(what)

    def note(self, sentence: str) -> None:
        self._console.print(Text(words.plain(sentence), style="yellow"), soft_wrap=True)

    def _update(self, what: str, *, doing: str, name: str, share: float, detail: str) -> None:
        is_new = what not in self._tasks
        if is_new:
            self._tasks[what] = self._progress.add_task("", total=1.0, doing=doing, detail=detail)
        shown = _shortened(words.plain(name), max(16, self._console.width // 3))
        self._progress.update(self._tasks[what], description=shown, completed=share, doing=doing, detail=detail)
        if is_new or doing != "saving" or time.monotonic() >= self._drawn_at + _DRAW_S:
            self._draw()

    def _end(self, what: str) -> None:
        task = self._tasks.pop(what, None)
        if task is not None:
            self._progress.remove_task(task)
            self._draw()

    def _draw(self) -> None:
        self._progress.refresh()
        self._drawn_at = time.monotonic()


def _shortened(text: str, width: int) -> str:
    """Of a URL the end tells more than the beginning."""
    if len(text) <= width:
        return text
    return f"…{text[1 - width :]}" if "://" in text else f"{text[: width - 1]}…"
