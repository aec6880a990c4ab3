"""`reelhaul doctor`: looks at everything between this terminal and a file on its disk, one line for each."""

import argparse
import dataclasses
import hashlib
import sys
import tempfile
from collections.abc import Iterator
from importlib import metadata
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from rich.console import Console
from rich.text import Text

from reelhaul.client import (
    BadProxy,
    Client,
    ClientError,
    DownloadFailed,
    Job,
    NotReelhaul,
    ServiceInfo,
    Status,
    Unreachable,
)
from reelhaul.client.calls import is_this_machine
from reelhaul.command import access, advice, login, words
from reelhaul.command.access import Access
from reelhaul.command.display import print_json
from reelhaul.command.exits import CommandFailed, Exit
from reelhaul.command.findings import Finding, State, ok, skipped, wrong
from reelhaul.command.settings import CommandSettings

_LOCAL = "http://127.0.0.1:8787"
_DOWNLOAD_S = 600.0  # what is tried should be small
_COLOURS = {State.OK: "green", State.WRONG: "red", State.SKIPPED: "dim"}
_NEEDS_SERVICE = ("clock", "key", "download")


def add(commands: Any) -> None:
    doctor = commands.add_parser(
        "doctor", help="look at everything between here and a file, and say what to do about what is wrong",
        description="With --stack or --local it looks into the deployment, too, with your AWS credentials; with "
        "--source it downloads that medium, compares it, and deletes it again. Ends with 1 if anything is wrong.",
    )  # fmt: skip
    doctor.set_defaults(run=_doctor)
    doctor.add_argument("--source", metavar="URL", help="a small medium to download")
    doctor.add_argument("--json", action="store_true", help="an object a line")
    place = doctor.add_mutually_exclusive_group()
    place.add_argument("--stack", metavar="NAME", help="the deployment, such as Reelhaul-prod")
    place.add_argument(
        "--local", nargs="?", const=_LOCAL, type=_origin, metavar="URL", help="of a running `reelhaul serve`"
    )
    access.add_options(doctor)


def _origin(text: str) -> str:
    if not text.startswith(("http://", "https://")):
        raise argparse.ArgumentTypeError(f"{text!r} is no address; it looks like {_LOCAL}")
    return text


def _doctor(options: argparse.Namespace) -> int:
    states = [_told(finding, as_json=options.json) for finding in examined(options, options.settings)]
    return Exit.FAILED if State.WRONG in states else Exit.OK


def _told(finding: Finding, *, as_json: bool) -> State:
    if as_json:
        print_json(**dataclasses.asdict(finding))
        return finding.state
    console = Console(file=sys.stdout, highlight=False, soft_wrap=True)
    state = (f"{finding.state:<9}", _COLOURS[finding.state])
    console.print(Text.assemble(state, f"{finding.what:<13}", words.plain(finding.text)))
    if finding.advice:
        console.print(Text(f"{'':22}-> {finding.advice}"))
    return finding.state


def examined(options: argparse.Namespace, settings: CommandSettings) -> Iterator[Finding]:
    """All there is to find, one by one as it is found."""
    try:
        found = access.find(options, settings)
    except CommandFailed as error:
        yield from _no_config(wrong("config", str(error)))  # it says what to do
    except ClientError as error:
        yield from _no_config(wrong("config", str(error), "Log in: reelhaul login"))
    else:
        yield config(found)
        yield from _of_service(found, options.source)
    yield from _of_deployment(options)


def _no_config(said: Finding) -> Iterator[Finding]:
    yield said
    yield from (skipped(what, "there is no service to look at") for what in ("service", *_NEEDS_SERVICE))


def _of_service(found: Access, source: str | None) -> Iterator[Finding]:
    said, info = service(found.url)
    yield said
    if info is None:
        yield from (skipped(what, "the service does not answer") for what in _NEEDS_SERVICE)
        return
    yield clock(info)
    accepted = key(found)
    yield accepted
    if accepted.state is not State.OK:
        yield skipped("download", "the key is not accepted")
    elif source is None:
        yield skipped("download", "name a small medium with --source to have one tried")
    else:
        with Client(found.url, found.key) as client:
            yield download(client, source)


def _of_deployment(options: argparse.Namespace) -> Iterator[Finding]:
    if not options.stack and not options.local:
        yield skipped("deployment", "name it with --stack or --local to have it looked into")
        return
    try:
        from reelhaul.command import deployment  # noqa: PLC0415 - AWS's SDK takes half a second, and is not everybody's
    except ModuleNotFoundError as error:
        yield wrong(
            "deployment", f"{error.name} is not installed", "In a copy of the repository: pip install '.[operate]'"
        )
        return
    yield from deployment.examined(options)


# --- one look each ----------------------------------------------------------------------------------------------------


def config(found: Access) -> Finding:
    """Where address and key come from, and whether others can read them."""
    path = Path(found.origin)
    if path.is_absolute() and not access.is_private(path):
        return wrong("config", f"others on this machine may read {path}", f"chmod 600 {path}")
    return ok("config", f"{found.url}, with the key from {found.origin}")


def service(url: str) -> tuple[Finding, ServiceInfo | None]:
    """Whether there is a Reelhaul, and which. It is asked without the key, as it may be somebody else's."""
    try:
        with Client(url, None) as client:
            info = client.service()
    except Unreachable as error:
        local = is_this_machine(urlsplit(url).hostname or "")
        start = "Start it: reelhaul serve" if local else "Look at address and network; `make deploy` prints ApiUrl."
        return wrong("service", str(error), start), None
    except NotReelhaul as error:
        return wrong("service", f"{url}: {error}", "Look at the address once more; `make deploy` prints ApiUrl."), None
    except BadProxy as error:
        return wrong("service", str(error)), None  # it says what to do
    except ClientError as error:
        return wrong("service", str(error), "Look at its alarms and logs, with the dashboard in CloudWatch."), None
    ours = metadata.version("reelhaul")
    beside = "" if info.version == ours else f", and this command is {ours}"
    return ok("service", f"Reelhaul {info.version} answers{beside}"), info


def clock(info: ServiceInfo) -> Finding:
    """Links are signed by the service's clock, requests to AWS by this one's."""
    if info.clock_off_s is None:
        return skipped("clock", "the service does not say what time it is")
    if abs(info.clock_off_s) > login.CLOCK_OFF_S:
        return wrong("clock", login.clock_sentence(info.clock_off_s), "Set it: timedatectl set-ntp true")
    return ok("clock", f"within {max(2.0, abs(info.clock_off_s)):.0f} s of the service's")


def key(found: Access) -> Finding:
    """Whether the service knows it."""
    try:
        login.tried(found.url, found.key)
    except ClientError as error:
        new = "Have one made (reelhaul keys create), then: reelhaul login"
        return wrong("key", str(error), new)
    return ok("key", "the service accepts it")


def download(client: Client, source: str) -> Finding:
    """The whole way with a real medium, which is deleted again in the end."""
    try:
        job = client.submit(source, quality="144p", playlist="false", retention_days=1)
    except ClientError as error:
        return wrong("download", str(error), advice.on(error.code, url=source))
    try:
        return _compared(client, client.wait(job.id, timeout_s=_DOWNLOAD_S))
    except DownloadFailed as error:
        return wrong("download", f"{source}: {error} ({error.code})", advice.on(error.code, url=source))
    except (ClientError, OSError) as error:
        return wrong(
            "download", f"{source}: {error}", "If the link cannot be reached, a proxy or firewall keeps S3 away."
        )
    finally:
        _removed(client, job.id)


def _compared(client: Client, job: Job) -> Finding:
    if job.status is not Status.DONE:
        raise DownloadFailed(job)
    with tempfile.TemporaryDirectory() as directory:
        path = client.download(job.id, directory)
        size = path.stat().st_size
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
    if digest != job.checksum_sha256:
        return wrong("download", "the file is not what the service has stored", "Does something on the way change it?")
    took_s = (job.completed_at - job.created_at).total_seconds() if job.completed_at and job.created_at else 0.0
    return ok("download", f"{words.plain(job.name)}, {words.size(size)}, fetched in {took_s:.1f} s and the same here")


def _removed(client: Client, job_id: str) -> None:
    try:
        client.remove(job_id)
    except ClientError as error:
        print(f"{job_id} could not be deleted again: {words.plain(error)}", file=sys.stderr)
