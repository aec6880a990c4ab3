"""The CDK's command line as an operator calls it, with a time limit, its output kept, and an end to all it started."""

import os
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO

from infra.cloud.__main__ import cdk_command
from infra.local.processes import ROOT

_IMAGE = re.compile(r"(start|success): (Building|Built) Downloader/")
_SHOWN_LINES = 40


class CdkFailed(Exception):
    """The command line ended with an error or came to no end; the message is the end of what it said."""


class Cdk:
    """Runs commands with `env`, and adds what they say to the file `log`. `seconds` is how long each took."""

    def __init__(self, *, env: Mapping[str, str], context: Mapping[str, str], assembly: Path, log: Path) -> None:
        self._env = dict(env)
        self._context = dict(context)
        self._assembly = assembly
        self._log = log
        self.seconds: dict[str, float] = {}

    def synthesise(self) -> None:
        """The assembly for the context, as `cdk.json` has it made. Raises `CdkFailed`, as all of these."""
        words = ("--quiet", "--output", str(self._assembly))
        self._run("synth", cdk_command("synth", self._context, words), limit_s=240)

    def bootstrap(self, account: str, region: str) -> None:
        self._operate("bootstrap", f"aws://{account}/{region}", limit_s=240)

    def deploy(self) -> None:
        """Builds the image; `seconds` has that apart, as `build`."""
        self._operate("deploy", "--require-approval", "never", limit_s=900)
        self.seconds["deploy"] -= self.seconds.get("build", 0)

    def destroy(self) -> None:
        self._operate("destroy", "--force", limit_s=300)

    def _operate(self, command: str, *words: str, limit_s: float) -> None:
        """As `make deploy` and the like do it, checks included, but with the assembly that there is already."""
        context = [word for name, value in self._context.items() for word in ("--context", f"{name}={value}")]
        program = [sys.executable, "-m", "infra.cloud", command, *context, *words, "--app", str(self._assembly)]
        self._run(command, program, limit_s=limit_s)

    def _run(self, name: str, command: Sequence[str], *, limit_s: float) -> None:
        started = time.monotonic()
        with subprocess.Popen(
            command,
            cwd=ROOT,
            env=self._env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            too_late = threading.Timer(limit_s, _end, (process.pid,))
            too_late.start()
            try:
                assert process.stdout is not None
                said = self._follow(process.stdout)
                status = process.wait()
            finally:
                too_late.cancel()
                _end(process.pid)  # also what it started, where we were interrupted
        self.seconds[name] = time.monotonic() - started
        if status != 0:
            raise CdkFailed(f"cdk {name} ended with {status}:\n" + "".join(said[-_SHOWN_LINES:]))

    def _follow(self, output: IO[str]) -> list[str]:
        said = []
        with self._log.open("a") as log:
            for line in output:
                said.append(line)
                log.write(line)
                if mark := _IMAGE.search(line):
                    sign = -1 if mark[1] == "start" else 1
                    self.seconds["build"] = self.seconds.get("build", 0) + sign * time.monotonic()
        return said


def _end(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return
