"""The guard switched off, in whole or in part, from outside: the product has no such switch.

A `sitecustomize` that only the fetcher's interpreter finds changes what it is about to run; the proxy's judgement is
replaced where this process keeps it.
"""

import dataclasses
from pathlib import Path

import pytest

from downloader import child
from reelhaul.egress import proxy

# Audit hook and kernel: what keeps the fetcher from going past the proxy.
_NO_HOOK = """
import contextlib, sys
sys.addaudithook = lambda hook: None
with contextlib.suppress(ImportError):
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

    def put_up(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        """Just so, as long as `patch` lasts. `directory` is where the fetcher finds its orders."""
        orders = ("" if self.hook else _NO_HOOK) + ("" if self.is_used else _NO_PROXY)
        (directory / "sitecustomize.py").write_text(orders)
        environment = child.environment

        def with_orders(own: Path) -> dict[str, str]:
            given = environment(own)
            return {**given, "PYTHONPATH": f"{directory}:{given['PYTHONPATH']}"}

        patch.setattr(child, "environment", with_orders)
        if not self.judges:
            patch.setattr(proxy, "is_public", lambda *_, **__: True)
            patch.setattr(proxy, "WEB_PORTS", frozenset(range(65_536)))
