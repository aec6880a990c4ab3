"""Nothing stuck, nothing lost, nothing twice: whatever happens to jobs, in whichever order."""

import os

from hypothesis import HealthCheck, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.conftest import installed
from tests.model.machine import Machine

# The same cases each time, so that a run tells of the change that it was run for. `make model` looks at more.
SETTINGS = settings(
    max_examples=int(os.environ.get("EXAMPLES", "40")),
    stateful_step_count=20,
    derandomize=True,
    database=None,
    deadline=None,
    report_multiple_bugs=False,
    suppress_health_check=list(HealthCheck),
)


def test_everything_comes_to_rest_in_order() -> None:
    with installed() as cloud:
        Machine.cloud = cloud
        run_state_machine_as_test(Machine, settings=SETTINGS)
