"""What is said at the end of a run, out of what each test has noted."""

from collections.abc import Callable, Iterable

from tests.hostile.running import DONE, EXPANDED, Case, Outcome

CASE = "hostile-case"  # of a case: whether it was refused, and how many canaries it hit
CONTROL = "hostile-control"  # of a control: how many it hit
Properties = Iterable[tuple[str, object]]


def of_case(case: Case, outcome: Outcome) -> str:
    is_as_named = outcome.ended == case.expected
    how = "harmless" if case.expected in {DONE, EXPANDED} else "refused"
    return f"{how if is_as_named else 'otherwise'} {len(outcome.hits)}"


def write(tests: Iterable[Properties], say: Callable[[str], None]) -> None:
    """Of all tests, in whatever process they ran."""
    noted = [pair for properties in tests for pair in properties]
    cases = [str(value).split() for name, value in noted if name == CASE]
    controls = [int(str(value)) for name, value in noted if name == CONTROL]
    ends = [how for how, _ in cases]
    if not cases:
        return
    hits = sum(int(count) for _, count in cases)
    refused, harmless, otherwise = (ends.count(how) for how in ("refused", "harmless", "otherwise"))
    say(f"{len(cases)} cases run: {refused} refused as named, {harmless} harmless as named, {otherwise} otherwise")
    say(f"canary hits {hits}")
    say(f"{len(controls)} controls without the guard: {sum(count > 0 for count in controls)} hit canaries")
