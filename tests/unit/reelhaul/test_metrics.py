import pytest

from reelhaul import errors
from reelhaul.errors import SourceError
from reelhaul.jobs import State
from reelhaul.metrics import SERIES, Kind, Outcome, kind_of, outcome_of


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        ("source.not_found", Kind.PERMANENT),
        ("source.refused_address", Kind.PERMANENT),
        ("source.site_not_allowed", Kind.PERMANENT),
        ("source.failed", Kind.PERMANENT),
        ("limit.bytes_per_day", Kind.PERMANENT),
        ("limit.jobs_per_day", Kind.PERMANENT),
        ("source.interrupted", Kind.TRANSIENT),
        ("source.rate_limited", Kind.TRANSIENT),
        ("source.blocked", Kind.BLOCKED),
        ("source.extractor_broken", Kind.BROKEN),
        ("storage.unavailable", Kind.OURS),
        ("job.crashed", Kind.OURS),
        ("job.dead_letter", Kind.OURS),
        ("internal", Kind.OURS),
        ("unheard.of", Kind.OURS),
        (None, Kind.OURS),
    ],
)
def test_failure_has_a_kind(code: str | None, kind: Kind) -> None:
    assert kind_of(Outcome.FAILED, code) is kind


def _codes(cls: type[SourceError]) -> set[str]:
    return {cls.code}.union(*map(_codes, cls.__subclasses__()))


def test_every_error_of_a_source_that_ends_a_job_has_a_series_of_its_kind() -> None:
    codes = _codes(errors.SourceError)
    assert "source.too_long" in codes
    assert {(Outcome.FAILED, kind_of(Outcome.FAILED, code)) for code in codes} < set(SERIES)


@pytest.mark.parametrize("outcome", [Outcome.DONE, Outcome.CANCELLED])
def test_what_did_not_fail_has_no_kind(outcome: Outcome) -> None:
    assert kind_of(outcome, "job.cancelled") is Kind.NONE
    assert (outcome, Kind.NONE) in SERIES


def test_only_ends_have_an_outcome() -> None:
    assert {outcome_of(state) for state in (State.DONE, State.FAILED, State.CANCELLED)} == set(Outcome)
    with pytest.raises(KeyError):
        outcome_of(State.EXPIRED)
