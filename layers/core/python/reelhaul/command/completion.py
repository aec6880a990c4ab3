"""`reelhaul completion`: what a shell needs to complete this command."""

import argparse
from typing import Any

from argcomplete.shell_integration import shellcode

from reelhaul.command.exits import Exit

_SHELLS = ("bash", "zsh", "fish")


def add(commands: Any) -> None:
    completion = commands.add_parser(
        "completion", help="print what a shell needs to complete this command",
        description='For bash and zsh: eval "$(reelhaul completion bash)"; for fish: reelhaul completion fish | source',
    )  # fmt: skip
    completion.set_defaults(run=_completion)
    completion.add_argument("shell", choices=_SHELLS)


def _completion(options: argparse.Namespace) -> int:
    print(shellcode(["reelhaul"], shell=options.shell))
    return Exit.OK
