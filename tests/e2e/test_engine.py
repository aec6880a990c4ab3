"""What the embedded engine has to do as AWS does, so that the service can be relied on to run on it."""

import io
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.engine import Engine
from infra.local.processes import free_ports
from tests.e2e.running import KEY, Client, Service, request, until
from tests.media import SourceServer

pytestmark = pytest.mark.e2e

# Notes each batch, and reports the item "poison" as failed while there is a file that says so.
_FUNCTION = """
import json, os
def handler(event, context):
    changes = [record["dynamodb"] for record in event["Records"]]
    keys = [change["Keys"]["sk"]["S"] for change in changes]
    with open(os.environ["NOTES"], "a") as notes:
        notes.write(json.dumps(keys) + "\\n")
    failing = "poison" in keys and os.path.exists(os.environ["POISONED"])
    failed = [change["SequenceNumber"] for change in changes if change["Keys"]["sk"]["S"] == "poison"]
    return {"batchItemFailures": [{"itemIdentifier": number} for number in failed] if failing else []}
"""


class Lab:
    """An engine with a table, its stream, a function that reads it, and a bus that leads to a queue."""

    def __init__(self, directory: Path) -> None:
        self._notes, self._poisoned = directory / "notes", directory / "poisoned"
        self._notes.touch()
        self._data = directory / "engine"
        self.engine = self.start()
        self._deploy()

    def start(self) -> Engine:
        self.engine = Engine(port=free_ports(1)[0], directory=self._data).__enter__()
        return self.engine

    def _deploy(self) -> None:
        archive = io.BytesIO()
        with zipfile.ZipFile(archive, "w") as file:
            file.writestr("function.py", _FUNCTION)
        s3, stacks = self.engine.client("s3"), self.engine.client("cloudformation")
        s3.create_bucket(Bucket="code")
        s3.put_object(Bucket="code", Key="zip", Body=archive.getvalue())
        environment = {"NOTES": str(self._notes), "POISONED": str(self._poisoned)}
        stacks.create_stack(StackName="lab", TemplateBody=json.dumps(_template(environment)))
        stacks.get_waiter("stack_create_complete").wait(StackName="lab", WaiterConfig={"Delay": 1})
        outputs = stacks.describe_stacks(StackName="lab")["Stacks"][0]["Outputs"]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in outputs}

    def poison(self, *, on: bool) -> None:
        if on:
            self._poisoned.touch()
        else:
            self._poisoned.unlink()

    def end(self, *keys: str) -> None:
        """Write items and end them, as jobs end."""
        for key in keys:
            for state in ("RUNNING", "DONE"):
                item = {"pk": {"S": "TENANT#acme"}, "sk": {"S": key}, "state": {"S": state}}
                self.engine.client("dynamodb").put_item(TableName=self.outputs["Table"], Item=item)

    @property
    def batches(self) -> list[list[str]]:
        return [json.loads(line) for line in self._notes.read_text().splitlines()]


def _template(environment: dict[str, str]) -> dict[str, Any]:
    keys = {"pk": "HASH", "sk": "RANGE"}
    pattern = {"dynamodb": {"OldImage": {"state": {"S": ["RUNNING"]}}, "NewImage": {"state": {"S": ["DONE"]}}}}
    properties: dict[str, tuple[str, dict[str, Any]]] = {
        "Table": ("DynamoDB::GlobalTable", {
            "AttributeDefinitions": [{"AttributeName": name, "AttributeType": "S"} for name in keys],
            "KeySchema": [{"AttributeName": name, "KeyType": kind} for name, kind in keys.items()],
            "BillingMode": "PAY_PER_REQUEST",
            "StreamSpecification": {"StreamViewType": "NEW_AND_OLD_IMAGES"},
            "Replicas": [{"Region": {"Ref": "AWS::Region"}}],
        }),
        "Role": ("IAM::Role", {"AssumeRolePolicyDocument": {"Statement": []}}),
        "Function": ("Lambda::Function", {
            "Code": {"S3Bucket": "code", "S3Key": "zip"},
            "Handler": "function.handler",
            "Runtime": "python3.13",
            "Role": {"Fn::GetAtt": ["Role", "Arn"]},
            "Environment": {"Variables": environment},
        }),
        "Mapping": ("Lambda::EventSourceMapping", {
            "EventSourceArn": {"Fn::GetAtt": ["Table", "StreamArn"]},
            "FunctionName": {"Ref": "Function"},
            "StartingPosition": "TRIM_HORIZON",
            "FunctionResponseTypes": ["ReportBatchItemFailures"],
            "FilterCriteria": {"Filters": [{"Pattern": json.dumps(pattern)}]},
        }),
        "Queue": ("SQS::Queue", {}),
        "Bus": ("Events::EventBus", {"Name": "bus"}),
        "Rule": ("Events::Rule", {
            "EventBusName": {"Ref": "Bus"},
            "EventPattern": {"source": ["reelhaul"]},
            "Targets": [{"Id": "queue", "Arn": {"Fn::GetAtt": ["Queue", "Arn"]}}],
        }),
    }  # fmt: skip
    resources = {name: {"Type": f"AWS::{kind}", "Properties": values} for name, (kind, values) in properties.items()}
    return {"Resources": resources, "Outputs": {name: {"Value": {"Ref": name}} for name in ("Table", "Queue")}}


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[Lab]:
    lab = Lab(tmp_path)
    try:
        yield lab
    finally:
        lab.engine.__exit__()


def _seen(lab: Lab, *keys: str) -> Callable[[], set[str]]:
    return lambda: set(keys) & {key for batch in lab.batches for key in batch}


def test_changes_that_nobody_took_are_taken_after_a_restart_and_new_ones_too(lab: Lab) -> None:
    lab.end("first")
    until(_seen(lab, "first"), bool, within_s=30)
    lab.poison(on=True)
    lab.end("poison", "late")
    until(lambda: lab.batches[-1][0], lambda key: key == "poison", within_s=30)
    lab.engine.__exit__()
    before = len(lab.batches)
    lab.poison(on=False)

    lab.start()
    until(lambda: {key for batch in lab.batches[before:] for key in batch}, {"poison", "late"}.issubset, within_s=30)

    lab.end("new")
    until(_seen(lab, "new"), bool, within_s=30)


def test_changes_from_the_failed_one_on_come_again_in_order_and_no_others(lab: Lab) -> None:
    lab.poison(on=True)
    lab.end("first", "poison", "last")
    until(lambda: [batch for batch in lab.batches if batch[0] == "poison"], lambda found: len(found) > 1, within_s=30)
    before = len(lab.batches)

    lab.poison(on=False)

    until(lambda: [key for batch in lab.batches[before:] for key in batch], lambda keys: "last" in keys, within_s=30)
    assert lab.batches[before][0] == "poison"
    assert sum("first" in batch for batch in lab.batches) == 1


def test_message_that_was_held_when_the_engine_ended_is_there_at_once_after_the_next_start(lab: Lab) -> None:
    queues = lab.engine.client("sqs")
    queues.send_message(QueueUrl=lab.outputs["Queue"], MessageBody="held")
    assert "Messages" in queues.receive_message(QueueUrl=lab.outputs["Queue"], VisibilityTimeout=600)
    assert "Messages" not in queues.receive_message(QueueUrl=lab.outputs["Queue"])
    lab.engine.__exit__()

    lab.start()

    reply = lab.engine.client("sqs").receive_message(QueueUrl=lab.outputs["Queue"], WaitTimeSeconds=5)
    assert [message["Body"] for message in reply["Messages"]] == ["held"]


def test_event_on_the_bus_comes_to_a_queue_whose_rule_asks_for_it(lab: Lab) -> None:
    entry = {"Source": "reelhaul", "DetailType": "download.completed", "Detail": '{"id": "1"}', "EventBusName": "bus"}
    assert lab.engine.client("events").put_events(Entries=[entry])["FailedEntryCount"] == 0

    reply = lab.engine.client("sqs").receive_message(QueueUrl=lab.outputs["Queue"], WaitTimeSeconds=5)
    event = json.loads(reply["Messages"][0]["Body"])
    assert (event["detail-type"], event["detail"]) == ("download.completed", {"id": "1"})


# --- the front door --------------------------------------------------------------------------------------------------

_PAGE = {"Origin": "https://page.test"}


def test_preflight_for_the_api_is_answered_without_a_key(service: Service) -> None:
    asked = {"Access-Control-Request-Method": "POST", "Access-Control-Request-Headers": "x-access-token,content-type"}

    reply = request("OPTIONS", f"{service.url}/download", headers=_PAGE | asked)

    assert reply.status == 204
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert {"x-access-token", "authorization"} <= set(reply.headers["Access-Control-Allow-Headers"].split(","))
    assert "content-disposition" in request("GET", f"{service.url}/health", headers=_PAGE).headers[
        "Access-Control-Expose-Headers"
    ].split(",")


def test_link_works_for_clients_that_carry_their_key_along(client: Client, source: SourceServer) -> None:
    job = client.ended(client.create(source.url("clip.mp4")))

    reply = request("GET", job["download_url"], headers={"Authorization": f"Bearer {KEY}"})

    assert reply.status == 200
    assert reply.body == (source.directory / "clip.mp4").read_bytes()


def test_link_tells_web_pages_what_the_bucket_allows(client: Client, source: SourceServer) -> None:
    link = client.ended(client.create(source.url("clip.mp4")))["download_url"]
    asked = {"Access-Control-Request-Headers": "authorization,x-access-token"}

    allowed = request("OPTIONS", link, headers=_PAGE | asked | {"Access-Control-Request-Method": "GET"})
    refused = request("OPTIONS", link, headers=_PAGE | asked | {"Access-Control-Request-Method": "PUT"})
    fetched = request("GET", link, headers=_PAGE)

    assert (allowed.status, refused.status, fetched.status) == (200, 403, 200)
    assert allowed.headers["Access-Control-Allow-Headers"] == "authorization, x-access-token"
    assert "Content-Disposition" in fetched.headers["Access-Control-Expose-Headers"]
