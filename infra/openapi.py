"""The OpenAPI document, made when the template is, of the handlers' own routes.

Making it takes pydantic, which Powertools asks for here and which no function loads, and imports every handler; so it
happens in a process of its own: `python -m infra.openapi --max-retention-days 30
--max-playlist-items 1000`. That one does without the CDK, whose import takes longer than all the rest.
"""

import argparse
import functools
import importlib
import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
_FUNCTIONS = ROOT / "functions"
_PATHS = (_FUNCTIONS, ROOT / "layers/core/python")
_FOLDER, _FILE = "docs", "openapi.json"


class DocumentFailed(Exception):
    """The document cannot be made; the message is what was said about it."""


def put_together(target: Path, *, max_retention_days: int, max_playlist_items: int = 1000) -> None:
    """Fill `target` with what is deployed as the function `docs`. Raises `DocumentFailed`."""
    package = target / _FOLDER
    shutil.copytree(_FUNCTIONS / _FOLDER, package, ignore=shutil.ignore_patterns("__pycache__"))
    made = make(max_retention_days=max_retention_days, max_playlist_items=max_playlist_items)
    (package / _FILE).write_text(made, encoding="utf-8")


@functools.cache
def make(*, max_retention_days: int, max_playlist_items: int = 1000) -> str:
    """The document as JSON. Raises `DocumentFailed`, as for a route that is not documented."""
    limits = ["--max-retention-days", str(max_retention_days), "--max-playlist-items", str(max_playlist_items)]
    command = [sys.executable, "-m", "infra.openapi", *limits]
    made = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if made.returncode != 0:
        raise DocumentFailed(f"The OpenAPI document cannot be made: {made.stderr.strip()}")
    return made.stdout


# --- in the process of its own ---------------------------------------------------------------------------------------


def main() -> None:
    arguments = argparse.ArgumentParser()
    arguments.add_argument("--max-retention-days", type=int, required=True)
    arguments.add_argument("--max-playlist-items", type=int, required=True)
    os.environ.setdefault("AWS_DEFAULT_REGION", "us-east-1")  # some clients are made on import, and none is used
    sys.path[:0] = [str(path) for path in _PATHS]
    documentation = importlib.import_module("reelhaul.documentation.document")
    try:
        made = documentation.document(_skeleton(), **vars(arguments.parse_args()))
    except documentation.RoutesDiffer as error:
        sys.exit(str(error))
    sys.stdout.write(json.dumps(made, ensure_ascii=False, separators=(",", ":")))


def _skeleton() -> dict[str, Any]:
    """The routes of all handlers in one document, merged by Powertools; two handlers for one route are an error."""
    merge = importlib.import_module("aws_lambda_powertools.event_handler.openapi.merge")
    merged = merge.OpenAPIMerge(title="", version=_version(), openapi_version="3.1.0", on_conflict="error")
    for path in sorted(_FUNCTIONS.glob("*/handler.py")):
        app = getattr(importlib.import_module(f"{path.parent.name}.handler"), "app", None)
        if app is not None:  # else no function of the API
            merged.add_schema(_in_our_words(app.get_openapi_schema().model_dump(by_alias=True, exclude_none=True)))
    return dict(merged.get_openapi_schema())


def _in_our_words(schema: dict[str, Any]) -> dict[str, Any]:
    """The handlers call a download's id `job_id`, the API's own routes say `id`."""
    return {"paths": {path.replace("{job_id}", "{id}"): methods for path, methods in schema["paths"].items()}}


def _version() -> str:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    return str(project["version"])


if __name__ == "__main__":
    main()
