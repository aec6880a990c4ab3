"""`.github/SECURITY.md` is true: what it says is held is held by a test that there is, and no row goes without one."""

import re

import pytest

from tests.named import NAMED, ROOT, exists, named_in

TEXT = (ROOT / ".github/SECURITY.md").read_text()
SECTIONS = {part.partition("\n")[0]: part.partition("\n")[2] for part in TEXT.split("\n## ")[1:]}
FOUND = named_in(TEXT)
WHOLE = (  # what a threat model of this service has to speak of
    "Reporting", "What is at stake", "Tenants and the API", "Keys and links", "Secrets", "Hostile sources",
    "The worker: parent and child", "Rights and operations", "Denial of wallet", "Supply chain", "What is not defended",
)  # fmt: skip
THREATS = [
    (section, row)
    for section, text in SECTIONS.items()
    for head, rows in re.findall(r"^\| (threat[^\n]*)\n\|[ -|]+\n((?:\|[^\n]*\n?)+)", text, re.MULTILINE)
    for row in rows.splitlines()
    if "test" in head
]


@pytest.mark.parametrize(("path", "name"), FOUND, ids=[name for _, name in FOUND])
def test_every_test_that_is_named_exists(path: str, name: str) -> None:
    assert exists(path, name)


def test_it_names_tests_at_all() -> None:
    assert len(FOUND) > 50
    assert len(THREATS) > 30


@pytest.mark.parametrize("section", WHOLE)
def test_every_part_of_the_threat_model_is_there(section: str) -> None:
    assert SECTIONS[section].strip()


@pytest.mark.parametrize(("section", "row"), THREATS)
def test_every_threat_has_a_defence_and_a_test_that_holds_it(section: str, row: str) -> None:
    threat, defence, *_ = (cell.strip() for cell in row.strip("|").split("|"))
    assert threat
    assert defence
    assert NAMED.search(row), f"{section}: {threat}"


def test_control_a_test_that_there_is_not_would_be_noticed() -> None:
    assert not exists("tests/unit/test_security.py", "test_that_nobody_has_written")
    assert not exists("tests/unit/test_nothing.py", "test_it_names_tests_at_all")
