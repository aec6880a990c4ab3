"""Having the fetcher's interpreter, and no other, run something before its own code: the product has no such switch."""

from pathlib import Path

import pytest

from downloader import child


def give(code: str, directory: Path, patch: pytest.MonkeyPatch) -> None:
    """`code` as a `sitecustomize` in `directory`, found by whatever is started with `child.environment`.

    As long as `patch` lasts; what is given later, to another directory too, takes its place.
    """
    (directory / "sitecustomize.py").write_text(code)
    environment = child.environment

    def with_orders(own: Path) -> dict[str, str]:
        given = environment(own)
        return {**given, "PYTHONPATH": f"{directory}:{given['PYTHONPATH']}"}

    patch.setattr(child, "environment", with_orders)
