"""The lines that CloudWatch makes metrics of, to the letter."""

import json

import pytest

from reelhaul.jobs import Job
from reelhaul.measures import Measures, Transfer
from reelhaul.metrics import JOBS, SECCOMP
from tests.emf import Point, points
from tests.jobs_in import cancelled, done, failed

MEASURES = Measures("Reelhaul-test")
SERVICE = ("service", "Reelhaul-test")
TRANSFER = Transfer(size=1_000, queued_s=1.5, fetching_s=10.0, finishing_s=0.5, uploading_s=0.25)


def test_a_line_is_what_cloudwatch_reads(capsys: pytest.CaptureFixture[str]) -> None:
    job = failed()
    MEASURES.job_ended(job)
    (line,) = capsys.readouterr().out.splitlines()
    said = json.loads(line)
    assert isinstance(said["_aws"].pop("Timestamp"), int)
    assert said == {
        "_aws": {
            "CloudWatchMetrics": [
                {
                    "Namespace": "Reelhaul",
                    "Dimensions": [["service"], ["service", "outcome", "kind"]],
                    "Metrics": [{"Name": "Jobs", "Unit": "Count"}],
                }
            ]
        },
        "service": "Reelhaul-test",
        "outcome": "failed",
        "kind": "permanent",
        "Jobs": [1.0],
        "job_id": job.id,
        "tenant": "acme",
        "error_code": "source.not_found",
    }


@pytest.mark.parametrize(
    ("job", "outcome", "kind"),
    [(done(), "done", "none"), (cancelled(), "cancelled", "none")],
    ids=["done", "cancelled"],
)
def test_every_end_counts_once_in_all_and_once_by_how_it_ended(
    capsys: pytest.CaptureFixture[str], job: Job, outcome: str, kind: str
) -> None:
    MEASURES.job_ended(job)
    assert points(capsys.readouterr().out) == {
        Point("Reelhaul", JOBS, "Count", (SERVICE,), 1.0),
        Point("Reelhaul", JOBS, "Count", (("kind", kind), ("outcome", outcome), SERVICE), 1.0),
    }


def test_a_transfer_is_told_with_its_phases(capsys: pytest.CaptureFixture[str]) -> None:
    MEASURES.stored(done(), TRANSFER)
    assert {(point.name, point.unit, point.value) for point in points(capsys.readouterr().out)} == {
        ("Bytes", "Bytes", 1_000.0),
        ("QueuedSeconds", "Seconds", 1.5),
        ("FetchingSeconds", "Seconds", 10.0),
        ("FinishingSeconds", "Seconds", 0.5),
        ("UploadingSeconds", "Seconds", 0.25),
        ("TransferRatio", "None", 1.075),
    }


def test_ratio_is_how_much_longer_it_took_than_the_source_alone() -> None:
    assert Transfer(size=1, queued_s=99, fetching_s=4, finishing_s=0, uploading_s=0).ratio == 1.0
    assert Transfer(size=1, queued_s=99, fetching_s=4, finishing_s=1, uploading_s=3).ratio == 2.0
    assert Transfer(size=1, queued_s=0, fetching_s=0, finishing_s=1, uploading_s=1).ratio is None


def test_source_that_took_no_time_has_no_ratio(capsys: pytest.CaptureFixture[str]) -> None:
    MEASURES.stored(done(), Transfer(size=1, queued_s=0, fetching_s=0, finishing_s=0, uploading_s=1))
    assert "TransferRatio" not in {point.name for point in points(capsys.readouterr().out)}


@pytest.mark.parametrize(("extractor", "called"), [("Youtube", "Youtube"), (None, "unknown")])
def test_broken_extractor_is_counted_by_its_name(
    capsys: pytest.CaptureFixture[str], extractor: str | None, called: str
) -> None:
    MEASURES.extractor_broken(failed(), extractor)
    dimensions = (("extractor", called), SERVICE)
    assert points(capsys.readouterr().out) == {Point("Reelhaul", "ExtractorBroken", "Count", dimensions, 1.0)}


def test_nothing_of_one_job_is_in_the_line_of_the_next(capsys: pytest.CaptureFixture[str]) -> None:
    MEASURES.extractor_broken(failed(), "Youtube")
    MEASURES.stored(done(tenant="other"), TRANSFER)
    _, second = capsys.readouterr().out.splitlines()
    assert not {"extractor", "ExtractorBroken"} & json.loads(second).keys()
    assert json.loads(second)["tenant"] == "other"


@pytest.mark.parametrize("seccomp", [False, True])
def test_a_worker_tells_at_its_start_whether_system_calls_are_filtered(
    capsys: pytest.CaptureFixture[str], *, seccomp: bool
) -> None:
    MEASURES.worker_started(seccomp=seccomp, landlock=False)
    said = capsys.readouterr().out
    assert points(said) == {Point("Reelhaul", SECCOMP, "Count", (SERVICE,), float(seccomp))}
    assert json.loads(said)["landlock"] is False
