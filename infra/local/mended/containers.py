"""Container functions of the engine, run as Lambda runs them: from the registry, small, read-only, as another user.

ministack 1.5.33 runs an image as it is, with all of its rights and memory, and expects the runtime interface emulator
to be in it. Lambda promises less and brings its own runtime interface; so does this.

Containers share the network of this machine: each emulator listens on a loopback port of its own, and the function
finds the engine where everybody else does.
"""
# ruff: noqa: SLF001 - who mends the engine has to reach into it

import os
from typing import Any

from ministack.core import container_reaper
from ministack.core.lambda_runtime import execution_credentials
from ministack.core.responses import get_region, new_uuid
from ministack.services import lambda_svc

from infra.local import processes, runtime

_EMULATOR = "/usr/local/bin/aws-lambda-rie"
_ROOTS = "/etc/reelhaul-roots.pem"
_TRUSTING = ("AWS_CA_BUNDLE", "REQUESTS_CA_BUNDLE", "SSL_CERT_FILE")
_USER = "993:990"  # what Lambda has been seen to use; nothing may depend on it
_NOT_WRITABLE = ("/dev/mqueue", "/dev/shm", "/run", "/var/tmp")  # noqa: S108 - of the container, as the other one below
_LEAST_TMP_MB = 512  # what a function has without asking for more


def install() -> None:
    """Run container functions so, and let the engine's others be."""
    spawn = lambda_svc._spawn_lambda_container

    def spawn_as_lambda(config: dict[str, Any], code_zip: bytes | None, _pin_platform: bool = True) -> tuple[Any, Any]:  # noqa: FBT001, FBT002 - as it is called
        return (
            (_start(config), None) if config.get("PackageType") == "Image" else spawn(config, code_zip, _pin_platform)
        )

    lambda_svc._spawn_lambda_container = spawn_as_lambda


class _Reachable:
    """A container as the engine uses it, which finds the emulator behind what docker publishes as port 8080."""

    def __init__(self, container: Any, port: int) -> None:
        self._container = container
        self.ports = {"8080/tcp": [{"HostPort": str(port)}]}

    def __getattr__(self, name: str) -> Any:
        return getattr(self._container, name)


def _start(config: dict[str, Any]) -> _Reachable:
    """A container of the function's image, started. Raises `docker.errors.APIError`."""
    client = lambda_svc._get_docker_client()
    if client is None:
        raise RuntimeError("nothing runs containers here")
    image = client.images.pull(*_named(config["ImageUri"]))
    own = (config.get("ImageConfigResponse") or {}).get("ImageConfig") or config.get("ImageConfig") or {}
    invoked_at, runtime_at = processes.free_ports(2)
    emulator = [
        _EMULATOR,
        "--runtime-interface-emulator-address", f"127.0.0.1:{invoked_at}",
        "--runtime-api-address", f"127.0.0.1:{runtime_at}",
    ]  # fmt: skip
    entrypoint = own.get("EntryPoint") or image.attrs["Config"].get("Entrypoint") or []
    container = client.containers.run(
        image=config["ImageUri"],
        entrypoint=[*emulator, *entrypoint],
        command=own.get("Command") or image.attrs["Config"].get("Cmd"),
        environment=_environment(config),
        detach=True,
        network_mode="host",
        volumes=_mounts(),
        labels={**container_reaper.own_labels("lambda"), "function": config["FunctionName"]},
        **_confined(config),
    )
    return _Reachable(container, invoked_at)


def _named(image_uri: str) -> tuple[str, str]:
    repository, _, tag = image_uri.rpartition(":")
    return repository, tag


def _confined(config: dict[str, Any]) -> dict[str, Any]:
    """As much as the function's configuration says and no more; AWS, "Lambda runtime environment"."""
    memory = f"{config['MemorySize']}m"
    tmp_mb = (config.get("EphemeralStorage") or {}).get("Size", _LEAST_TMP_MB)
    return {
        "mem_limit": memory,
        "memswap_limit": memory,
        "read_only": True,
        # What podman would make writable of itself is not.
        "tmpfs": {"/tmp": f"rw,nosuid,nodev,size={tmp_mb}m,mode=1777"} | dict.fromkeys(_NOT_WRITABLE, "ro"),  # noqa: S108
        "user": _USER,
        "cap_drop": ["ALL"],
        "security_opt": ["no-new-privileges"],
    }


def _mounts() -> dict[str, dict[str, str]]:
    files = {runtime.emulator(): _EMULATOR}
    files |= {os.environ["SSL_CERT_FILE"]: _ROOTS} if "SSL_CERT_FILE" in os.environ else {}
    return {ours: {"bind": theirs, "mode": "ro"} for ours, theirs in files.items()}


def _environment(config: dict[str, Any]) -> dict[str, str]:
    """What Lambda sets, the function's own variables, and where the engine is."""
    given: dict[str, str] = {
        "AWS_REGION": get_region(),
        "AWS_DEFAULT_REGION": get_region(),
        "AWS_LAMBDA_FUNCTION_NAME": config["FunctionName"],
        "AWS_LAMBDA_FUNCTION_MEMORY_SIZE": str(config["MemorySize"]),
        "AWS_LAMBDA_FUNCTION_VERSION": config.get("Version", "$LATEST"),
        "AWS_LAMBDA_LOG_STREAM_NAME": new_uuid(),
        "AWS_LAMBDA_FUNCTION_TIMEOUT": str(config["Timeout"]),  # the emulator's name for it
        "AWS_ENDPOINT_URL": os.environ["AWS_ENDPOINT_URL"],
        **execution_credentials(config),
    }
    trusting = dict.fromkeys(_TRUSTING, _ROOTS) if "SSL_CERT_FILE" in os.environ else {}
    own: dict[str, str] = lambda_svc._runtime_env_vars(config)
    return given | own | trusting
