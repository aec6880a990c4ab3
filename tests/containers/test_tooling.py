"""What the tests in containers rest on."""

import subprocess
from pathlib import Path

import pytest

from tests.containers import engine, pip_access
from tests.containers.network import loopback_only

_NETWORK = Path("/proc/thread-self/ns/net")


def test_pip_finds_in_a_build_what_its_configuration_names_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bundle, wheels = tmp_path / "roots.pem", tmp_path / "wheels"
    bundle.write_text("")
    wheels.mkdir()
    monkeypatch.setattr(engine, "DIRECTORY", tmp_path / "containers")
    monkeypatch.setenv("PIP_CERT", str(bundle))
    monkeypatch.setenv("PIP_FIND_LINKS", f"file://{wheels}")

    mounted = pip_access.mounts()[1::2]

    places = {place.split(":")[0]: place.split(":")[1] for place in mounted}
    assert {place.split(":")[2] for place in mounted} == {"ro"}
    settings = Path(next(path for path, place in places.items() if place == "/etc/pip.conf")).read_text()
    assert f"cert = {places[str(bundle)]}\n" in settings
    assert f"find-links = file://{places[str(wheels)]}\n" in settings
    assert str(tmp_path) not in settings


def test_where_the_programs_are_missing_it_is_said_in_a_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shutil.which", lambda name, **_: None if name in {"buildah", "runc"} else name)
    why = engine.missing()
    assert why is not None
    assert why.startswith("buildah, runc not installed; `make e2e-image`")


def test_installing_without_root_says_what_is_skipped_and_fails_nothing(tmp_path: Path) -> None:
    """With a PATH that has nothing but what the script itself runs, and another user than root."""
    (tmp_path / "id").write_text("#!/bin/sh\necho 1000\n")
    (tmp_path / "id").chmod(0o755)
    script = str(engine.ROOT / "tests" / "debian.sh")
    done = subprocess.run(
        ["/bin/sh", script, "the tests in containers", "sh=dash", "unshare=util-linux"],
        env={"PATH": str(tmp_path)},
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stderr.startswith("skipped: the tests in containers: dash util-linux not installed")
    assert done.stderr.count("\n") == 1


def test_network_of_our_own_has_loopback_and_nothing_else() -> None:
    before = _NETWORK.readlink()
    with loopback_only():
        assert _NETWORK.readlink() != before
        table = Path("/proc/thread-self/net/dev").read_text()
        assert [line.split(":")[0].strip() for line in table.splitlines()[2:]] == ["lo"]
        assert Path("/proc/thread-self/net/route").read_text().count("\n") == 1  # its heading
    assert _NETWORK.readlink() == before
