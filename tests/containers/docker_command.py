"""`docker` as the CDK's command line calls it, on buildah and podman: login, build, inspect, push, and podman's own.

    CDK_DOCKER=<checkout>/tests/containers/docker  CONTAINERS_REGISTRY=127.0.0.1:8787  npx cdk deploy

An image that is tagged for a registry on AWS is pushed to CONTAINERS_REGISTRY, host and port of what stands for it,
with the credentials that `login` was given. Its certificate is not checked if CONTAINERS_REGISTRY_TLS_VERIFY=false.
"""

import base64
import json
import os
import sys
from collections.abc import Sequence

from tests.containers import engine, images

_AUTH = engine.DIRECTORY / "auth.json"


def main(arguments: Sequence[str]) -> int:
    """The exit code of the command. One that runs to its end in another program does not return."""
    words = list(arguments)
    while words and words[0] == "--config":  # a directory of Docker's own
        del words[:2]
    if not words:
        sys.stderr.write(__doc__ or "")
        return 2
    command, *rest = words
    if command == "login":
        return _login(rest)
    if command == "build":
        return _replaced_by("buildah", "build", *images.standard_options(), *_for_buildah(rest))
    if command == "inspect":
        return _inspect(rest)
    if command == "push":
        return _push(rest)
    return _replaced_by("podman", command, *rest)


def _login(rest: Sequence[str]) -> int:
    """Keep what is on standard input as the password of the registry that stands for all."""
    user = rest[rest.index("--username") + 1] if "--username" in rest else "AWS"
    password = sys.stdin.read().strip()
    secret = base64.b64encode(f"{user}:{password}".encode()).decode()
    engine.environment()
    _AUTH.touch(mode=0o600)
    _AUTH.write_text(json.dumps({"auths": {_registry(): {"auth": secret}}}))
    return 0


def _for_buildah(rest: Sequence[str]) -> list[str]:
    """Without what only BuildKit knows: how its progress is shown."""
    return [word for word in rest if not word.startswith("--progress")]


def _inspect(names: Sequence[str]) -> int:
    """Docker's exit code for what is not there is 1; podman's would be 125."""
    found = engine.attempt("podman", "image", "inspect", *names)
    sys.stdout.write(found.stdout)
    sys.stderr.write(found.stderr)
    return 1 if found.returncode else 0


def _push(rest: Sequence[str]) -> int:
    *options, name = rest
    _, _, path = name.partition("/")
    verify = os.environ.get("CONTAINERS_REGISTRY_TLS_VERIFY", "true")
    access = [f"--tls-verify={verify}", "--authfile", str(_AUTH)] if _AUTH.exists() else [f"--tls-verify={verify}"]
    return _replaced_by("podman", "push", *options, *access, name, f"docker://{_registry()}/{path}")


def _registry() -> str:
    registry = os.environ.get("CONTAINERS_REGISTRY")
    if not registry:
        sys.exit("CONTAINERS_REGISTRY must say where images are pushed to, as HOST:PORT.")
    return registry


def _replaced_by(program: engine.Program, *arguments: str) -> int:
    os.execvpe(program, [program, *arguments], engine.environment())  # noqa: S606 - the point of this program


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
