"""The command `reelhaul` as a program of its own, with or without a terminal."""

import contextlib
import dataclasses
import os
import pty
import re
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests import canaries
from tests.e2e.running import KEY, REELHAUL, until

# As in a shell that somebody types into: where tests run in the background, interrupts are ignored from birth.
INTERRUPTIBLE = ["env", "--default-signal=INT", REELHAUL]
_ORDERS = re.compile(r"\x1b\[[0-9;?]*[A-Za-z]")


@dataclasses.dataclass(frozen=True)
class Command:
    """Runs it in `directory`, whose parent is its home. It is to use the service at `url`."""

    url: str
    directory: Path

    def environment(self, **more: str) -> dict[str, str]:
        home = {"HOME": str(self.directory.parent), "XDG_CONFIG_HOME": "", "COLUMNS": "120", "LINES": "40"}
        return os.environ | home | {"REELHAUL_URL": self.url, "REELHAUL_KEY": KEY, "TERM": "xterm-256color"} | more

    def __call__(self, *arguments: str, stdin: str = "", **more: str) -> "subprocess.CompletedProcess[str]":
        done = subprocess.run(
            [REELHAUL, *arguments], capture_output=True, text=True, check=False, cwd=self.directory, input=stdin,
            env=self.environment(**more), timeout=240,
        )  # fmt: skip
        canaries.assert_none(done.stdout + done.stderr, where=f"what `reelhaul {' '.join(arguments)}` says")
        assert "Traceback" not in done.stderr, done.stderr
        return done

    def begun(self, *arguments: str, **more: str) -> "subprocess.Popen[str]":
        """The same, without waiting for its end."""
        return subprocess.Popen(
            [REELHAUL, *arguments], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL,
            text=True, cwd=self.directory, env=self.environment(**more),
        )  # fmt: skip

    @contextmanager
    def in_terminal(self, *arguments: str) -> Iterator["Terminal"]:
        """The same with a terminal of its own, in which keys can be pressed. What is shown there has no key in it."""
        ours, theirs = pty.openpty()
        process = subprocess.Popen(
            ["setsid", "--ctty", *INTERRUPTIBLE, *arguments], stdin=theirs, stdout=theirs, stderr=theirs,
            cwd=self.directory, env=self.environment(),
        )  # fmt: skip
        os.close(theirs)
        terminal = Terminal(ours, process)
        try:
            yield terminal
        finally:
            process.kill()
            process.wait()
            terminal.close()
        canaries.assert_none(terminal.raw, where=f"the terminal of `reelhaul {' '.join(arguments)}`")


class Terminal:
    def __init__(self, descriptor: int, process: "subprocess.Popen[bytes]") -> None:
        self.raw = ""
        self.process = process
        self._descriptor = descriptor
        self._reader = threading.Thread(target=self._read, daemon=True)
        self._reader.start()

    def _read(self) -> None:
        with contextlib.suppress(OSError):  # EIO: nobody holds the other end any more
            while data := os.read(self._descriptor, 65_536):
                self.raw += data.decode(errors="replace")

    @property
    def text(self) -> str:
        """All that was shown, without the orders to the terminal."""
        return _ORDERS.sub("", self.raw).replace("\r", "\n")

    def shows(self, text: str, *, within_s: float = 90) -> None:
        """Wait until it does."""
        until(lambda: self.text, lambda shown: text in shown, within_s=within_s)

    def press(self, keys: str) -> None:
        os.write(self._descriptor, keys.encode())

    def ended(self) -> int:
        """Its exit code."""
        code = self.process.wait(90)
        self._reader.join(5)
        return code

    def close(self) -> None:
        self._reader.join(5)
        os.close(self._descriptor)
