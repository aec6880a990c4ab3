"""Which service, and with which key: from options, the environment, or the file that `reelhaul login` writes."""

import argparse
import dataclasses
import json
import os
import secrets
import tomllib
from pathlib import Path

from reelhaul.client import ClientError
from reelhaul.client.calls import checked_address, checked_key
from reelhaul.command.exits import CommandFailed, Exit
from reelhaul.command.settings import CommandSettings

_TABLE = "service"


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """A service and a key for it. `origin` says where they were found."""

    url: str
    key: str = dataclasses.field(repr=False)
    origin: str


def add_options(parser: argparse.ArgumentParser) -> None:
    group = parser.add_argument_group("the service")
    group.add_argument("--url", help="its address; else REELHAUL_URL, or as `reelhaul login` was told")
    group.add_argument("--key", help="its key (lists of processes show it); else REELHAUL_KEY, or that of login")


def config_file(settings: CommandSettings) -> Path:
    """Where the command keeps what it is told, after the XDG base directory specification.

    Raises `CommandFailed` for somebody who has no home.
    """
    base = settings.xdg_config_home
    config = Path(base) if base and Path(base).is_absolute() else _home(settings) / ".config"
    return config / "reelhaul" / "config.toml"


def _home(settings: CommandSettings) -> Path:
    try:
        return Path(settings.home) if settings.home else Path.home()
    except RuntimeError as error:
        raise CommandFailed(
            "There is no home directory with what `reelhaul login` keeps: set HOME, or name --url and --key.",
            Exit.NO_SERVICE,
        ) from error


def find(options: argparse.Namespace, settings: CommandSettings) -> Access:
    """Raises `CommandFailed` with what to do if there is none, and `BadAddress` or `BadKey`.

    A key goes to the service that it was given for and to no other: that of the file to the one in the file, and that
    of the environment not to one that --url names beside another one of the environment.
    """
    named = options.url or settings.reelhaul_url
    url = checked_address(named) if named else None
    key, origin = _named_key(options, settings, url)
    if url and key:
        return Access(url=url, key=checked_key(key), origin=origin)
    stored = read(config_file(settings))  # not before: what is wrong with it matters to nobody who has named both
    url = url or (stored.url if stored else None)
    if not url:
        raise CommandFailed(
            "Which service? Log in once with `reelhaul login`, or name one with --url.", Exit.NO_SERVICE
        )
    if key:
        return Access(url=url, key=checked_key(key), origin=origin)
    if stored is None or stored.url != url:
        raise CommandFailed(f"There is no key for {url}: `reelhaul login --url {url}` asks for one.", Exit.NO_SERVICE)
    return stored


def _named_key(options: argparse.Namespace, settings: CommandSettings, url: str | None) -> tuple[str | None, str]:
    """The key that somebody has named for `url`, and where."""
    if options.key:
        return options.key, "--key"
    if settings.reelhaul_key and settings.reelhaul_url and url != checked_address(settings.reelhaul_url):
        return None, ""
    return settings.reelhaul_key, "REELHAUL_KEY"


def read(path: Path) -> Access | None:
    """What the file says, `None` where there is none. Raises `CommandFailed` for one that says something else."""
    try:
        said = tomllib.loads(path.read_text(encoding="utf-8"))[_TABLE]
        return Access(url=checked_address(said["url"]), key=checked_key(said["key"]), origin=str(path))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, KeyError, TypeError, AttributeError, ClientError) as error:
        raise CommandFailed(f"{path} cannot be read ({error}). `reelhaul login` writes it anew.") from error


def write(path: Path, *, url: str, key: str) -> None:
    """Put both into the file, for its owner's eyes only. At no moment is there half a file. Raises `OSError`."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    beside = path.with_name(f".{path.name}.{secrets.token_hex(4)}")
    descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="utf-8") as file:
            # A string of JSON is one of TOML, where it has no surrogates, which are no part of either of these.
            file.write(f"[{_TABLE}]\nurl = {json.dumps(url)}\nkey = {json.dumps(key)}\n")
        beside.replace(path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise


def is_private(path: Path) -> bool:
    """Whether nobody but its owner may read the file."""
    return path.stat().st_mode & 0o077 == 0
