"""The guard switched off, in whole or in part, from outside: the product has no such switch.

A `sitecustomize` that only the fetcher's interpreter finds changes what it is about to run; the proxy's judgement is
replaced where this process keeps it.
"""

import dataclasses
from pathlib import Path

import pytest

from reelhaul.egress import proxy
from tests import orders

# What keeps the fetcher from going past the proxy.
_NO_HOOK = """
import sys
sys.addaudithook = lambda hook: None
"""
_NO_KERNEL = """
from downloader import kernel
from downloader.fetcher import starting
kernel.confine = starting.confine_programs = lambda *args, **kwargs: None
"""
_NO_PROXY = """
from downloader.fetcher import options
_parameters = options.parameters
options.parameters = lambda *args, **kwargs: {**_parameters(*args, **kwargs), "proxy": ""}
"""


@dataclasses.dataclass(frozen=True)
class Guard:
    """Which of the walls stand. `judges`: the proxy minds addresses; `is_used`: there is no way but through it."""

    judges: bool = True
    is_used: bool = True
    hook: bool = True
    kernel: bool = True

    def put_up(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        """Just so, as long as `patch` lasts. `directory` is where the fetcher finds its orders."""
        walls = {_NO_HOOK: self.hook, _NO_KERNEL: self.kernel, _NO_PROXY: self.is_used}
        orders.give("".join(order for order, stands in walls.items() if not stands), directory, patch)
        if not self.judges:
            patch.setattr(proxy, "is_public", lambda *_, **__: True)
            patch.setattr(proxy, "WEB_PORTS", frozenset(range(65_536)))
