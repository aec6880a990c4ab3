"""The part of the command for whoever runs a service: here, or its access keys and secrets anywhere.

`reelhaul.command` is the rest, and hands over to it.
"""

import argparse
import dataclasses
import datetime
import os
import re
import signal
import sys
import urllib.error
import urllib.request
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, NoReturn

from botocore.exceptions import BotoCoreError, ClientError

from reelhaul.command.place import Place
from reelhaul.errors import InvalidRequest, ReelhaulError
from reelhaul.keys import KeyRecord, KeyStore, check_tenant, pepper_from
from reelhaul.limits import MAX_JOBS, Limits, format_size, parse_size
from reelhaul.links import commands as links
from reelhaul.settings import OperatorSettings
from reelhaul.sites import commands as sites
from reelhaul.webhooks.signing import WebhookSecrets, as_secret

_LOCAL_TENANT = "local"
_DAY_S = 86_400
_ANSWER_S = 60.0  # for a first request, which takes a second where nothing else is going on


class _Stopped(BaseException):
    """A signal asks the service to end."""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns its exit code: 0, or 1 after a sentence on standard error."""
    options = _parser().parse_args(arguments)
    try:
        return int(options.run(options) or 0)
    except ReelhaulError as error:
        return _complain(str(error))
    except (ClientError, BotoCoreError) as error:
        return _complain(f"AWS: {error}")
    except (OSError, ValueError) as error:  # a directory that is a file, an address that is none
        return _complain(str(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="reelhaul", description="A media download service that you own.")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    serve = commands.add_parser("serve", help="run the service on this machine, on an embedded engine")
    serve.set_defaults(run=_serve)
    serve.add_argument("--port", type=_number(1, 65_535), default=8787, help="default: %(default)s")
    serve.add_argument(
        "--data-dir", type=Path, default=Path(".reelhaul/data"), help="where its state lives; default: %(default)s"
    )
    serve.add_argument("--api-key", help="use this access key instead of a new one")
    serve.add_argument(
        "--allow-origin", action="append", default=[], type=_origin, metavar="HOST:PORT",
        help="open a source that the egress guard would refuse, as one on this machine; may be repeated",
    )  # fmt: skip
    serve.add_argument(
        "--invocation-limit", type=_number(1, 900), metavar="SECONDS", help="the downloader's Lambda time-out"
    )
    _add_keys(commands)
    _add_webhooks(commands)
    links.add(commands, add_place=_add_place, place=_place)
    sites.add(commands, add_place=_add_place, place=_place)
    return parser


def _add_keys(commands: Any) -> None:
    keys = commands.add_parser("keys", help="create, list, limit and revoke access keys")
    actions = keys.add_subparsers(required=True, metavar="ACTION")
    create = actions.add_parser("create", help="make a key and show it, this once")
    create.set_defaults(run=_create_key)
    create.add_argument("--tenant", required=True, help="whose key it is: jobs are seen by their tenant only")
    create.add_argument("--label", default="", help="a word for the list")
    create.add_argument("--days", type=_number(1, 3650), help="how long it is valid; default: until it is revoked")
    _add_limits(create, or_none="")
    shown = actions.add_parser("list", help="show all keys, but never the keys themselves")
    shown.set_defaults(run=_list_keys)
    revoke = actions.add_parser("revoke", help="end a key at once")
    revoke.set_defaults(run=_revoke_key)
    limit = actions.add_parser("limit", help="change what a key allows; what is not named stays as it is")
    limit.set_defaults(run=_limit_key)
    _add_limits(limit, or_none=", or none")
    for named in (revoke, limit):
        named.add_argument("key_id", help="as `reelhaul keys list` shows it")
    for action in (create, shown, revoke, limit):
        _add_place(action)


def _add_limits(action: argparse.ArgumentParser, *, or_none: str) -> None:
    jobs, size = _number(1, MAX_JOBS), _size
    for option, parse, metavar, what in (
        ("--max-concurrent-jobs", jobs, "N", "downloads of its tenant that may be under way at a time"),
        ("--max-jobs-per-day", jobs, "N", "downloads of its tenant a day (UTC)"),
        ("--max-bytes-per-day", size, "SIZE", "what its tenant may have stored a day (UTC), as in 10GB or 500MiB"),
    ):
        action.add_argument(
            option, type=_or_none(parse) if or_none else parse, metavar=metavar, default=argparse.SUPPRESS,
            help=what + or_none,
        )  # fmt: skip


def _add_webhooks(commands: Any) -> None:
    webhooks = commands.add_parser("webhooks", help="show what webhooks are signed with")
    actions = webhooks.add_subparsers(required=True, metavar="ACTION")
    secret = actions.add_parser("secret", help="show the secret by which a tenant's receivers can verify webhooks")
    secret.set_defaults(run=_show_webhook_secret)
    secret.add_argument("--tenant", required=True, help="whose secret it is: each tenant has one of its own")
    _add_place(secret)


def _add_place(action: argparse.ArgumentParser) -> None:
    place = action.add_mutually_exclusive_group()
    place.add_argument(
        "--local", nargs="?", const="http://127.0.0.1:8787", metavar="URL", help="of a running `reelhaul serve`"
    )
    place.add_argument(
        "--stack", default="Reelhaul-prod", help="of a deployment, in the account of your AWS credentials"
    )


# --- serve -----------------------------------------------------------------------------------------------------------


def _serve(options: argparse.Namespace) -> int:
    try:
        from infra.local.assembly import SynthesisFailed
        from infra.local.engine import EngineFailed
        from infra.local.service import LocalService, ServiceFailed, wait_while_running
    except ImportError:
        return _complain("`reelhaul serve` needs a checkout of the project; see its README.")
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, _stop)
    service = LocalService(
        port=options.port,
        directory=options.data_dir,
        allowed_origins=options.allow_origin,
        invocation_limit_s=options.invocation_limit,
    )
    try:
        with service:
            key = _issue_local_key(service, options.api_key)
            _check_answers(service.url, key)
            print("ready", service.url, key, flush=True)
            wait_while_running(service)
    except _Stopped:
        return 0
    except (EngineFailed, ServiceFailed, SynthesisFailed) as error:
        return _complain(str(error))
    return _complain(f"The engine has ended unexpectedly; see {options.data_dir / 'engine.log'}.")


def _stop(*_: object) -> NoReturn:
    for name in (signal.SIGINT, signal.SIGTERM):
        signal.signal(name, signal.SIG_IGN)  # the end is on its way; a second signal must not cut it short
    raise _Stopped


def _issue_local_key(service: Any, key: str | None) -> str:
    secrets = service.client("secretsmanager")
    store = KeyStore(
        service.client("dynamodb"),
        service.outputs["TableName"],
        pepper_from(secrets, service.outputs["PepperSecretArn"]),
    )
    text, _ = store.issue(_LOCAL_TENANT, label="reelhaul serve", key=key)
    return text


def _check_answers(url: str, key: str) -> None:
    """One request the whole way, so that "ready" is the truth and the first user does not wait for a cold start."""
    request = urllib.request.Request(f"{url}/download?count=1", headers={"x-access-token": key})  # noqa: S310 - our own
    try:
        with urllib.request.urlopen(request, timeout=_ANSWER_S) as reply:  # noqa: S310
            reply.read()
    except (urllib.error.URLError, OSError) as error:
        raise ReelhaulError(f"The service has started but does not answer: {error}") from error


# --- keys ------------------------------------------------------------------------------------------------------------


def _create_key(options: argparse.Namespace) -> None:
    expires_at = None
    store = _key_store(options)
    if options.days:
        expires_at = int(datetime.datetime.now(datetime.UTC).timestamp()) + options.days * _DAY_S
    limits = Limits(**_limits_in(options))
    text, record = store.issue(options.tenant, label=options.label, expires_at=expires_at, limits=limits)
    print(f"{record.id} of tenant {record.tenant}. The key is shown this once:", file=sys.stderr)
    print(text)


def _list_keys(options: argparse.Namespace) -> None:
    rows = [
        ("ID", "TENANT", "STATE", "CREATED", "LIMITS", "LABEL"),
        *(_row(record) for record in _key_store(options).list()),
    ]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    for row in rows:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip())


def _revoke_key(options: argparse.Namespace) -> None:
    record = _key_store(options).revoke(options.key_id)
    print(f"{record.id} of tenant {record.tenant} is revoked.")


def _limit_key(options: argparse.Namespace) -> int | None:
    changes = _limits_in(options)
    if not changes:
        return _complain("Name at least one limit to change; see `reelhaul keys limit --help`.")
    record = _key_store(options).limit(options.key_id, lambda limits: dataclasses.replace(limits, **changes))
    print(f"{record.id} of tenant {record.tenant}: {_limits_of(record)}.")
    return None


def _limits_in(options: argparse.Namespace) -> dict[str, int | None]:
    names = (field.name for field in dataclasses.fields(Limits))
    return {name: getattr(options, name) for name in names if hasattr(options, name)}


def _limits_of(record: KeyRecord) -> str:
    limits = record.limits
    size = limits.max_bytes_per_day and format_size(limits.max_bytes_per_day)
    said = {"{} at a time": limits.max_concurrent_jobs, "{} a day": limits.max_jobs_per_day, "{} stored a day": size}
    return ", ".join(words.format(value) for words, value in said.items() if value) or "no limits"


def _row(record: KeyRecord) -> tuple[str, ...]:
    now = datetime.datetime.now(datetime.UTC)
    state = "valid" if record.is_valid(now.timestamp()) else "revoked" if record.revoked_at else "expired"
    created = datetime.datetime.fromtimestamp(record.created_at, datetime.UTC)
    return record.id, record.tenant, state, f"{created:%Y-%m-%d %H:%M}", _limits_of(record), record.label


def _key_store(options: argparse.Namespace) -> KeyStore:
    place = _place(options)
    pepper = pepper_from(place.client("secretsmanager"), place.outputs["PepperSecretArn"])
    return KeyStore(place.client("dynamodb"), place.outputs["TableName"], pepper)


# --- webhooks --------------------------------------------------------------------------------------------------------


def _show_webhook_secret(options: argparse.Namespace) -> None:
    check_tenant(options.tenant)
    place = _place(options)
    secrets = WebhookSecrets(place.client("secretsmanager"), place.outputs["WebhookSecretArn"])
    print(as_secret(secrets.keys(options.tenant)[0]))


# --- where -----------------------------------------------------------------------------------------------------------


def _place(options: argparse.Namespace) -> Place:
    options.operator = OperatorSettings.from_env(os.environ)
    return Place(options)


# --- arguments -------------------------------------------------------------------------------------------------------


def _number(least: int, most: int) -> Callable[[str], int]:
    def parse(text: str) -> int:
        if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= most:
            raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from {least} to {most}")
        return int(text)

    return parse


def _size(text: str) -> int:
    try:
        return parse_size(text)
    except InvalidRequest as error:
        raise argparse.ArgumentTypeError(str(error)) from error


def _or_none(parse: Callable[[str], int]) -> Callable[[str], int | None]:
    return lambda text: None if text == "none" else parse(text)


def _origin(text: str) -> str:
    if (
        not re.fullmatch(r"(\[[0-9a-fA-F:.]+\]|[A-Za-z0-9.-]+):[0-9]{1,5}", text)
        or int(text.rpartition(":")[2]) > 65_535
    ):
        raise argparse.ArgumentTypeError(f"{text!r} is not HOST:PORT")
    return text.lower()


def _complain(sentence: str) -> int:
    print(sentence, file=sys.stderr)
    return 1
