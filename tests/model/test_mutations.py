"""The model is as good as what it catches: without any one of the service's guards it must come to disorder."""

import os
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import Cloud
from tests.model.machine import Machine
from tests.model.mutations import MUTATIONS
from tests.model.rest import Violation
from tests.model.test_machine import SETTINGS

AT_LENGTH = "EXAMPLES" in os.environ  # as `make model` has it
# As soon as one case shows it that is enough. Most need fewer than ten.
UNTIL_CAUGHT = settings(SETTINGS, max_examples=2000 if AT_LENGTH else 200, phases=[Phase.generate])
# Where it takes a rare coincidence to notice that a guard is gone.
RARE = frozenset({
    "a failure has no condition", "a heartbeat has no condition", "attempts are not counted", "uploads are left open",
    "the items of a deleted playlist stay", "what was stored is not verified", "nobody passes the gate",
    "messages are good for every generation",
})  # fmt: skip


@pytest.fixture
def patch(cloud: Cloud) -> Iterator[pytest.MonkeyPatch]:
    """For as long as the machine runs, which is patched by the mutation after it was put up."""
    Machine.cloud = cloud
    with pytest.MonkeyPatch.context() as patch:
        yield patch


def _marked(name: str) -> Any:
    is_left_out = name in RARE and not AT_LENGTH
    return pytest.param(name, marks=pytest.mark.skipif(is_left_out, reason="takes many cases: see `make model`"))


def test_every_rare_one_is_there() -> None:
    assert MUTATIONS.keys() >= RARE


@pytest.mark.parametrize("name", map(_marked, MUTATIONS))
def test_without_a_guard_the_invariant_breaks(patch: pytest.MonkeyPatch, name: str) -> None:
    MUTATIONS[name](patch)
    with pytest.raises(Violation):
        run_state_machine_as_test(Machine, settings=UNTIL_CAUGHT)
