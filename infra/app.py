"""The CDK app: `python -m infra.app` writes `cdk.out`, with or without the CDK command line, and needs no account."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path

import aws_cdk as cdk
from cdk_nag import AwsSolutionsChecks, ServerlessChecks

from infra.acknowledgements import acknowledge
from infra.assets import ROOT
from infra.npm import NpmFailed
from infra.page import PageFailed
from infra.settings import Settings, SettingsError
from infra.stack import ReelhaulStack


def build(context: Mapping[str, object], *, outdir: Path | None = None) -> cdk.App:
    """The app, ready for `synth()`, with `context` over what `cdk.json` says. Raises `SettingsError`.

    Without an `outdir` it goes where the CDK command line wants it, else to a temporary directory.
    """
    from_file: dict[str, object] = json.loads((ROOT / "cdk.json").read_text())["context"]
    app = cdk.App(
        context=from_file | dict(context),
        outdir=None if outdir is None else str(outdir),
        analytics_reporting=False,  # a resource that only reports which constructs were used
    )
    stack = ReelhaulStack(app, "Reelhaul", settings=Settings.from_context(app.node.get_all_context()))
    acknowledge(stack)
    cdk.Validations.of(app).add_plugins(AwsSolutionsChecks(app), ServerlessChecks(app))
    return app


def main() -> None:
    by_command_line = "CDK_OUTDIR" in os.environ
    try:
        app = build({}, outdir=None if by_command_line else ROOT / "cdk.out")
    except (SettingsError, PageFailed, NpmFailed) as error:
        sys.exit(str(error))
    app.synth()


if __name__ == "__main__":
    main()
