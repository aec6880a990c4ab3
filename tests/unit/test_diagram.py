"""The README's diagram of a job's life is that of the table. `make diagram` writes it anew."""

import os
import re
from pathlib import Path

from reelhaul.jobs import STEPS, State

README = Path(__file__).resolve().parents[2] / "README.md"
BLOCK = re.compile(r"```mermaid\nstateDiagram.*?```\n", re.DOTALL)


def diagram() -> str:
    """The steps that change a job's state, in mermaid's language; several on one arrow where they share it."""
    arrows: dict[tuple[State, State], list[str]] = {}
    for step in STEPS:
        for start in State:
            if start in step.starts and step.ends is not None:
                arrows.setdefault((start, step.ends), []).append(step.name)
    lines = [f"    {start} --> {end}: {', '.join(names)}" for (start, end), names in arrows.items()]
    return "\n".join(["```mermaid", "stateDiagram-v2", "    [*] --> QUEUED: create", *lines, "```", ""])


def test_the_readmes_diagram_is_that_of_the_table() -> None:
    text = README.read_text()
    if os.environ.get("WRITE_DIAGRAM"):
        README.write_text(BLOCK.sub(lambda _: diagram(), text, count=1))
    assert BLOCK.findall(README.read_text()) == [diagram()]
