"""The pins move forward and by themselves: by the real uv, which is shown releases that we made up."""

import json
import zipfile
from pathlib import Path

import pytest

from infra import newest
from infra.assets import ROOT
from infra.settings import Settings, SettingsError

PYPROJECT = (ROOT / "pyproject.toml").read_text()
CDK = (ROOT / "cdk.json").read_text()
DIGEST = "sha256:" + "0123456789abcdef" * 4


def _release(directory: Path, name: str, version: str, *requires: str) -> None:
    """A wheel of which there is no more than what an index tells."""
    extras = ("default", "pin-deno") if requires else ()
    lines = ["Metadata-Version: 2.4", f"Name: {name}", f"Version: {version}"]
    lines += [*(f"Provides-Extra: {extra}" for extra in extras), *(f"Requires-Dist: {one}" for one in requires), ""]
    stem = f"{name.replace('-', '_')}-{version}"
    with zipfile.ZipFile(directory / f"{stem}-py3-none-any.whl", "w") as wheel:
        wheel.writestr(f"{stem}.dist-info/METADATA", "\n".join(lines))
        wheel.writestr(f"{stem}.dist-info/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        wheel.writestr(f"{stem}.dist-info/RECORD", "")


@pytest.fixture
def index(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Two releases, a preview, and a deno that is newer than the one that yt-dlp names."""
    directory = tmp_path / "index"
    directory.mkdir()
    for version, deno in (("2026.10.26", "2.9.8"), ("2098.1.2", "3.1.0"), ("2099.1.1.dev5", "3.2.0")):
        _release(directory, "yt-dlp", version, f"deno=={deno}; extra == 'pin-deno'")
        _release(directory, "deno", deno)
    monkeypatch.setenv("UV_NO_INDEX", "1")
    monkeypatch.setenv("UV_FIND_LINKS", str(directory))
    monkeypatch.setenv("UV_NO_CONFIG", "1")
    monkeypatch.setenv("UV_CACHE_DIR", str(tmp_path / "cache"))
    return directory


def test_newest_release_is_found_with_the_deno_that_it_names(index: Path) -> None:
    assert newest.newest("2026.10.26") == {"yt-dlp": "2098.1.2", "deno": "3.1.0"}


def test_newest_that_we_have_already_stays(index: Path) -> None:
    found = newest.newest("2098.1.2")
    pyproject = newest.with_pins(PYPROJECT, found)
    assert newest.with_pins(pyproject, newest.newest(newest.pinned(pyproject)["yt-dlp"])) == pyproject


def test_pin_never_moves_back(index: Path) -> None:
    with pytest.raises(newest.NothingFound, match=r"^No release of yt-dlp was found: error: No solution"):
        newest.newest("2098.1.3")


def test_only_the_pins_change() -> None:
    changed = newest.with_pins(PYPROJECT, {"yt-dlp": "2098.1.2", "deno": "3.1.0"})
    assert newest.pinned(changed) == {"yt-dlp": "2098.1.2", "deno": "3.1.0"}
    lines = zip(PYPROJECT.splitlines(), changed.splitlines(), strict=True)
    assert [after.strip() for before, after in lines if before != after] == [
        '"deno==3.1.0",', '"yt-dlp[default]==2098.1.2",',
    ]  # fmt: skip


def test_pins_of_today_are_found() -> None:
    locked = (ROOT / "functions/downloader/requirements.txt").read_text()
    for name, version in newest.pinned(PYPROJECT).items():
        assert f"\n{name}=={version} " in locked


def test_base_is_pinned_to_what_its_tag_stands_for() -> None:
    unpinned = json.dumps({"context": {"@aws-cdk/core:x": True}}, indent=2)
    pinned = newest.with_base(unpinned, DIGEST)
    context = json.loads(pinned)["context"]
    assert context == {"base_image": f"{Settings().base_image}@{DIGEST}", "@aws-cdk/core:x": True}

    again = newest.with_base(pinned, DIGEST.replace("0", "f"))
    assert json.loads(again)["context"]["base_image"] == f"{Settings().base_image}@{DIGEST.replace('0', 'f')}"
    assert again == pinned.replace(DIGEST, DIGEST.replace("0", "f"))


def test_base_of_ones_own_keeps_its_name() -> None:
    own = '{"context": {\n    "base_image": "registry.example/own:3"\n}}'
    assert json.loads(newest.with_base(own, DIGEST))["context"]["base_image"] == f"registry.example/own:3@{DIGEST}"


def test_cdk_json_can_be_pinned_and_all_else_in_it_stays() -> None:
    before, after = json.loads(CDK), json.loads(newest.with_base(CDK, DIGEST))
    assert Settings.from_context(after["context"]).base_image.endswith(f":3.13-slim-trixie@{DIGEST}")
    del after["context"]["base_image"]
    before["context"].pop("base_image", None)
    assert after == before


def test_digest_that_is_none_is_refused() -> None:
    with pytest.raises(SettingsError, match=r"base_image is 'python:3.13-slim-trixie@latest'; it must be"):
        newest.with_base('{"context": {\n}}', "latest")
