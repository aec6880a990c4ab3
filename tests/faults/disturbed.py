"""`reelhaul serve` whose functions reach AWS through a `FaultProxy`, as an operator may tell functions where AWS is."""

import json
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from infra.local import assembly
from infra.local.engine import CREDENTIALS, REGION
from infra.local.processes import free_ports
from tests.e2e.running import Client, Service, serve
from tests.faults.proxy import FaultProxy
from tests.faults.workers import Workers

# The functions whose calls go through the proxy. boto3 reads a service's own address before the common one.
DISTURBED = ("downloader", "create_download", "delete_download", "retry_download", "sweeper", "dead_letters")
_SERVICES = ("S3", "DYNAMODB", "SQS")
_STARTS = 5
_WORKERS = 6  # at once; fewer than the template's, for two cores
_VISIBILITY_S = 40  # of a message whose worker died; the template's 16 minutes would be waited for in every test


class Disturbed:
    """The running service, and what an operator sees of it: `outputs`, AWS clients, functions that can be invoked."""

    def __init__(self, service: Service, proxy: FaultProxy, workers: Workers) -> None:
        self.service, self.proxy, self.workers = service, proxy, workers
        stack = aws(service.url, "cloudformation").describe_stacks(StackName=assembly.STACK)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in stack["Outputs"]}
        self.table = self.outputs["TableName"]
        self.bucket = self.outputs["BucketName"]
        self.workers_at_once = _WORKERS

    @property
    def client(self) -> Client:
        return self.service.client()

    def aws(self, name: str) -> Any:
        return aws(self.service.url, name)

    def sweep(self) -> dict[str, int]:
        """A pass of the sweeper, beside those that the schedule makes. What it has done."""
        function = functions(self.service.url)["sweeper"]
        reply = self.aws("lambda").invoke(FunctionName=function, Payload=b"{}")
        done: dict[str, int] = json.loads(reply["Payload"].read())
        return done

    def send(self, body: str, queue: str = "QueueUrl") -> None:
        """Put a message of ours into one of the queues."""
        self.aws("sqs").send_message(QueueUrl=self.outputs[queue], MessageBody=body)

    def record(self, job_id: str, tenant: str = "local") -> dict[str, Any]:
        """The job as the table has it, empty when there is none."""
        key = {"pk": {"S": f"TENANT#{tenant}"}, "sk": {"S": job_id}}
        item = self.aws("dynamodb").get_item(TableName=self.table, Key=key, ConsistentRead=True).get("Item")
        return dict(json.loads(item["job"]["S"])) if item else {}


@contextmanager
def disturbed(data: Path, *options: str, **proxy_options: Any) -> Iterator[Disturbed]:
    """Deployed, then configured as an operator does it, then started again: workers read that at their start."""
    port = free_ports(1)[0]
    workers = Workers(data)
    with FaultProxy(port, claimed=workers.claimed, **proxy_options) as proxy:
        for _ in range(_STARTS):  # an engine that is not given the time to write its state forgets what it was told
            with ExitStack() as exits:
                try:
                    service = exits.enter_context(serve(data, *options, port=port))
                except AssertionError:  # it did not start in its time: a busy machine
                    continue
                if _is_configured(service.url, proxy):
                    yield Disturbed(service, proxy, workers)
                    return
                _configure(service.url, proxy)
    raise AssertionError("the functions were told where AWS is, and do not know it after a start")


def aws(url: str, name: str) -> Any:
    """A client of the engine's own door, past the proxy."""
    return boto3.client(  # type: ignore[call-overload]  # stubs: literal names only
        name, endpoint_url=url, region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"], aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
        config=Config(s3={"addressing_style": "path"}, retries={"mode": "standard", "max_attempts": 3}),
    )  # fmt: skip


def functions(url: str) -> dict[str, str]:
    """The names of the deployed functions by their folder."""
    client = aws(url, "lambda")
    outputs = aws(url, "cloudformation").describe_stacks(StackName=assembly.STACK)["Stacks"][0]["Outputs"]
    worker = next(output["OutputValue"] for output in outputs if output["OutputKey"] == "DownloaderFunctionName")
    found = {
        function["Handler"].partition(".")[0]: function["FunctionName"]
        for page in client.get_paginator("list_functions").paginate()
        for function in page["Functions"]
        if function.get("Handler")
    }
    return found | {"downloader": worker}


def _is_configured(url: str, proxy: FaultProxy) -> bool:
    name = functions(url)["downloader"]
    variables = aws(url, "lambda").get_function_configuration(FunctionName=name)["Environment"]["Variables"]
    return str(variables.get("AWS_ENDPOINT_URL_S3")) == proxy.address_for("downloader")


def _configure(url: str, proxy: FaultProxy) -> None:
    client, named = aws(url, "lambda"), functions(url)
    for folder in DISTURBED:
        config = client.get_function_configuration(FunctionName=named[folder])
        addresses = {f"AWS_ENDPOINT_URL_{service}": proxy.address_for(folder) for service in _SERVICES}
        variables = config["Environment"]["Variables"] | addresses
        client.update_function_configuration(FunctionName=named[folder], Environment={"Variables": variables})
    for mapping in client.list_event_source_mappings(FunctionName=named["downloader"])["EventSourceMappings"]:
        queue = aws(url, "sqs").get_queue_url(QueueName=mapping["EventSourceArn"].rpartition(":")[2])["QueueUrl"]
        aws(url, "sqs").set_queue_attributes(QueueUrl=queue, Attributes={"VisibilityTimeout": str(_VISIBILITY_S)})
        most = min(_WORKERS, mapping["ScalingConfig"]["MaximumConcurrency"])  # the express lane has fewer
        client.update_event_source_mapping(UUID=mapping["UUID"], ScalingConfig={"MaximumConcurrency": most})
