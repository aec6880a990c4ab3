"""Tests that documents name, as `tests/unit/test_readme.py::test_the_readme_names_tests_at_all`."""

import ast
import functools
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
NAMED = re.compile(r"`(tests/[\w/]+\.py)::(\w+)`")


def named_in(text: str) -> list[tuple[str, str]]:
    """Path and name of each."""
    return sorted(set(NAMED.findall(text)))


def exists(path: str, name: str) -> bool:
    return (ROOT / path).is_file() and name in _defined_in(ROOT / path)


@functools.cache
def _defined_in(path: Path) -> set[str]:
    return {node.name for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.FunctionDef)}
