"""Writes the README's part about scale anew: `make scale`, from the root of the project. Takes half a minute."""

import sys
from pathlib import Path

from tests.benchmarks.scale import report

README = Path(__file__).resolve().parents[3] / "README.md"


def main() -> None:
    text = README.read_text()
    made = report.block(text)
    README.write_text(report.BLOCK.sub(lambda _: made, text, count=1))
    sys.stdout.write(made)


if __name__ == "__main__":
    main()
