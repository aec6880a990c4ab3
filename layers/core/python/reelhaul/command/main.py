"""The command `reelhaul`: what it knows, and how it ends."""

import argparse
import contextlib
import importlib
import io
import os
import sys
from collections.abc import Sequence

import argcomplete

from reelhaul.client import ClientError
from reelhaul.command import advice, completion, doctor, exits, get, jobs, login, words
from reelhaul.command.exits import CommandFailed, Exit
from reelhaul.command.settings import CommandSettings, OperatorSettings

# What is in `reelhaul.cli`, which takes half a second to load, for AWS's SDK.
OPERATING = {
    "serve": "run the service on this machine, on an embedded engine",
    "keys": "create, list, limit and revoke access keys",
    "webhooks": "show what webhooks are signed with",
    "links": "make and set the key that links by CloudFront are signed with",
    "sites": "set cookies and a proxy for single sites of a tenant",
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command. Returns its exit code, see `exits`; raises `SystemExit` as argparse does."""
    given = list(sys.argv[1:] if arguments is None else arguments)
    if given and given[0] in OPERATING:
        return _operate(given)
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            stream.reconfigure(errors="replace")  # a name that the terminal cannot show is no reason to fail
    parser = _parser()
    argcomplete.autocomplete(parser)
    options = parser.parse_args(given)
    options.settings = CommandSettings.from_env(os.environ)
    options.operator = OperatorSettings.from_env(os.environ)
    return _run(options)


def _operate(given: list[str]) -> int:
    try:
        operator = importlib.import_module("reelhaul.cli")
    except ModuleNotFoundError as error:
        return _complain(
            f"`reelhaul {given[0]}` needs {error.name}. In a copy of the repository: pip install '.[operate]'"
        )
    return int(operator.main(given))


def _run(options: argparse.Namespace) -> int:
    try:
        code = int(options.run(options))
        sys.stdout.flush()  # here, where it is known what to do when nobody reads it
    except KeyboardInterrupt:
        return Exit.INTERRUPTED
    except BrokenPipeError:
        with contextlib.suppress(OSError):
            sys.stdout.close()  # whoever was to read it has gone; Python must not try once more when it ends
        return Exit.FAILED
    except (CommandFailed, ClientError, EOFError, OSError) as error:
        return _explained(error)
    return code


def _explained(error: Exception) -> int:
    if isinstance(error, CommandFailed):
        return _complain(str(error), error.code)
    if isinstance(error, ClientError):
        told = advice.on(error.code)
        return _complain("\n".join([words.plain(error), *([told] if told else [])]), exits.of(error))
    if isinstance(error, EOFError):
        return _complain("There was no answer.", Exit.USAGE)
    return _complain(words.plain(error))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="reelhaul", description="A media download service that you own.", epilog=exits.HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )  # fmt: skip
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    for part in (login, get, jobs, doctor, completion):
        part.add(commands)
    for name, what in OPERATING.items():
        commands.add_parser(name, help=f"{what} (for whoever runs it)", add_help=False)
    return parser


def _complain(sentence: str, code: Exit = Exit.FAILED) -> int:
    print(sentence, file=sys.stderr)
    return code
