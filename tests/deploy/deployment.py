"""The template in an account: deployed by the CDK's command line to the embedded engine, which does as AWS does."""

import functools
import json
import os
import platform
import subprocess
import sys
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import boto3
from botocore.config import Config

from infra.local.engine import REGION, Engine, Secured
from infra.local.processes import free_ports
from reelhaul.links import AccessKey
from tests.authority import Authority
from tests.containers import base, engine
from tests.deploy import account, containers
from tests.deploy.calling import DeployedClient
from tests.deploy.cdk import Cdk
from tests.e2e.running import REELHAUL, ROOT

ACCOUNT = "000000000000"  # the engine's
STAGE = "test"
STACK = f"Reelhaul-{STAGE}"
WORKER_MEMORY_MB, WORKER_TMP_MB = 1536, 512
_AWS_REGISTRY = f"{ACCOUNT}.dkr.ecr.{REGION}.amazonaws.com"
_ROTATION_STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")
_MACHINE = platform.machine()


def allowed(*actions: str, on: str) -> dict[str, object]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": on}


class Deployment:
    """An account on `engine`, of which all parties know `authority`: first empty, then with the stack in it."""

    def __init__(self, running: Engine, authority: Authority, directory: Path, registry: str) -> None:
        self.roots = authority.roots
        self.outputs: dict[str, str] = {}
        self.before: dict[str, list[str]] = {}
        self._engine = running
        self._directory = directory
        self._registry = registry
        # Everybody's requests are signed and checked: the root's, who needs no rights, are for these two only.
        self._administrator = self.add_user("administrator", allowed("*", on="*"))
        self.operator = self.add_user("operator")
        self.cdk: Cdk | None = None

    # --- who ---------------------------------------------------------------------------------------------------------

    def add_user(self, name: str, *statements: Mapping[str, object]) -> AccessKey:
        iam = self._engine.client("iam")
        iam.create_user(UserName=name)
        if statements:
            self.allow(name, *statements)
        made = iam.create_access_key(UserName=name)["AccessKey"]
        return AccessKey(made["AccessKeyId"], made["SecretAccessKey"])

    def allow(self, user: str, *statements: Mapping[str, object]) -> None:
        policy = json.dumps({"Version": "2012-10-17", "Statement": statements})
        self._engine.client("iam").put_user_policy(UserName=user, PolicyName="allowed", PolicyDocument=policy)

    def client(self, service: str, key: AccessKey | None = None, *, token: str | None = None) -> Any:
        """A boto3 client with an access key, the administrator's unless another is given."""
        used = key or self._administrator
        return boto3.client(  # type: ignore[call-overload]  # stubs: literal names only
            service,
            endpoint_url=self._engine.url,
            region_name=REGION,
            aws_access_key_id=used.id,
            aws_secret_access_key=used.secret,
            aws_session_token=token,
            verify=str(self.roots),
            config=Config(retries={"mode": "standard", "max_attempts": 2}, read_timeout=150),
        )

    def environment(self, key: AccessKey | None = None) -> dict[str, str]:
        """For a program of an operator: AWS is here, and trusted."""
        used = key or self._administrator
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AWS_")}
        trusting = ("AWS_CA_BUNDLE", "NODE_EXTRA_CA_CERTS", "SSL_CERT_FILE")
        return kept | {
            "AWS_ENDPOINT_URL": self._engine.url,
            "AWS_REGION": REGION,
            "AWS_DEFAULT_REGION": REGION,
            "AWS_ACCESS_KEY_ID": used.id,
            "AWS_SECRET_ACCESS_KEY": used.secret,
            "AWS_EC2_METADATA_DISABLED": "true",
            "CDK_DOCKER": str(ROOT / "tests" / "containers" / "docker"),
            "CONTAINERS_REGISTRY": self._registry,
            **dict.fromkeys(trusting, str(self.roots)),
        }

    # --- the stack ---------------------------------------------------------------------------------------------------

    def deploy(self, *, allowed_origins: list[str]) -> None:
        """Bootstrap and deploy. Raises `CdkFailed`."""
        context = {
            "stage": STAGE,
            "architecture": {"x86_64": "x86_64", "aarch64": "arm64"}[_MACHINE],
            "base_image": base.ensure_base(),
            "removal_policy": "destroy",
            "allowed_origins": ",".join(allowed_origins),
            "worker_concurrency": "2",
            "worker_memory_mb": str(WORKER_MEMORY_MB),
            "worker_tmp_mb": str(WORKER_TMP_MB),
            "worker_timeout_s": "120",
            # The engine runs zip functions with its own interpreter, which is this one's kind.
            "layer_python": f"{sys.version_info.major}.{sys.version_info.minor}",
            "layer_platform": f"{_MACHINE}-manylinux2014",
        }
        self.cdk = Cdk(
            env=self.environment(),
            context=context,
            assembly=self._directory / "cdk.out",
            log=self._directory / "cdk.log",
        )
        self.cdk.synthesise()
        self.cdk.bootstrap(ACCOUNT, REGION)
        self.before = account.inventory(self.client)
        self.cdk.deploy()
        found = self.client("cloudformation").describe_stacks(StackName=STACK)["Stacks"][0]
        self.outputs = {output["OutputKey"]: output["OutputValue"] for output in found["Outputs"]}
        containers.forget_images(but=self.image()[1])
        self.allow("operator", *self._key_rights())
        self.rotate_link_key()

    def _key_rights(self) -> list[dict[str, object]]:
        """All that `reelhaul keys create` takes."""
        table = f"arn:aws:dynamodb:{REGION}:{ACCOUNT}:table/{self.outputs['TableName']}"
        stack = f"arn:aws:cloudformation:{REGION}:{ACCOUNT}:stack/{STACK}/*"
        return [
            allowed("cloudformation:DescribeStacks", on=stack),
            allowed("secretsmanager:GetSecretValue", on=self.outputs["PepperSecretArn"]),
            allowed("dynamodb:GetItem", "dynamodb:PutItem", on=table),
        ]

    def rotate_link_key(self) -> None:
        """The four calls of Secrets Manager, which the engine does not make."""
        event = {"SecretId": self.outputs["LinkSecretArn"], "ClientRequestToken": str(uuid.uuid4())}
        for step in _ROTATION_STEPS:
            self.invoke(self.outputs["RotationFunctionName"], event | {"Step": step})

    def invoke(self, function: str, event: Mapping[str, object]) -> Any:
        """What the function returns. An assertion fails if it raises."""
        reply = self.client("lambda").invoke(FunctionName=function, Payload=json.dumps(event))
        result = reply["Payload"].read()
        assert "FunctionError" not in reply, result
        return json.loads(result)

    def function(self, folder: str) -> str:
        """The name of the zip function in `functions/<folder>`; of the others the outputs tell."""
        wanted = f"{STACK}-Functions{''.join(word.capitalize() for word in folder.split('_'))}Function"
        listed = self.client("lambda").list_functions()["Functions"]
        (name,) = (found["FunctionName"] for found in listed if found["FunctionName"].startswith(wanted))
        return str(name)

    def image(self) -> tuple[str, str]:
        """The repository and the tag of what the worker runs."""
        function = self.client("lambda").get_function(FunctionName=self.outputs["DownloaderFunctionName"])
        repository, _, tag = function["Code"]["ImageUri"].rpartition("/")[2].partition(":")
        return repository, tag

    def link_key(self) -> AccessKey:
        """What links are signed with at the moment."""
        secret = self.client("secretsmanager").get_secret_value(SecretId=self.outputs["LinkSecretArn"])
        return AccessKey.from_secret(secret["SecretString"])

    # --- the service -------------------------------------------------------------------------------------------------

    def create_key(self, tenant: str) -> str:
        """An access key, as an operator has it made."""
        command = [REELHAUL, "keys", "create", "--tenant", tenant, "--stack", STACK]
        environment = self.environment(self.operator)
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    @functools.cached_property
    def acme(self) -> DeployedClient:
        """A client with a key of the tenant acme."""
        return self.caller(self.create_key("acme"))

    def caller(self, key: str | None) -> DeployedClient:
        return DeployedClient(self.outputs["ApiUrl"], key, roots=self.roots)

    def webhook_secret(self, tenant: str) -> str:
        """What a tenant's receivers verify webhooks with."""
        command = [REELHAUL, "webhooks", "secret", "--tenant", tenant, "--stack", STACK]
        environment = self.environment()
        done = subprocess.run(command, env=environment, capture_output=True, text=True, timeout=120, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout.strip()

    def objects(self, job_id: str = "") -> list[str]:
        """The keys of what is stored for a job, or for all."""
        listed = self.client("s3").list_objects_v2(Bucket=self.outputs["BucketName"])
        return [found["Key"] for found in listed.get("Contents", []) if job_id in found["Key"]]


@contextmanager
def empty_account(directory: Path, authority: Authority) -> Iterator[Deployment]:
    """An account with nothing in it but its users. Nothing runs any more when the block is left."""
    port = free_ports(1)[0]
    registry = f"127.0.0.1:{port}"
    with ExitStack() as exits:
        exits.enter_context(engine.lock("deployment"))  # one at a time: the storage of containers is shared
        docker = exits.enter_context(
            containers.service(directory, registry=registry, aws_registry=_AWS_REGISTRY, roots=authority.roots)
        )
        secured = Secured(
            certificate=authority.certificate, key=authority.key, roots=authority.roots, docker_host=docker
        )
        running = exits.enter_context(Engine(port=port, directory=directory / "engine", secured=secured))
        yield Deployment(running, authority, directory, registry)


def ensure_base(seconds: dict[str, float]) -> None:
    """The image that the Dockerfile builds on; `seconds` tells how long that took, as `base`."""
    started = time.monotonic()
    base.ensure_base()
    seconds["base"] = time.monotonic() - started
