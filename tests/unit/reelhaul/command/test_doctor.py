"""Each look of `reelhaul doctor`, at what is right and at what is wrong. tests/e2e/command has the whole of it."""

import argparse
import json
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path
from typing import Any

import boto3
import pytest

from reelhaul import aws
from reelhaul.client import ServiceInfo
from reelhaul.command import deployment, doctor
from reelhaul.command.findings import Finding, State
from reelhaul.command.settings import OperatorSettings
from tests.conftest import REGION, Cloud
from tests.serving import CONTENT, FAILED, JOB_ID, Said, Server, Storage, error, example, shown
from tests.unit.reelhaul.command.conftest import KEY, Run

SOURCE = "https://media.example/small.mp4"
NOTHING = Said({"success": True, "data": {"downloads": [], "total": 0, "next_token": None}})


@pytest.fixture
def sound(server: Server) -> Server:
    """A service in which all is well."""
    server.tell_of_service()
    server.tell("GET /download", NOTHING)
    server.tell("POST /download", Said(example("POST /download", "a file under a name")))
    server.tell(f"GET /async-response/{JOB_ID}", Said(example("GET /async-response/{id}", "done")))
    server.tell_of_file(Storage())
    server.tell(f"DELETE /download/{JOB_ID}", Said(example("DELETE /download/{id}", "removed")))
    return server


def states(out: str) -> dict[str, str]:
    found = [json.loads(line) for line in out.splitlines()]
    return {finding["what"]: finding["state"] for finding in found}


def advice(out: str, what: str) -> str:
    found = [json.loads(line) for line in out.splitlines()]
    return str(next(finding["advice"] for finding in found if finding["what"] == what))


def test_everything_that_is_well_is_a_line_each(run: Run, sound: Server) -> None:
    code, out, _ = run("doctor", "--source", SOURCE)
    assert code == 0
    lines = out.splitlines()
    assert [line.split()[:2] for line in lines] == [
        ["ok", "config"], ["ok", "service"], ["ok", "clock"], ["ok", "key"], ["ok", "download"],
        ["skipped", "deployment"],
    ]  # fmt: skip


def test_tried_download_is_compared_and_deleted_again(run: Run, sound: Server, here: Path) -> None:
    out = run("doctor", "--source", SOURCE, "--json")[1]
    assert states(out)["download"] == "ok"
    assert sound.paths()[-1] == f"DELETE /download/{JOB_ID}"
    assert list(here.iterdir()) == []


def test_source_that_fails_is_said_with_its_reason_and_deleted_again(run: Run, sound: Server) -> None:
    sound.tell(f"GET /download/{JOB_ID}", shown(FAILED, error_code="source.unsupported"))
    code, out, _ = run("doctor", "--source", SOURCE, "--json")
    assert code == 1
    assert states(out)["download"] == "wrong"
    assert "video's own page" in advice(out, "download")
    assert sound.paths()[-1] == f"DELETE /download/{JOB_ID}"


def test_file_that_is_changed_on_its_way_is_wrong(run: Run, sound: Server) -> None:
    sound.tell("GET /file", Storage(b"x" * len(CONTENT)))
    code, out, _ = run("doctor", "--source", SOURCE, "--json")
    assert (code, states(out)["download"]) == (1, "wrong")


def test_without_a_service_it_is_said_how_to_log_in(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("REELHAUL_URL")
    code, out, _ = run("doctor", "--json")
    assert code == 1
    assert "Log in once with `reelhaul login`" in out
    assert states(out)["key"] == "skipped"


def test_address_that_is_none_is_wrong(run: Run) -> None:
    out = run("doctor", "--url", "reelhaul.example", "--json")[1]
    assert states(out)["config"] == "wrong"
    assert advice(out, "config") == "Log in: reelhaul login"


def test_file_that_others_may_read_is_wrong(
    run: Run, sound: Server, here: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("REELHAUL_URL", "REELHAUL_KEY"):
        monkeypatch.delenv(name)
    file = here.parent / ".config" / "reelhaul" / "config.toml"
    file.parent.mkdir(parents=True)
    file.write_text(f'[service]\nurl = "{sound.url}"\nkey = "{KEY}"\n')
    file.chmod(0o644)
    out = run("doctor", "--json")[1]
    assert advice(out, "config") == f"chmod 600 {file}"
    file.chmod(0o600)
    assert states(run("doctor", "--json")[1])["config"] == "ok"


def test_service_that_is_down_on_this_machine_is_to_be_started(run: Run) -> None:
    out = run("doctor", "--url", "http://127.0.0.1:9", "--key", KEY, "--json")[1]
    assert states(out)["service"] == "wrong"
    assert advice(out, "service") == "Start it: reelhaul serve"
    assert states(out)["download"] == "skipped"


@pytest.mark.parametrize(
    "said", [Said(b"<html></html>"), Said({"info": {"title": "Petstore"}}), error(500, "internal")]
)
def test_server_that_is_none_of_ours_is_wrong(run: Run, sound: Server, said: Said) -> None:
    sound.tell("GET /openapi.json", said)
    out = run("doctor", "--json")[1]
    assert states(out)["service"] == "wrong"
    assert sound.asked
    assert not any("x-access-token" in asked.headers for asked in sound.asked)


def test_proxy_that_cannot_be_used_is_said(run: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ALL_PROXY", "gopher://127.0.0.1:70")
    code, out, _ = run("doctor", "--json")
    assert (code, states(out)["service"]) == (1, "wrong")
    assert "HTTPS_PROXY" in out


def test_key_of_another_service_is_wrong(run: Run, sound: Server) -> None:
    sound.tell("GET /download", error(401, "auth.unauthorized"))
    out = run("doctor", "--source", SOURCE, "--json")[1]
    assert states(out)["key"] == "wrong"
    assert "reelhaul keys create" in advice(out, "key")
    assert states(out)["download"] == "skipped"


@pytest.mark.parametrize(
    ("off_s", "state"),
    [(None, State.SKIPPED), (0.4, State.OK), (-59.0, State.OK), (61.0, State.WRONG), (-4000.0, State.WRONG)],
)
def test_clock_is_compared_with_the_services(off_s: float | None, state: State) -> None:
    found = doctor.clock(ServiceInfo(version="1", clock_off_s=off_s))
    assert found.state is state
    if state is State.WRONG and off_s:
        assert ("ahead of" if off_s > 0 else "behind") in found.text


def test_clock_that_is_off_is_seen_in_the_reply(run: Run, sound: Server) -> None:
    sound.tell_of_service(Date=format_datetime(datetime.now(UTC) + timedelta(hours=2), usegmt=True))
    assert states(run("doctor", "--json")[1])["clock"] == "wrong"


# --- the deployment ---------------------------------------------------------------------------------------------------


@pytest.fixture
def stack(cloud: Cloud) -> str:
    """A stack in moto that says of itself what ours does. Its worker listens to its queue."""
    said = {
        "QueueUrl": cloud.queue_url, "ExpressQueueUrl": cloud.express_queue_url, "DownloaderFunctionName": "worker",
        "DeadLetterQueueUrl": _queue("dead"), "AnnouncerDeadLetterQueueUrl": _queue("dead-a"),
        "WebhookDeadLetterQueueUrl": _queue("dead-w"),
    }  # fmt: skip
    outputs = {name: {"Value": value} for name, value in said.items()}
    template = {"Resources": {"Some": {"Type": "AWS::SQS::Queue"}}, "Outputs": outputs}
    boto3.client("cloudformation").create_stack(StackName="Reelhaul-test", TemplateBody=json.dumps(template))
    return "Reelhaul-test"


def _queue(name: str) -> str:
    return str(aws.client("sqs").create_queue(QueueName=name)["QueueUrl"])


def looked(stack: str) -> dict[str, Finding]:
    return {finding.what: finding for finding in deployment.examined(_options(stack))}


def _options(stack: str) -> argparse.Namespace:
    return argparse.Namespace(stack=stack, local=None, operator=OperatorSettings(aws_region=REGION))


def test_stack_that_stands_is_said_with_what_waits(stack: str, cloud: Cloud) -> None:
    aws.client("sqs").send_message(QueueUrl=cloud.queue_url, MessageBody="job")
    found = looked(stack)
    assert found["credentials"].state is found["stack"].state is found["queue"].state is State.OK
    assert found["queue"].text == "1 messages wait, 0 are worked on"
    assert found["dead letters"].state is State.OK


def test_dead_letters_are_wrong(stack: str) -> None:
    aws.client("sqs").send_message(QueueUrl=_queue("dead-w"), MessageBody="webhook")
    found = looked(stack)["dead letters"]
    assert found.state is State.WRONG
    assert found.text == "1 in WebhookDeadLetter"


def test_stack_of_something_else_is_wrong(cloud: Cloud) -> None:
    template = {"Resources": {"Some": {"Type": "AWS::SQS::Queue"}}}
    boto3.client("cloudformation").create_stack(StackName="Other", TemplateBody=json.dumps(template))
    found = [finding for finding in deployment.examined(_options("Other")) if finding.state is State.WRONG]
    assert [finding.what for finding in found] == ["stack"]
    assert "QueueUrl" in found[0].text


def test_local_deployment_without_a_scheme_is_a_mistake_of_writing(run: Run) -> None:
    code, _, err = run("doctor", "--local", "127.0.0.1:8787")
    assert code == 2
    assert "it looks like http://127.0.0.1:8787" in err


def test_local_deployment_without_a_host_is_wrong(run: Run, sound: Server) -> None:
    code, out, _ = run("doctor", "--local", "http://", "--json")
    assert (code, states(out)["credentials"]) == (1, "wrong")


def test_stack_that_is_not_there_is_wrong(cloud: Cloud) -> None:
    found = looked("Reelhaul-nowhere")
    assert found["stack"].state is State.WRONG
    assert "Reelhaul-nowhere" in found["stack"].text
    assert "queue" not in found


@pytest.mark.parametrize(
    ("status", "state"),
    [("CREATE_COMPLETE", State.OK), ("UPDATE_COMPLETE", State.OK), ("UPDATE_ROLLBACK_COMPLETE", State.WRONG),
     ("UPDATE_IN_PROGRESS", State.WRONG), ("DELETE_COMPLETE", State.WRONG), ("CREATE_FAILED", State.WRONG)],
)  # fmt: skip
def test_state_of_the_stack_is_judged(status: str, state: State) -> None:
    place: Any = argparse.Namespace(stack="Reelhaul-test", status=status)
    assert deployment.stack(place).state is state


def test_worker_that_is_not_there_is_wrong(stack: str) -> None:
    assert looked(stack)["worker"].state is State.WRONG


def test_missing_credentials_are_wrong(stack: str, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"):
        monkeypatch.delenv(name)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    monkeypatch.setenv("AWS_SHARED_CREDENTIALS_FILE", "/dev/null")
    monkeypatch.setattr("boto3.DEFAULT_SESSION", None)  # which has found some before
    found = looked(stack)
    assert found["credentials"].state is State.WRONG
    assert "AWS_PROFILE" in str(found["credentials"].advice)
    assert "stack" not in found
