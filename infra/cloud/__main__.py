"""`python -m infra.cloud COMMAND`, as `make bootstrap`, `deploy`, `diff` and `destroy` call it."""

import argparse
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

from infra.cloud.preflight import NotReady, check_bootstrapped, check_docker, check_session, check_settings
from infra.local.processes import ROOT
from infra.npm import NpmFailed, installed, node_directory

_PACKAGES = Path(__file__).with_name("cdk")
_COMMANDS = ("bootstrap", "deploy", "diff", "destroy")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the CDK's command if it can succeed. Returns its exit code, or 1 after a sentence on standard error."""
    options, passed_on = _parser().parse_known_args(arguments)
    try:
        region = _check(options.command, dict(options.context))
        command = cdk_command(options.command, dict(options.context), passed_on)
    except (NotReady, NpmFailed) as error:
        print(error, file=sys.stderr)
        return 1
    return subprocess.run(command, cwd=ROOT, env=cdk_environment(region), check=False).returncode


def cdk_command(command: str, context: dict[str, str], passed_on: Sequence[str] = ()) -> list[str]:
    """The pinned command line, on our own Node. Raises `NpmFailed`."""
    cdk = installed(_PACKAGES) / "aws-cdk" / "bin" / "cdk"
    settings = [word for name, value in context.items() for word in ("--context", f"{name}={value}")]
    return [str(node_directory() / "node"), str(cdk), command, "--no-notices", *settings, *passed_on]


def cdk_environment(region: str) -> dict[str, str]:
    """Ours, in `region`, and without word to anybody of what was run here."""
    return os.environ | {"AWS_REGION": region, "AWS_DEFAULT_REGION": region, "CDK_DISABLE_CLI_TELEMETRY": "true"}


def _check(command: str, context: dict[str, str]) -> str:
    """In the order in which a person would mend it, what costs nothing first. Returns the region."""
    settings = check_settings(context)
    if command == "deploy":
        check_docker()
    region = check_session(getattr(settings, "region", None))
    if command == "deploy":
        check_bootstrapped(region)
    return region


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m infra.cloud", description="The template in an AWS account.")
    parser.add_argument("command", choices=_COMMANDS)
    parser.add_argument(
        "--context", action="append", default=[], type=_setting, metavar="NAME=VALUE", help="a setting; may be repeated"
    )
    return parser


def _setting(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not (name and equals):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=VALUE")
    return name, value


if __name__ == "__main__":
    sys.exit(main())
