"""The whole service on this machine: the engine, the template deployed to it, and the container functions' runtimes."""

import json
import os
import time
import uuid
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Self
from urllib.parse import urlsplit

from infra.local import assembly, processes
from infra.local.deployment import deploy
from infra.local.engine import CREDENTIALS, Engine
from infra.local.processes import ROOT
from infra.local.runtime import RuntimePool

_PROXY = "MINISTACK_LAMBDA_PROXY_URL"  # where the engine sends the events of a function that it cannot run itself
_TRUST = "SSL_CERT_FILE"  # OpenSSL's: which authorities are believed
_INSPECTIONS = 4  # at the same time; on AWS there is no such limit
_FED_BY_QUEUES = ("DownloaderFunctionName", "DeliveryFunctionName")
_ROTATION_STEPS = ("createSecret", "setSecret", "testSecret", "finishSecret")


class ServiceFailed(Exception):
    """A part of the service does not work; the message says which."""


class LocalService:
    """Entered, it runs at `url`, with its state below `directory`.

    `allowed_origins` (HOST:PORT) are let through by the egress guard. `invocation_limit_s` is the downloader's time
    limit in seconds, `None` for the template's. Webhooks are sent to whom our own environment's `SSL_CERT_FILE` trusts.
    """

    def __init__(
        self, *, port: int, directory: Path, allowed_origins: list[str], invocation_limit_s: int | None = None
    ) -> None:
        self.url = f"http://127.0.0.1:{port}"
        self.outputs: dict[str, str] = {}
        self._directory = directory.resolve()
        self._allowed_origins = allowed_origins
        self._invocation_limit_s = invocation_limit_s
        self._engine = Engine(port=port, directory=self._directory)
        self._exits = ExitStack()

    def __enter__(self) -> Self:
        """Start everything. Raises `EngineFailed`, `SynthesisFailed` and `ServiceFailed`, with nothing left running."""
        with ExitStack() as exits:
            made = assembly.ensure()
            exits.enter_context(self._engine)
            self.outputs = deploy(self._engine, made, assembly.STACK)
            self._engine.open_door(urlsplit(self.outputs["ApiUrl"]).netloc.partition(".")[0])
            self._ensure_link_key()
            self._configure_deliveries()
            exits.enter_context(self._start_downloader())
            exits.enter_context(self._start_inspector())
            # First to go: what is queued then waits for the next start.
            exits.callback(self._take_events, enabled=False)
            self._take_events(enabled=True)
            self._exits = exits.pop_all()
        return self

    def __exit__(self, *_: object) -> None:
        self._exits.close()

    def client(self, service: str) -> Any:
        return self._engine.client(service)

    def is_running(self) -> bool:
        return self._engine.is_running()

    def _start_downloader(self) -> RuntimePool:
        name = self.outputs["DownloaderFunctionName"]
        mappings = self._mappings("DownloaderFunctionName")
        return self._start_runtime(
            "downloader",
            name,
            size=sum(mapping["ScalingConfig"]["MaximumConcurrency"] for mapping in mappings),
            limit_s=self._invocation_limit_s,
            env={"AWS_ENDPOINT_URL": self.url, **CREDENTIALS},
        )

    def _start_inspector(self) -> RuntimePool:
        """Without credentials: its role has no rights."""
        return self._start_runtime("inspect_source", self.outputs["InspectFunctionName"], size=_INSPECTIONS)

    def _start_runtime(
        self, folder: str, name: str, *, size: int, limit_s: int | None = None, env: Mapping[str, str] | None = None
    ) -> RuntimePool:
        """The runtime of the container function `name`, to which the engine sends its events from now on."""
        functions = self._engine.client("lambda")
        config = functions.get_function_configuration(FunctionName=name)
        variables = {n: value for n, value in config["Environment"]["Variables"].items() if n != _PROXY}
        pool = RuntimePool(
            folder,
            size=size,
            timeout_s=limit_s or config["Timeout"],
            env=self._runtime_environment(variables, name, config["MemorySize"]) | dict(env or {}),
            directory=self._directory,
        )
        functions.update_function_configuration(
            FunctionName=name, Environment={"Variables": variables | {_PROXY: pool.url}}
        )
        return pool

    def _runtime_environment(self, variables: dict[str, str], name: str, memory_mb: int) -> dict[str, str]:
        ours = {
            "ALLOWED_ORIGINS": self._opened(variables),
            "AWS_LAMBDA_FUNCTION_NAME": name,
            "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(memory_mb),
            "PYTHONPATH": f"{ROOT / 'functions'}:{ROOT / 'layers' / 'core' / 'python'}",
        }
        return processes.plain_environment(**variables | ours)

    def _configure_deliveries(self) -> None:
        """The engine runs this function by itself, so what it may reach is written in its configuration."""
        functions = self._engine.client("lambda")
        name = self.outputs["DeliveryFunctionName"]
        template = functions.get_function_configuration(FunctionName=self.outputs["InspectFunctionName"])["Environment"]
        variables = functions.get_function_configuration(FunctionName=name)["Environment"]["Variables"]
        ours = {"ALLOWED_ORIGINS": self._opened(template["Variables"])}
        ours |= {_TRUST: os.environ[_TRUST]} if _TRUST in os.environ else {}
        kept = {n: value for n, value in variables.items() if n != _TRUST}
        functions.update_function_configuration(FunctionName=name, Environment={"Variables": kept | ours})

    def _opened(self, variables: Mapping[str, str]) -> str:
        """What the egress guard lets through: what the template says, and what was asked for at this start."""
        opened = [variables.get("ALLOWED_ORIGINS", ""), *self._allowed_origins]
        return ",".join(origin for origin in opened if origin)

    def _mappings(self, output: str) -> list[dict[str, Any]]:
        found = self._engine.client("lambda").list_event_source_mappings(FunctionName=self.outputs[output])
        mappings: list[dict[str, Any]] = found["EventSourceMappings"]
        return mappings

    def _take_events(self, *, enabled: bool) -> None:
        """Whether messages go from the queues to the functions that leave this machine."""
        for output in _FED_BY_QUEUES:
            if self._engine.is_running():
                functions = self._engine.client("lambda")
                for mapping in self._mappings(output):
                    functions.update_event_source_mapping(UUID=mapping["UUID"], Enabled=enabled)

    def _ensure_link_key(self) -> None:
        """Have the first key for links made, in the four calls of Secrets Manager; the engine makes none."""
        secret_id = self.outputs["LinkSecretArn"]
        if "access_key_id" in self._secret(secret_id):
            return
        token = str(uuid.uuid4())
        for step in _ROTATION_STEPS:
            event = {"Step": step, "SecretId": secret_id, "ClientRequestToken": token}
            reply = self._engine.client("lambda").invoke(
                FunctionName=self.outputs["RotationFunctionName"], Payload=json.dumps(event)
            )
            if "FunctionError" in reply:
                raise ServiceFailed(f"The key for links could not be made: {step}: {reply['Payload'].read()[:500]!r}")

    def _secret(self, secret_id: str) -> str:
        secrets = self._engine.client("secretsmanager")
        try:
            return str(secrets.get_secret_value(SecretId=secret_id)["SecretString"])
        except secrets.exceptions.ResourceNotFoundException:
            return ""  # made without a value, which only the rotation puts there


def wait_while_running(service: LocalService) -> None:
    """Returns when the engine has ended; a signal ends the wait by its handler's exception."""
    while service.is_running():
        time.sleep(0.5)
