"""Every case ends as it should, reaches nobody on the inside, and leaves nothing behind."""

import unicodedata
from collections.abc import Callable, Collection, Iterator

import pytest

from tests.hostile import summary
from tests.hostile.cases import CASES
from tests.hostile.running import DONE, EXPANDED, Case, Outcome, Service
from tests.hostile.servers import SECRET

MAX_MEMORY_BYTES = (
    1300 * 1024**2
)  # of address space a fetcher may have 1 GiB; its ffmpeg has as much again, and uses little
MAX_DISK_BYTES = 100 * 1024**2  # of files of 32 MiB at most, one and what is made of it


@pytest.mark.parametrize("case", CASES, ids=[case.id for case in CASES])
def test_hostile_source_gets_nowhere_and_its_job_says_why(
    case: Case, service: Service, record_property: Callable[[str, object], None]
) -> None:
    outcome = service.run(case)
    record_property(summary.CASE, summary.of_case(case, outcome))

    assert outcome.hits == []
    assert outcome.ended == case.expected, outcome.lines
    assert outcome.processes_left == []
    assert outcome.files_left == []
    assert outcome.usage.memory_bytes < MAX_MEMORY_BYTES
    assert outcome.usage.disk_bytes < MAX_DISK_BYTES
    assert leaks(outcome) == []
    assert deceptive(outcome) == []
    if case.expected not in {DONE, EXPANDED}:
        assert outcome.objects == {}
        assert outcome.reply["data"]["error_code"] == case.expected
    if case.check is not None:
        case.check(outcome)


def leaks(outcome: Outcome) -> list[str]:
    """Where something of a canary's is."""
    found = [name for name, text in outcome.texts.items() if SECRET in text]
    return found + [key for key, data in outcome.objects.items() if SECRET.encode() in data]


def deceptive(outcome: Outcome) -> list[str]:
    """What is shown that moves a cursor or turns a line around, but for the URL that the tenant itself gave."""
    given = {"url", "exception", "stderr"}  # the latter are lines of a log, and have ends of them
    shown = [
        *_texts({**outcome.reply["data"], "url": ""}),
        *(one for line in outcome.lines for one in _texts(line, given)),
    ]
    return [text for text in shown if any(unicodedata.category(char) in {"Cc", "Cf", "Zl", "Zp"} for char in text)]


def _texts(value: object, but: Collection[str] = ()) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict):
        for name, one in value.items():
            if name not in but:
                yield from _texts(one, but)
    elif isinstance(value, list):
        for one in value:
            yield from _texts(one, but)


def test_there_are_cases_enough_and_none_twice() -> None:
    names = [case.id for case in CASES]
    assert len(names) >= 110
    assert len(set(names)) == len(names)
