"""`reelhaul get`: submit, wait, and save the files."""

import argparse
import asyncio
import json
import re
import sys
from pathlib import Path
from typing import Any, cast

from reelhaul import options as allowed
from reelhaul.client import AsyncClient, Client, ClientError, Clip, Options
from reelhaul.command import access, words
from reelhaul.command.access import Access
from reelhaul.command.display import Display, display
from reelhaul.command.exits import CommandFailed, Exit
from reelhaul.command.fetching import Fetching, Place
from reelhaul.contracts.requests import parse_download
from reelhaul.errors import InvalidRequest
from reelhaul.ids import is_id

_CLIP = re.compile(r"([0-9:.]*)-([0-9:.]*)", re.ASCII)
_MANY_DAYS = 3650  # how many are allowed is the operator's to say, and the service's to refuse
_MAX_AT_ONCE = 50
_STDIN = "-"


def add(commands: Any) -> None:
    get = commands.add_parser(
        "get", help="have media fetched, and save the files",
        description="Has the service fetch each URL, shows how it comes along, and saves the files under their names. "
        "What was broken off goes on where it stood. An id, as download-01..., stands for a job that is there already.",
    )  # fmt: skip
    get.set_defaults(run=_get)
    get.add_argument("urls", nargs="+", metavar="URL", help="what to fetch; - reads a list from standard input")
    get.add_argument("-o", "--output", metavar="PATH", help="a directory, or for a single URL a file; default: here")
    get.add_argument("--overwrite", action="store_true", help="replace files that are there; else names get a number")
    get.add_argument("--at-once", type=_at_once, default=4, metavar="N", help="how many; default: %(default)s")
    get.add_argument("--no-wait", action="store_true", help="submit only; `reelhaul get ID` saves the file later")
    get.add_argument("--json", action="store_true", help="an object a line: submitted, saved, failed, playlist")
    _add_wishes(get.add_argument_group("what is wanted; else it is up to the service"))
    access.add_options(get)


def _add_wishes(group: Any) -> None:
    group.add_argument("--name", help="what the file is called; for a single URL")
    group.add_argument("--quality", choices=allowed.QUALITIES, help="the best that is not above it")
    group.add_argument("--container", choices=allowed.CONTAINERS, help="of a video")
    group.add_argument(
        "--audio", nargs="?", const="best", choices=allowed.AUDIO_FORMATS, help="sound alone, perhaps as one of these"
    )
    group.add_argument("--clip", type=clip, metavar="START-END", help="a part, as 90-120.5, 1:30-2:00, 30- or 0-60")
    group.add_argument("--subtitles", type=_languages, metavar="CODES", help="as en,pt-BR")
    group.add_argument("--playlist", action=argparse.BooleanOptionalAction, help="all of it, or one medium and no more")
    group.add_argument("--playlist-limit", type=int, metavar="N", help="so many of its items at most")
    group.add_argument("--retention-days", type=int, metavar="N", help="how long the service keeps the file")


def clip(text: str) -> Clip:
    """START-END in seconds or as h:mm:ss, either may be left out."""
    match = _CLIP.fullmatch(text)
    try:
        parts = match.groups() if match and text != "-" else ("?",)
        said = {name: _seconds(part) for name, part in zip(("start", "end"), parts, strict=False) if part}
    except ValueError as error:
        raise argparse.ArgumentTypeError(f"{text!r} is not START-END, as in 90-120.5 or 1:30-2:00") from error
    return cast("Clip", said)  # mypy sees the names of a literal only


def _seconds(text: str) -> float:
    total = 0.0
    for part in text.split(":"):
        total = total * 60 + float(part)
    return total


def _languages(text: str) -> list[str]:
    return [code.strip() for code in text.split(",") if code.strip()]


def _at_once(text: str) -> int:
    if not (text.isascii() and text.isdecimal()) or not 1 <= int(text) <= _MAX_AT_ONCE:
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 1 to {_MAX_AT_ONCE}")
    return int(text)


# --- what is asked for ------------------------------------------------------------------------------------------------


def wishes(options: argparse.Namespace) -> Options:
    """The options of the request; what was not named is left out."""
    said: dict[str, Any] = {
        "name": options.name,
        "quality": options.quality,
        "container": options.container,
        "download_type": "audio" if options.audio else None,
        "audio_format": options.audio,
        "clip": options.clip,
        "subtitles": options.subtitles,
        "playlist": None if options.playlist is None else str(options.playlist).lower(),
        "playlist_limit": options.playlist_limit,
        "retention_days": options.retention_days,
    }
    return cast("Options", {name: value for name, value in said.items() if value is not None})


def checked(urls: list[str], wanted: Options, *, no_wait: bool = False) -> list[str]:
    """Each once. Raises `CommandFailed` for what the service would refuse, with all reasons, before anything begins."""
    if _STDIN in urls:
        urls = [url for url in urls if url != _STDIN] + _listed(sys.stdin.buffer.read())
    urls = list(dict.fromkeys(url.strip() for url in urls))
    reasons = [reason for url in urls if (reason := _why_not(url, wanted, no_wait=no_wait))]
    if wanted.get("name") and len(urls) > 1:
        reasons.append("--name is for a single URL.")
    if not urls:
        reasons.append("There is no URL on standard input.")
    if reasons:
        raise CommandFailed("\n".join([*dict.fromkeys(reasons), "Nothing was begun."]), Exit.USAGE)
    return urls


def _listed(said: bytes) -> list[str]:
    try:
        lines = [line.strip() for line in said.decode("utf-8-sig").splitlines()]  # editors of Windows write a mark
    except UnicodeDecodeError as error:
        raise CommandFailed(
            f"The list on standard input is not UTF-8, from its byte {error.start} on. Nothing was begun.", Exit.USAGE
        ) from error
    return [line for line in lines if line and not line.startswith("#")]


def _why_not(url: str, wanted: Options, *, no_wait: bool) -> str | None:
    if is_id(url):
        return _why_not_id(url, wanted, no_wait=no_wait)
    try:
        json.dumps({"url": url, **wanted}, ensure_ascii=False).encode()
        parse_download({"url": url, **wanted}, max_retention_days=_MANY_DAYS)
    except UnicodeEncodeError:  # what a shell took from other than UTF-8
        return f"{words.plain(url)!r}, or what is wanted of it, is not UTF-8."
    except InvalidRequest as error:
        if error.field != "url":
            return str(error)
        hint = f" Did you mean https://{url}?" if "://" not in url and "." in url and " " not in url else ""
        return f"{url!r} cannot be fetched: {str(error).replace('url ', 'it ', 1)}{hint}"
    return None


def _why_not_id(job_id: str, wanted: Options, *, no_wait: bool) -> str | None:
    """A job that is there is as it was asked for, and can be waited for only."""
    if no_wait:
        return f"{job_id} is there already; --no-wait is for URLs. reelhaul status {job_id} tells how far it is."
    if wanted:
        options = ", ".join(sorted(wanted))
        return f"{job_id} is there already, as it was asked for; leave out what is wanted ({options}), or give its URL."
    return None


def place(options: argparse.Namespace, *, several: bool) -> Place:
    """Raises `CommandFailed` for several files that are to be one."""
    output, overwrite = options.output, options.overwrite
    if output is None:
        return Place(directory=Path(), overwrite=overwrite)
    path = Path(output)
    if path.is_dir() or output.endswith("/"):
        return Place(directory=path, overwrite=overwrite)
    if several:
        raise CommandFailed(f"{output} is no directory; for several URLs make it one, or write {output}/.", Exit.USAGE)
    return Place(directory=path.parent, filename=path.name, overwrite=overwrite)


# --- the way through --------------------------------------------------------------------------------------------------


def _get(options: argparse.Namespace) -> int:
    wanted = wishes(options)
    urls = checked(options.urls, wanted, no_wait=options.no_wait)
    where = place(options, several=len(urls) > 1)
    found = access.find(options, options.settings)
    shown = display(as_json=options.json)
    unsaved, unbegun = dict[str, bool](), set[str]()

    async def fetch() -> Exit:
        async with AsyncClient(found.url, found.key) as client:
            fetching = Fetching(client, shown, where, wanted, at_once=options.at_once, unsaved=unsaved, unbegun=unbegun)
            return await (fetching.submit_only(urls) if options.no_wait else fetching.all(urls))

    try:
        with shown:
            return asyncio.run(fetch())
    except KeyboardInterrupt:
        return interrupted(found, shown, unsaved, unbegun=len(unbegun))
    except ClientError:
        _tell_rest(shown, list(unsaved), len(unbegun))
        raise


def interrupted(found: Access, shown: Display, unsaved: dict[str, bool], *, unbegun: int = 0) -> Exit:
    """After Ctrl-C: whoever sits there says whether the service is to stop as well; else it goes on.

    `unbegun` is how many URLs it has not heard of.
    """
    running = [job_id for job_id, runs in unsaved.items() if runs]
    left = list(unsaved)
    try:
        if running and shown.may_ask and sys.stdin.isatty() and _wants_to_cancel(len(running)):
            left = [job_id for job_id in left if job_id not in running]
            _cancel(found, shown, running)
    finally:
        _tell_rest(shown, left, unbegun)
    return Exit.INTERRUPTED


def _tell_rest(shown: Display, left: list[str], unbegun: int) -> None:
    if left:
        shown.note(f"To get the rest later: reelhaul get {' '.join(left)}")
    if unbegun:
        shown.note(f"Not begun: {unbegun} {'URL' if unbegun == 1 else 'URLs'}.")


def _wants_to_cancel(count: int) -> bool:
    what = "the download" if count == 1 else f"the {count} downloads"
    print(f"\nStopped here. Cancel {what} on the service as well? [y/N] ", end="", file=sys.stderr, flush=True)
    try:
        return input().strip().lower() in {"y", "yes"}
    except (EOFError, KeyboardInterrupt):
        return False


def _cancel(found: Access, shown: Display, running: list[str]) -> None:
    with Client(found.url, found.key) as client:
        for job_id in running:
            try:
                client.cancel(job_id)
            except ClientError as error:
                shown.note(f"{job_id} could not be cancelled: {error}")
            else:
                shown.note(f"{job_id} is cancelled.")
