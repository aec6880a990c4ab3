"""`reelhaul list`, `status`, `cancel`, `retry`, `rm` and `open`: jobs that are there already."""

import argparse
import sys
import webbrowser
from collections.abc import Callable, Iterator
from typing import Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from reelhaul.client import Client, ClientError, DownloadFailed, Job, Status
from reelhaul.command import access, advice, exits, words
from reelhaul.command.display import print_json
from reelhaul.command.exits import Exit
from reelhaul.ids import is_id

_MAX_LISTED = 5000


class _NoBrowser(ClientError):
    code = "client.no_browser"


def add(commands: Any) -> None:
    shown = commands.add_parser("list", help="show downloads, newest first")
    shown.set_defaults(run=_list)
    shown.add_argument("--status", choices=[one.value for one in Status], help="only those")
    shown.add_argument("-n", "--count", type=_count, default=20, metavar="N", help="how many; default: %(default)s")
    shown.add_argument("--json", action="store_true", help="an object a line, as the service has them")
    access.add_options(shown)
    for name, run, what in (
        ("status", _show, "show what there is to know of downloads"),
        ("cancel", _cancel, "stop downloads; they stay in the list"),
        ("retry", _retry, "have downloads that failed, were cancelled or have expired done again"),
        ("rm", _remove, "delete downloads and their files on the service"),
        ("open", _open, "open the files in a browser, which plays or saves them"),
    ):
        action = commands.add_parser(name, help=what)
        action.set_defaults(run=run)
        action.add_argument("ids", nargs="+", metavar="ID", type=_id, help="as `reelhaul list` shows it")
        action.add_argument("--json", action="store_true", help="an object a line")
        access.add_options(action)


def _id(text: str) -> str:
    if not is_id(text):
        raise argparse.ArgumentTypeError(f"{text!r} is no id of a download; `reelhaul list` shows them")
    return text


def _count(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= _MAX_LISTED:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {_MAX_LISTED}")
    return int(text)


def _client(options: argparse.Namespace) -> Client:
    found = access.find(options, options.settings)
    return Client(found.url, found.key)


# --- list -------------------------------------------------------------------------------------------------------------


def _list(options: argparse.Namespace) -> int:
    with _client(options) as client:
        jobs = _newest(client, options.count, options.status)
    if options.json:
        for job in jobs:
            print_json(**job.raw)
    elif sys.stdout.isatty():
        Console(highlight=False).print(_table(jobs))
    else:
        for row in map(_row, jobs):
            print("\t".join(row))
    return Exit.OK


def _newest(client: Client, count: int, status: str | None) -> tuple[Job, ...]:
    """So many, or all there are: a page may end before, where its rows are long."""
    found: list[Job] = []
    token: str | None = None
    while len(found) < count:
        page = client.page(count=count - len(found), status=status, next_token=token)
        found += page.jobs
        token = page.next_token
        if token is None:
            break
    return tuple(found[:count])


def _row(job: Job) -> tuple[str, ...]:
    return job.id, words.when(job.created_at), words.state(job), words.size(job.size), words.plain(job.name)


def _table(jobs: tuple[Job, ...]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="dim")
    for title, options in (("ID", {"no_wrap": True}), ("ASKED FOR", {"no_wrap": True}), ("STATE", {}), ("SIZE", {})):
        table.add_column(title, **options)  # type: ignore[arg-type]  # one of its many options
    table.add_column("NAME", overflow="ellipsis", no_wrap=True)
    for job in jobs:
        table.add_row(*map(Text, _row(job)))
    return table


# --- one after the other ----------------------------------------------------------------------------------------------


def _each(options: argparse.Namespace, act: Callable[[Client, str], dict[str, Any]], said: str) -> int:
    """Do it to every id, tell of each, and go on when one fails. `said` is the line for people."""
    with _client(options) as client:
        return exits.worst([_told(options, client, job_id, act, said) for job_id in options.ids])


def _told(
    options: argparse.Namespace, client: Client, job_id: str, act: Callable[[Client, str], dict[str, Any]], said: str
) -> Exit:
    try:
        fields = act(client, job_id)
    except ClientError as error:
        code = exits.of(error)
        if code is Exit.NO_SERVICE:
            raise
        _complain(options, job_id, error)
        return Exit.JOBS_FAILED if code is Exit.JOBS_FAILED else Exit.FAILED
    if options.json:
        print_json(**{"id": job_id} | fields)
    elif said:
        print(said.format(id=job_id))
    return Exit.OK


def _complain(options: argparse.Namespace, job_id: str, error: ClientError) -> None:
    if options.json:
        print_json(event="failed", id=job_id, code=error.code, message=str(error))
        return
    print(f"{job_id}: {words.plain(error)}", file=sys.stderr)
    told = advice.on(error.code, job_id=job_id)
    if told:
        print(f"  {told}", file=sys.stderr)


def _cancel(options: argparse.Namespace) -> int:
    def act(client: Client, job_id: str) -> dict[str, Any]:
        client.cancel(job_id)
        return {"event": "cancelled"}

    return _each(options, act, "{id} is cancelled.")


def _retry(options: argparse.Namespace) -> int:
    def act(client: Client, job_id: str) -> dict[str, Any]:
        client.retry(job_id)
        return {"event": "submitted"}

    return _each(options, act, "{id} is fetched again. To save it: reelhaul get {id}")


def _remove(options: argparse.Namespace) -> int:
    def act(client: Client, job_id: str) -> dict[str, Any]:
        client.remove(job_id)
        return {"event": "removed"}

    return _each(options, act, "{id} is gone.")


def _open(options: argparse.Namespace) -> int:
    def act(client: Client, job_id: str) -> dict[str, Any]:
        job = client.job(job_id)
        if job.download_url is None:
            raise DownloadFailed(job)
        if not webbrowser.open(job.download_url):
            raise _NoBrowser(f"There is no browser to be found. The link, good for a day: {job.download_url}")
        return {"event": "opened", "url": job.download_url}

    return _each(options, act, "{id} is opened.")


def _show(options: argparse.Namespace) -> int:
    def act(client: Client, job_id: str) -> dict[str, Any]:
        job = client.job(job_id)
        if not options.json:
            print("\n".join(_lines(job)))
        return dict(job.raw)

    return _each(options, act, "")


def _lines(job: Job) -> Iterator[str]:
    yield f"{job.id}  {words.state(job)}  {words.plain(job.name)}"
    facts = {
        "source": job.url,
        "asked for": words.when(job.created_at),
        "ended": words.when(job.completed_at),
        "size": words.size(job.size) if job.size else None,
        "plays": words.duration(job.duration_s),
        "speed": f"{words.size(job.speed)}/s" if job.speed else None,
        "error": f"{job.error} ({job.error_code})" if job.error else None,
        "what to do": job.error_code and advice.on(job.error_code, job_id=job.id, url=job.url),
        "link": job.download_url,
        "good until": words.when(job.expires_at),
    }
    yield from (f"  {name:<11} {words.plain(value)}" for name, value in facts.items() if value)
    for item in job.items:
        yield f"  {item.index:>4}  {item.id}  {item.status.value:<10}  {words.plain(item.error or item.name)}"
