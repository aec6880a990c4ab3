"""What is deployed is known down to its hashes, may be used, and is held against what is known of it."""

import base64
import http.server
import json
import re
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, ClassVar

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from infra import bills, locked
from infra.assets import ROOT
from infra.locked import DEPLOYED, LAMBDA, LockUnreadable

# May be used and handed on without opening what they are used by.
PERMISSIVE = {
    "0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "ISC", "LicenseRef-public-domain", "MIT", "MIT-0", "PSF-2.0",
    "Unlicense",
}  # fmt: skip
# What is not, and why it may be there all the same.
EXCEPTIONS = {
    "certifi": "MPL-2.0",  # file by file, and a list of roots
    "ffmpeg": "GPL-3.0-or-later",  # a separate program, as is the next
    "ffprobe": "GPL-3.0-or-later",
}


def components(name: str) -> dict[str, dict[str, Any]]:
    """Those of a bill, with what is inside of them."""
    top = json.loads(bills.make(name))["components"]
    return {part["name"]: part for outer in top for part in (outer, *outer.get("components", []))}


# --- locks ------------------------------------------------------------------------------------------------------------


def test_every_pin_of_every_lock_has_hashes() -> None:
    found = locked.files()
    assert {Path(path) for path in DEPLOYED.values()} < set(found)
    assert len(found) == (ROOT / "Makefile").read_text().count("--output-file")
    for path in found:
        pins = locked.read(path)
        text = (ROOT / path).read_text()
        assert len(pins) == len(re.findall(r"^[a-z0-9].*==", text, re.MULTILINE)) > 0
        assert sum(len(pin.hashes) for pin in pins) == text.count("--hash=sha256:")


@pytest.mark.parametrize(
    "text", ["a==1\n", "a>=1 \\\n    --hash=sha256:" + "0" * 64, "git+https://a.example/b\n", "--index-url https://a\n",
             f"a==1 \\\n    --hash=sha256:{'0' * 64}\n--index-url https://a # --hash=sha256:{'0' * 64}\n",
             f"a==1 \\\n    --hash=sha256:{'0' * 64}\nb @ https://a.example/b --hash=sha256:{'0' * 64}\n"]
)  # fmt: skip
def test_a_lock_with_anything_else_is_refused(tmp_path: Path, text: str) -> None:
    (tmp_path / "requirements.txt").write_text(text)
    with pytest.raises(LockUnreadable):
        locked.read(tmp_path / "requirements.txt")


def test_nothing_is_installed_but_by_hash() -> None:
    """The image, the layers, and the environments that synthesise and test."""
    for path in ("functions/downloader/Dockerfile", "infra/setup.sh", "Makefile"):
        text = (ROOT / path).read_text().replace("\\\n", " ")
        commands = re.findall(r"pip [^|&\n]*(?:install|sync)\b[^|&\n]*", text)
        assert commands
        for command in commands:
            assert "--require-hashes" in command or "--editable ." in command, (path, command)
    assert '"--require-hashes"' in (ROOT / "infra/assets.py").read_text()


# --- bills of materials -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", DEPLOYED)
def test_bill_names_every_package_that_is_deployed_with_its_version_and_hashes(name: str) -> None:
    pins = [pin for pin in locked.read(Path(DEPLOYED[name])) if pin.is_for(LAMBDA)]
    found = components(name)
    assert pins
    for pin in pins:
        part = found[pin.name]
        assert part["version"] == pin.version
        assert part["purl"] == f"pkg:pypi/{pin.name}@{pin.version}"
        assert {one["content"] for one in part["hashes"]} == set(pin.hashes)
    assert found.keys() - {pin.name for pin in pins} == ({"ffmpeg", "ffprobe", "python"} if name == "image" else set())


def test_bill_of_the_page_names_what_is_bundled_and_not_what_bundles_it() -> None:
    found = components("page")
    lock = json.loads((ROOT / locked.PAGE).read_text())["packages"]
    asked = lock[""]["dependencies"].keys()
    assert asked <= found.keys()
    assert found.keys().isdisjoint(lock[""]["devDependencies"])
    for name, part in found.items():
        said = lock[f"node_modules/{name}"]
        assert part["version"] == said["version"]
        assert part["purl"] == f"pkg:npm/{name.replace('@', '%40')}@{said['version']}"
        ((kind, digest),) = ((one["alg"], one["content"]) for one in part["hashes"])
        assert (kind, base64.b64encode(bytes.fromhex(digest)).decode()) == ("SHA-512", said["integrity"][7:])


@pytest.mark.parametrize("name", bills.BILLS)
def test_bill_is_valid_and_the_same_each_time(name: str) -> None:
    made = bills.make(name)
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(made) is None
    assert bills.make(name) == made


def test_programs_inside_a_wheel_are_named_as_what_they_are() -> None:
    found = components("image")
    assert re.fullmatch(r"\d+(\.\d+)+", found["ffmpeg"]["version"])
    assert found["ffmpeg"]["type"] == "application"
    assert "deno" in found


def test_bills_are_written_where_they_are_asked_for(tmp_path: Path) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "infra.bills", str(tmp_path)], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert {path.name for path in tmp_path.iterdir()} == {f"{name}.cdx.json" for name in bills.BILLS}
    assert len(run.stdout.splitlines()) == len(bills.BILLS)


# --- licences ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", bills.BILLS)
def test_whatever_is_deployed_may_be_used_as_it_is(name: str) -> None:
    for part in components(name).values():
        if part["type"] == "container":
            continue
        (licence,) = part["licenses"]
        assert is_permissive(licence["expression"]) or EXCEPTIONS.get(part["name"]) == licence["expression"], part


def is_permissive(expression: str) -> bool:
    """Of what is joined by OR one has to be, of what is joined by AND all."""
    return any(set(choice.split(" AND ")) <= PERMISSIVE for choice in expression.split(" OR "))


@pytest.mark.parametrize("expression", ["GPL-3.0-or-later", "MIT AND GPL-2.0-only", "MPL-2.0", "LGPL-2.1 AND MIT", ""])
def test_control_what_asks_for_more_is_not_permissive(expression: str) -> None:
    assert not is_permissive(expression)
    assert is_permissive(f"{expression} OR MIT")


# --- what is known of it ----------------------------------------------------------------------------------------------


class _Database(http.server.BaseHTTPRequestHandler):
    """One of the OSV kind, which knows what `known` says: ids by package."""

    known: ClassVar[dict[str, str]] = {}
    status: ClassVar[int] = 200
    asked: ClassVar[list[str]] = []

    def do_POST(self) -> None:
        package = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["package"]["name"]
        self.asked.append(package)
        body = json.dumps({"vulns": [_vulnerability(package, self.known[package])]} if package in self.known else {})
        self.send_response(self.status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body.encode())

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - named by the base class
        """Say nothing."""


def _vulnerability(package: str, name: str) -> dict[str, Any]:
    about = {"package": {"name": package, "ecosystem": "PyPI"}, "ranges": [], "versions": []}
    return {"id": name, "summary": "made up", "affected": [about], "published": "2026-01-01T00:00:00Z"}


@contextmanager
def database(*, status: int = 200, **known: str) -> Iterator[str]:
    _Database.known, _Database.status = known, status
    _Database.asked.clear()
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), _Database) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
        thread.start()
        yield f"http://127.0.0.1:{server.server_address[1]}/v1/query"
        server.shutdown()
        thread.join()


def audit(url: str, *files: Path | str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "infra.audit", "--osv-url", url, *map(str, files)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def lock(folder: Path, *lines: str) -> Path:
    path = folder / "requirements.txt"
    path.write_text("".join(f"{line} \\\n    --hash=sha256:{'0' * 64}\n" for line in lines))
    return path


def test_audit_asks_about_every_pin_also_those_for_other_machines(tmp_path: Path) -> None:
    lines = ["first==1.0", "second==2.0 ; sys_platform == 'win32'", "second==1.0 ; sys_platform != 'win32'"]
    with database() as url:
        run = audit(url, lock(tmp_path, *lines))
    assert (run.returncode, run.stdout.endswith(": 3 pins, nothing known\n")) == (0, True), run
    assert sorted(_Database.asked) == ["first", "second", "second"]


def test_audit_fails_for_what_is_known_and_names_it(tmp_path: Path) -> None:
    with database(second="OSV-2026-1") as url:
        run = audit(url, lock(tmp_path, "first==1.0", "second==2.0"))
    assert (run.returncode, "second 2.0 has OSV-2026-1" in run.stdout) == (1, True), run


def test_audit_fails_for_a_pin_that_cannot_be_looked_at(tmp_path: Path) -> None:
    with database() as url:
        run = audit(url, lock(tmp_path, "first==1.0", "second==not-a-version"))
    assert run.returncode == 1, run


def test_audit_fails_when_the_database_does_not_answer(tmp_path: Path) -> None:
    with database(status=500) as url:
        run = audit(url, lock(tmp_path, "first==1.0"))
    assert (run.returncode, "not audited" in run.stdout) == (1, True), run


def test_audit_is_made_of_all_locks_each_night() -> None:
    assert "run: make audit\n" in (ROOT / ".github/workflows/at-length.yml").read_text()
    recipe = (ROOT / "Makefile").read_text().partition("\naudit: ")[2].splitlines()[1].strip()
    assert recipe == "@$(PY) -m infra.audit"  # no file named: all of them
