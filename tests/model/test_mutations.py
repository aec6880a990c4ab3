"""The model is as good as what it catches: without any one of the service's guards it must come to disorder."""

import functools
import inspect
from collections.abc import Iterator

import pytest
from hypothesis import Phase, settings
from hypothesis import strategies as st
from hypothesis.stateful import RULE_MARKER, run_state_machine_as_test
from hypothesis.strategies._internal.featureflags import FeatureFlags

from tests.conftest import Cloud
from tests.model.machine import Machine
from tests.model.mutations import MUTATIONS, Mutation
from tests.model.rest import Violation
from tests.model.test_machine import SETTINGS

# One case that shows it is enough, and a short one will do. Most need fewer than ten cases.
UNTIL_CAUGHT = settings(SETTINGS, max_examples=300, stateful_step_count=8, phases=[Phase.generate])


@pytest.fixture
def patch(cloud: Cloud) -> Iterator[pytest.MonkeyPatch]:
    """Of the product, over and above what stands for AWS."""
    Machine.cloud = cloud
    with pytest.MonkeyPatch.context() as patch:
        yield patch


class Confined(Machine):
    """One whose rules are few. Hypothesis would leave out half of them in each case."""

    def __init__(self) -> None:
        super().__init__()
        self._rules_strategy.enabled_rules_strategy = st.just(FeatureFlags())


def confined(mutation: Mutation) -> type[Machine]:
    """The machine with those rules only that have to do with the guard, and with one that is always possible."""
    rules = {name: rule for name, rule in inspect.getmembers(Machine) if hasattr(rule, RULE_MARKER)}
    assert mutation.rules <= rules.keys()
    others = rules.keys() - mutation.rules - {"sweep_after"}
    # Of the others the methods stay, for rules that call them, without the mark that makes them rules.
    return type("Confined", (Confined,), {name: functools.partialmethod(rules[name]) for name in others})


@pytest.mark.parametrize("mutation", MUTATIONS.values(), ids=list(MUTATIONS))
def test_without_a_guard_the_invariant_breaks(patch: pytest.MonkeyPatch, mutation: Mutation) -> None:
    mutation.apply(patch)
    with pytest.raises(Violation):
        run_state_machine_as_test(confined(mutation), settings=UNTIL_CAUGHT)
