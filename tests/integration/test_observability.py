"""What an operator sees of a job: metrics from where the truth is known, and lines that say what they are about."""

import dataclasses
import json
import time
from pathlib import Path
from typing import Any

import pytest

from announcer import handler as announcer
from create_download import handler as create_download
from dead_letters import handler as dead_letters
from deliver_webhooks import handler as deliver_webhooks
from downloader import handler as downloader
from downloader import kernel
from downloader.kernel import Support
from reelhaul import steps
from reelhaul.errors import WorkerCrashed
from reelhaul.jobs import Job, State
from reelhaul.queue import JobMessage
from reelhaul.webhooks import WebhookMessage
from sweeper import handler as sweeper
from tests import emf
from tests.conftest import Cloud
from tests.emf import Point, points
from tests.events import Context, sqs_event
from tests.faults import refused
from tests.integration.conftest import Api
from tests.jobs_in import done, failed, queued, running
from tests.logs import logged
from tests.media import SourceServer
from tests.stream import change

SERVICE = ("service", "Reelhaul-test")


@pytest.fixture(autouse=True)
def _installed(cloud: Cloud, monkeypatch: pytest.MonkeyPatch, tmp_path: Path, source: SourceServer) -> None:
    monkeypatch.setenv("STACK_NAME", "Reelhaul-test")
    monkeypatch.setenv("WORK_DIRECTORY", str(tmp_path))
    monkeypatch.setenv("ALLOWED_ORIGINS", source.origin)


def ended(job: Job) -> dict[str, Any]:
    before = dataclasses.replace(job, state=State.RUNNING, completed_at=None, stored=None)
    return change(before, job)


def handed_to_the_worker(cloud: Cloud, *urls: str) -> list[Job]:
    """One after the other, in the same warm process."""
    jobs = [queued(url=url, now=time.time(), tenant=f"tenant-{number}") for number, url in enumerate(urls)]
    for job in jobs:
        cloud.store.create(job)
        message = JobMessage(tenant=job.tenant, job_id=job.id, generation=job.generation)
        assert downloader.lambda_handler(sqs_event(message.body()), Context(remaining_ms=60_000)) == {
            "batchItemFailures": []
        }
    return [cloud.store.get(job.tenant, job.id) for job in jobs]


# --- metrics ---------------------------------------------------------------------------------------------------------


def test_every_end_is_counted_by_its_outcome_and_kind(capsys: pytest.CaptureFixture[str]) -> None:
    ours = steps.fail(running(), WorkerCrashed(), now=time.time())
    announcer.lambda_handler({"Records": [ended(done()), ended(failed()), ended(ours), ended(done())]}, Context())

    counted = [emf.points(json.dumps(line, separators=(",", ":"))) for line in emf.lines(capsys.readouterr().out)]
    kinds = [("done", "none"), ("failed", "permanent"), ("failed", "ours"), ("done", "none")]
    assert counted == [
        {
            Point("Reelhaul", "Jobs", "Count", (SERVICE,), 1.0),
            Point("Reelhaul", "Jobs", "Count", (("kind", kind), ("outcome", outcome), SERVICE), 1.0),
        }
        for outcome, kind in kinds
    ]


def test_end_that_could_not_be_announced_is_counted_when_it_could(capsys: pytest.CaptureFixture[str]) -> None:
    record = ended(done())
    with refused("events", "PutEvents"):
        announcer.lambda_handler({"Records": [record]}, Context())
    assert emf.lines(capsys.readouterr().out) == []
    announcer.lambda_handler({"Records": [record]}, Context())
    assert len(emf.lines(capsys.readouterr().out)) == 1


def test_stored_medium_is_measured(cloud: Cloud, source: SourceServer, capsys: pytest.CaptureFixture[str]) -> None:
    [job] = handed_to_the_worker(cloud, source.url("clip.mp4"))

    assert job.stored is not None
    found = {point.name: point for point in points(capsys.readouterr().out) if point.name != "Seccomp"}
    assert {name: point.unit for name, point in found.items()} == {
        "Bytes": "Bytes", "QueuedSeconds": "Seconds", "FetchingSeconds": "Seconds", "FinishingSeconds": "Seconds",
        "UploadingSeconds": "Seconds", "TransferRatio": "None",
    }  # fmt: skip
    assert {point.dimensions for point in found.values()} == {(SERVICE,)}
    assert found["Bytes"].value == job.stored.size + sum(extra.size for extra in job.extras)
    assert found["FetchingSeconds"].value > 0
    assert found["TransferRatio"].value > 1


def test_what_failed_is_not_measured_as_a_transfer(
    cloud: Cloud, source: SourceServer, capsys: pytest.CaptureFixture[str]
) -> None:
    handed_to_the_worker(cloud, source.url("status/404"))
    assert {point.name for point in points(capsys.readouterr().out)} == {"Seccomp"}  # which is of the worker's start


@pytest.mark.usefixtures("cloud")
@pytest.mark.parametrize("seccomp", [False, True])
def test_worker_tells_once_whether_its_kernel_filters_system_calls(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], *, seccomp: bool
) -> None:
    monkeypatch.setattr(kernel, "support", lambda: Support(seccomp=seccomp, landlock=False))
    downloader.dependencies.cache_clear()
    for _ in range(2):
        downloader.lambda_handler({"Records": []}, Context())
    said = emf.lines(capsys.readouterr().out)
    assert [(line["Seccomp"], line["landlock"]) for line in said] == [([float(seccomp)], False)]


# --- logs ------------------------------------------------------------------------------------------------------------


def test_every_line_of_a_worker_is_about_its_job_and_no_other(cloud: Cloud, source: SourceServer) -> None:
    with logged(downloader.logger) as lines:
        jobs = handed_to_the_worker(cloud, source.url("status/404"), source.url("clip.mp4"), source.url("html.mp4"))
        downloader.lambda_handler(sqs_event("not ours"), Context())

    (malformed,) = lines.of("message_malformed")
    assert not {"job_id", "tenant"} & malformed.keys()  # on a warm process: nothing is left of the jobs before
    of_jobs = [(line["job_id"], line["tenant"]) for line in lines[: lines.index(malformed)]]
    assert list(dict.fromkeys(of_jobs)) == [(job.id, job.tenant) for job in jobs]
    assert of_jobs == sorted(of_jobs, key=lambda one: one[1])  # none of an earlier job's among those of a later one
    assert {(line["job_id"], line["tenant"]) for line in lines.of("fetch_failed")} == {
        (jobs[0].id, "tenant-0"),
        (jobs[2].id, "tenant-2"),
    }
    assert [line["job_id"] for line in lines.of("job_finished")] == [jobs[1].id]


def test_lines_about_a_message_that_has_to_wait_name_its_job(cloud: Cloud) -> None:
    job = queued(now=time.time())
    message = JobMessage(tenant=job.tenant, job_id=job.id, generation=1).body()
    with refused("dynamodb", "GetItem"):
        for function, event in ((downloader, "message_postponed"), (dead_letters, "dead_letter_postponed")):
            with logged(function.logger) as lines:
                function.lambda_handler(sqs_event(message), Context())
            assert [(line["job_id"], line["tenant"]) for line in lines.of(event)] == [(job.id, "acme")]
        ending = dataclasses.replace(done(callback_url="https://hooks.example/"), webhook=None)
        with logged(deliver_webhooks.logger) as lines:
            deliver_webhooks.lambda_handler(sqs_event(WebhookMessage.about(ending).body()), Context())
        assert [line["job_id"] for line in lines.of("message_postponed")] == [ending.id]


@pytest.mark.parametrize(
    ("attribute", "value", "event"),
    [("schema", {"N": "99"}, "change_newer"), ("job", {"S": "{}"}, "change_unreadable")],
)
def test_lines_about_what_cannot_be_read_name_it_all_the_same(
    cloud: Cloud, attribute: str, value: dict[str, str], event: str
) -> None:
    job = done()
    record = ended(job)
    record["dynamodb"]["NewImage"][attribute] = value
    with logged(announcer.logger) as lines:
        announcer.lambda_handler({"Records": [record]}, Context())
    assert [(line["job_id"], line["tenant"]) for line in lines.of(event)] == [(job.id, "acme")]


def test_lines_about_what_the_sweeper_cannot_do_name_it(cloud: Cloud) -> None:
    job = queued(now=time.time() - 100)
    cloud.store.create(job)
    with refused("dynamodb", "GetItem"), logged(sweeper.logger) as lines:
        sweeper.lambda_handler({}, Context())  # type: ignore[arg-type]  # as much of a context as it looks at
    assert [(line["job_id"], line["tenant"]) for line in lines.of("sweep_broken")] == [(job.id, "acme")]


def test_request_that_fails_names_its_tenant_and_the_next_one_its_own(api: Api, cloud: Cloud) -> None:
    body = {"stream_link": "https://media.example/a.mp4"}
    with logged(create_download.logger) as lines:
        with refused("dynamodb", "TransactWriteItems"):
            api("POST", "/download", json_body=body, tenant="acme")
        api("POST", "/download", json_body=body, tenant="other")
        api("POST", "/download", json_body=body, tenant=None, unavailable=True)
    assert [line["tenant"] for line in lines.of("request_failed") if "tenant" in line] == ["acme"]
    assert len(lines.of("request_failed")) == 2
    assert [line["tenant"] for line in lines.of("job_accepted")] == ["other"]
