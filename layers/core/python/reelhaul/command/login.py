"""`reelhaul login`: asks which service and for the key, tries both, and keeps them."""

import argparse
import getpass
import sys
from typing import Any

from reelhaul.client import BadAddress, BadKey, Client, KeyRefused, NotReelhaul, Refused, ServiceInfo, Unreachable
from reelhaul.client.calls import checked_address
from reelhaul.command import access, words
from reelhaul.command.exits import CommandFailed, Exit
from reelhaul.command.settings import CommandSettings

CLOCK_OFF_S = 60.0  # from here on people notice: a link of 24 hours seems to last longer, or shorter
_TRIES = 3


def add(commands: Any) -> None:
    login = commands.add_parser(
        "login", help="say which service to use, and with which key; both are tried, and kept",
        description="Asks for the service's address and a key, tries both, and keeps them in ~/.config/reelhaul.",
    )  # fmt: skip
    login.add_argument("--url", help="the service's address, as https://... or http://127.0.0.1:8787")
    login.add_argument("--key-from-stdin", action="store_true", help="read the key from standard input; do not ask")
    login.set_defaults(run=_login)


def _login(options: argparse.Namespace) -> int:
    url, service = _found(options)
    print(f"{url} is Reelhaul {service.version}.")
    _warn(service)
    key = _accepted(url, options)
    path = access.config_file(options.settings)
    access.write(path, url=url, key=key)
    print(f"The key is right. Both are kept in {path}, which nobody else may read.")
    _tell_overrides(options.settings, url, key)
    return Exit.OK


def _found(options: argparse.Namespace) -> tuple[str, ServiceInfo]:
    """Whose key is asked for; an address that was typed here may be typed again. Raises `ClientError`."""
    given = options.url or options.settings.reelhaul_url
    if not given and options.key_from_stdin:
        raise CommandFailed("Which service? Name it with --url.", Exit.USAGE)
    for left in reversed(range(1 if given else _TRIES)):
        try:
            return _looked_at(given or input("Address of the service: "))
        except (BadAddress, NotReelhaul, Refused, Unreachable) as error:
            if not left:
                raise
            print(f"{words.plain(error)} Once more, please.", file=sys.stderr)
    raise AssertionError  # the last try returns or raises


def _looked_at(text: str) -> tuple[str, ServiceInfo]:
    url = checked_address(text)
    with Client(url, None) as client:
        return url, client.service()  # a key is shown to nobody who is not known to be ours


def _accepted(url: str, options: argparse.Namespace) -> str:
    """A key that the service knows; somebody at a terminal may try again. Raises `KeyRefused` and `BadKey`."""
    for left in reversed(range(1 if options.key_from_stdin else _TRIES)):
        key = sys.stdin.readline() if options.key_from_stdin else getpass.getpass("Access key (it is not shown): ")
        try:
            return tried(url, key)
        except (KeyRefused, BadKey) as error:
            if not left:
                raise
            print(f"{error} Once more, please.", file=sys.stderr)
    raise AssertionError  # the last try returns or raises


def _tell_overrides(settings: CommandSettings, url: str, key: str) -> None:
    """What was just kept is not what the next command takes, where the environment says something else."""
    said = {"REELHAUL_URL": (settings.reelhaul_url or url).rstrip("/") != url,
            "REELHAUL_KEY": (settings.reelhaul_key or key) != key}  # fmt: skip
    differing = " and ".join(name for name, differs in said.items() if differs)
    if differing:
        print(f"Note: {differing} in your environment says something else, and counts more.", file=sys.stderr)


def tried(url: str, key: str) -> str:
    """The key, once the service has accepted it. Raises `KeyRefused` in words that fit, and `NotReelhaul`."""
    with Client(url, key) as client:
        try:
            client.page(count=1)
        except KeyRefused as error:
            raise KeyRefused(
                f"{url} does not know this key: it is of another service, or was revoked, or has expired.",
                code=error.code, status=error.status,
            ) from error  # fmt: skip
        except NotReelhaul as error:
            raise NotReelhaul(f"{url} is Reelhaul, but what stands before it refuses this request.") from error
    return key.strip()


def _warn(service: ServiceInfo) -> None:
    off_s = service.clock_off_s
    if off_s is not None and abs(off_s) > CLOCK_OFF_S:
        print(f"Note: {clock_sentence(off_s)}", file=sys.stderr)


def clock_sentence(off_s: float) -> str:
    side = "ahead of" if off_s > 0 else "behind"
    return (
        f"this machine's clock is {abs(off_s):.0f} s {side} the service's. Links go by the service's clock and work; "
        "but times here are wrong by that much, and from five minutes on AWS refuses what this machine signs."
    )
