"""Measurements. Each module is a command that prints a table; nothing fails because a machine was slow."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "functions"))  # as for the tests, see pytest's `pythonpath`
