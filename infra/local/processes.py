"""Starting and ending the programs that `reelhaul serve` is made of, so that none outlives it."""

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# The parent that a tether ends with is the thread that forked, not its process: so one thread starts all, and stays.
_STARTER = ThreadPoolExecutor(1, thread_name_prefix="starter")
_GROUP_S = 3.0
_TETHER = str(Path(__file__).with_name("tethered.py"))


def start(
    command: Sequence[str],
    *,
    env: Mapping[str, str],
    log: Path,
    cwd: Path | None = None,
    end_signal: signal.Signals = signal.SIGTERM,
) -> subprocess.Popen[bytes]:
    """Run `command` in a session of its own (Ctrl-C is for `serve` alone), its output added to `log`.

    It gets `end_signal` if this process is killed.
    """
    tethered = [sys.executable, "-I", "-S", _TETHER, str(int(end_signal)), str(os.getpid()), *command]
    with log.open("ab") as output:
        started = _STARTER.submit(
            subprocess.Popen,
            tethered,
            env=dict(env),
            cwd=cwd,
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
        return started.result()


def end(process: subprocess.Popen[bytes], *, grace_s: float) -> None:
    """Ask the process to end, and make it after `grace_s` seconds. Returns when it and its whole group are gone."""
    if process.poll() is None:
        process.terminate()
    try:
        process.wait(grace_s)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    deadline = time.monotonic() + _GROUP_S
    while _kill_group(process.pid) and time.monotonic() < deadline:
        time.sleep(0.02)


def _kill_group(group: int) -> bool:
    """Kill what is left of a process group. False when nothing is."""
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        return False
    return True


def children(pid: int) -> list[int]:
    """The processes that `pid` has started and that still run (proc(5)), whichever of its threads did."""
    found = []
    for stat in Path("/proc").glob("[0-9]*/stat"):
        with contextlib.suppress(OSError):  # it is gone by now
            _, parent = stat.read_text().rpartition(")")[2].split()[:2]
            if int(parent) == pid:
                found.append(int(stat.parent.name))
    return found


def plain_environment(**extra: str) -> dict[str, str]:
    """A short environment: none of the caller's AWS settings or proxies reach what is started here."""
    kept = {name: os.environ[name] for name in ("HOME", "LANG", "TMPDIR", "TZ") if name in os.environ}
    return {"PATH": os.defpath, "PYTHONUNBUFFERED": "1", **kept, **extra}


def free_ports(count: int) -> list[int]:
    """Loopback ports that nobody listens on at the moment, each another."""
    sockets = [socket.socket() for _ in range(count)]
    try:
        for probe in sockets:
            probe.bind(("127.0.0.1", 0))
        return [probe.getsockname()[1] for probe in sockets]
    finally:
        for probe in sockets:
            probe.close()
