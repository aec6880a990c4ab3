"""The model is as good as what it catches: without any one of the service's guards it must come to disorder."""

from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import Cloud
from tests.model.machine import Machine
from tests.model.mutations import MUTATIONS
from tests.model.rest import Violation
from tests.model.test_machine import SETTINGS

# As soon as one case shows it that is enough. Most need fewer than ten, and none needs more than a quarter of these.
UNTIL_CAUGHT = settings(SETTINGS, max_examples=200, phases=[Phase.generate])


@pytest.fixture
def patch(cloud: Cloud) -> Iterator[pytest.MonkeyPatch]:
    """For as long as the machine runs, which is patched by the mutation after it was put up."""
    Machine.cloud = cloud
    with pytest.MonkeyPatch.context() as patch:
        yield patch


@pytest.mark.parametrize("name", MUTATIONS)
def test_without_a_guard_the_invariant_breaks(patch: pytest.MonkeyPatch, name: str) -> None:
    MUTATIONS[name](patch)
    with pytest.raises(Violation):
        run_state_machine_as_test(Machine, settings=UNTIL_CAUGHT)
