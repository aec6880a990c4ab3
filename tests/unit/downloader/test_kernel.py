"""The kernel's walls: filters read by a machine of their own for both architectures, and tried here on the real one."""

import errno
import re
import signal
import socket
import struct
import subprocess
import sys
import textwrap
from collections.abc import Iterator
from pathlib import Path

import pytest

from downloader import child, kernel
from downloader.kernel import Support, landlock, seccomp
from downloader.kernel.seccomp import AARCH64, X86_64, Abi
from tests.media import SourceServer

ABIS = pytest.mark.parametrize("abi", [X86_64, AARCH64], ids=["x86_64", "aarch64"])
HEADERS = {
    "x86_64": Path("/usr/include/x86_64-linux-gnu/asm/unistd_64.h"),
    "aarch64": Path("/usr/include/asm-generic/unistd.h"),
}
ALLOW, KILL = 0x7FFF_0000, 0x8000_0000
INET, INET6, UNIX, NETLINK, PACKET, VSOCK = 2, 10, 1, 16, 17, 40
STREAM, DATAGRAM, RAW, CLOEXEC = 1, 2, 3, 0o2000000
FAST_OPEN = 0x2000_0000
REFUSED = 0x0005_0000 | errno.EACCES

needs_seccomp = pytest.mark.skipif(not kernel.support().seccomp, reason="this kernel allows no seccomp")
needs_landlock = pytest.mark.skipif(not kernel.support().landlock, reason="this kernel has no Landlock for TCP")


def judged(program: bytes, number: int, *arguments: int, architecture: int) -> int:
    """What a filter returns for a call: the few instructions of the classic BPF machine that ours are made of."""
    data = struct.pack("<IIQ6Q", number, architecture, 0, *[*arguments, *[0] * 6][:6])
    instructions = list(struct.iter_unpack("HBBI", program))
    at = accumulator = 0
    while True:
        code, yes, no, value = instructions[at]
        at += 1
        match code:
            case 0x20:
                (accumulator,) = struct.unpack_from("<I", data, value)
            case 0x54:
                accumulator &= value
            case 0x15 | 0x35 | 0x45:
                met = {0x15: accumulator == value, 0x35: accumulator >= value, 0x45: bool(accumulator & value)}[code]
                at += yes if met else no
            case 0x06:
                return int(value)
            case _:
                raise AssertionError(f"an instruction of another kind: {code:#x}")


def sockets(abi: Abi, *arguments: int, streams: bool) -> int:
    program = seccomp.program(abi, streams=streams)
    return judged(program, abi.calls["socket"], *arguments, architecture=abi.architecture)


@ABIS
@pytest.mark.parametrize("family", [INET, INET6, UNIX, NETLINK, PACKET, VSOCK])
@pytest.mark.parametrize("kind", [STREAM, DATAGRAM, RAW])
@pytest.mark.parametrize("flags", [0, CLOEXEC])
def test_program_gets_no_socket_and_a_fetcher_only_tcp_over_ipv4(abi: Abi, family: int, kind: int, flags: int) -> None:
    assert sockets(abi, family, kind | flags, 0, streams=False) == REFUSED
    allowed = (family, kind) == (INET, STREAM)
    assert sockets(abi, family, kind | flags, 0, streams=True) == (ALLOW if allowed else REFUSED)


@ABIS
@pytest.mark.parametrize(("protocol", "verdict"), [(0, ALLOW), (6, ALLOW), (132, REFUSED), (262, REFUSED)])
def test_stream_is_tcp_and_neither_sctp_nor_multipath_tcp(abi: Abi, protocol: int, verdict: int) -> None:
    assert sockets(abi, INET, STREAM, protocol, streams=True) == verdict


@ABIS
def test_upper_half_of_an_argument_makes_no_difference(abi: Abi) -> None:
    """The kernel takes an int, so whatever stands above its 32 bits must not deceive the filter."""
    assert sockets(abi, (1 << 32) | NETLINK, STREAM, 0, streams=True) == REFUSED
    assert sockets(abi, (1 << 32) | INET, STREAM, 0, streams=True) == ALLOW


@ABIS
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize("architecture", [0x4000_0003, 0x4000_0028, 0])  # of i386 and 32-bit Arm
def test_call_in_the_manner_of_another_architecture_kills(abi: Abi, architecture: int, *, streams: bool) -> None:
    program = seccomp.program(abi, streams=streams)
    assert judged(program, 102, architecture=architecture) == KILL  # socketcall, on i386
    assert judged(program, 0x4000_0000 | 41, architecture=abi.architecture) == KILL  # x32


@ABIS
@pytest.mark.parametrize("streams", [False, True])
@pytest.mark.parametrize(("kind", "verdict"), [(STREAM | CLOEXEC, ALLOW), (DATAGRAM, REFUSED), (5, REFUSED)])
def test_pair_of_sockets_can_only_talk_to_each_other(abi: Abi, kind: int, verdict: int, *, streams: bool) -> None:
    program = seccomp.program(abi, streams=streams)
    assert judged(program, abi.calls["socketpair"], UNIX, kind, 0, architecture=abi.architecture) == verdict


@ABIS
@pytest.mark.parametrize(
    ("flags", "verdict"),
    [
        (signal.SIGCHLD, ALLOW),
        (0x003D_0F00, ALLOW),  # of a thread
        *((flag | signal.SIGCHLD, 0x0005_0000 | errno.EPERM) for flag in (0x2_0000, 0x1000_0000, 0x4000_0000)),
    ],
)
def test_process_gets_no_namespace_of_its_own(abi: Abi, flags: int, verdict: int) -> None:
    program = seccomp.program(abi, streams=True)
    assert judged(program, abi.calls["clone"], flags, architecture=abi.architecture) == verdict


@ABIS
@pytest.mark.parametrize(("call", "flags_at"), [("sendto", 3), ("sendmsg", 2), ("sendmmsg", 3)])
def test_connecting_by_sending_is_refused(abi: Abi, call: str, flags_at: int) -> None:
    program = seccomp.program(abi, streams=True)
    for flags, verdict in ((0x4000, ALLOW), (0x4000 | FAST_OPEN, 0x0005_0000 | errno.EOPNOTSUPP)):
        arguments = [*[0] * flags_at, flags]
        assert judged(program, abi.calls[call], *arguments, architecture=abi.architecture) == verdict


@ABIS
@pytest.mark.parametrize("streams", [False, True])
def test_what_goes_round_sockets_or_into_another_process_is_refused(abi: Abi, *, streams: bool) -> None:
    program = seccomp.program(abi, streams=streams)
    judged_as = {
        name: judged(program, number, architecture=abi.architecture)
        for name, number in abi.calls.items()
        if name not in {"seccomp", "socket", "socketpair", "clone", "sendto", "sendmsg", "sendmmsg"}
    }
    assert {"ptrace", "process_vm_readv", "pidfd_getfd", "setsid", "setns", "io_uring_setup"} <= judged_as.keys()
    assert {verdict & 0xFFFF_0000 for verdict in judged_as.values()} == {0x0005_0000}
    assert judged(program, 0, architecture=abi.architecture) == ALLOW


@pytest.mark.parametrize(("name", "abi"), [("x86_64", X86_64), ("aarch64", AARCH64)])
def test_numbers_are_those_of_the_kernels_headers(name: str, abi: Abi) -> None:
    if not HEADERS[name].is_file():
        pytest.skip("no headers of the kernel here")
    defined = re.finditer(r"#define __NR_(\w+)\s+(\d+)", HEADERS[name].read_text())
    numbers = {found[1]: int(found[2]) for found in defined}
    assert {call: numbers[call] for call in abi.calls} == abi.calls


# --- on this kernel ---------------------------------------------------------------------------------------------------


def confined(code: str, tmp_path: Path, *, port: int = 1, walls: Support | None = None) -> list[str]:
    """What `code` prints behind `walls`, by default all there are, but without the audit hook: that is another one."""
    walls = walls or kernel.support()
    prelude = f"""
        import os, socket, subprocess, sys
        from pathlib import Path
        from downloader import kernel
        from downloader.fetcher import starting
        from downloader.kernel import Support
        kernel.confine({walls}, proxy_port={port}, directory=Path.cwd())
        starting.confine_programs({walls})
        def attempt(name, what):
            try:
                what()
                print(name, "done", flush=True)
            except OSError as error:
                print(name, error.errno, flush=True)
    """
    done = subprocess.run(
        [sys.executable, "-c", textwrap.dedent(prelude) + textwrap.dedent(code)],
        check=True, capture_output=True, text=True, cwd=tmp_path, env=child.environment(tmp_path),
    )  # fmt: skip
    return done.stdout.splitlines()


PROGRAM = """
import socket
for family, kind in ((2, 1), (2, 2), (10, 1), (1, 1), (16, 3), (17, 3)):
    try:
        socket.socket(family, kind).close()
        print("made")
    except OSError as error:
        print(error.errno)
"""


@needs_seccomp
def test_started_program_gets_no_socket_whichever_thread_started_it(tmp_path: Path) -> None:
    code = f"""
        import threading
        def start():
            print(subprocess.run([sys.executable, "-c", {PROGRAM!r}], capture_output=True, text=True).stdout)
        start()
        other = threading.Thread(target=start)
        other.start()
        other.join()
        socket.socket().close()
        print("made")
    """
    said = [line for line in confined(code, tmp_path) if line]
    assert said == [str(errno.EACCES)] * 12 + ["made"]


@needs_seccomp
def test_fetcher_gets_tcp_over_ipv4_and_leaves_no_session(tmp_path: Path) -> None:
    code = """
        for family, kind in ((2, 1), (2, 2), (10, 1), (1, 1), (16, 3), (17, 3)):
            attempt("socket", lambda: socket.socket(family, kind).close())
        attempt("setpgid", lambda: os.setpgid(0, 0))
        if os.fork() == 0:
            attempt("setsid", os.setsid)
            os._exit(0)
        os.wait()
    """
    refused = ["socket 13"] * 5
    assert confined(code, tmp_path) == ["socket done", *refused, "setpgid 1", "setsid 1"]


@needs_seccomp
@pytest.mark.usefixtures("programs_known")
def test_deno_runs_without_sockets(tmp_path: Path) -> None:
    code = """
        script = (
            'let said = "connected"; try { await Deno.connect({hostname: "127.0.0.1", port: 1}) }'
            ' catch (error) { said = error.message } console.log(6 * 7, said)'
        )
        deno = [os.environ["REELHAUL_DENO"], "run", "--allow-net", "-"]
        done = subprocess.run(deno, input=script, capture_output=True, text=True)
        print(done.stdout + done.stderr)
    """
    said = "".join(confined(code, tmp_path))
    assert said.startswith("42 ")
    assert "Permission denied (os error 13)" in said


@needs_landlock
def test_nothing_but_the_proxys_port_can_be_connected_even_past_python(
    source: SourceServer, canary: SourceServer, tmp_path: Path
) -> None:
    """As libcurl would, or a stranger's code: there is no audit hook here."""
    code = f"""
        connect = lambda port: socket.create_connection(("127.0.0.1", port)).close()
        attempt("proxy", lambda: connect({source.server_address[1]}))
        attempt("canary", lambda: connect({canary.server_address[1]}))
        attempt("bind", lambda: socket.create_server(("127.0.0.1", 0)))
    """
    only = Support(seccomp=False, landlock=True)
    said = confined(code, tmp_path, port=source.server_address[1], walls=only)
    assert said == ["proxy done", "canary 13", "bind 13"]
    assert canary.connections == 0


@needs_landlock
def test_nothing_is_written_outside_of_the_jobs_directory(tmp_path: Path) -> None:
    inside, outside = tmp_path / "job", tmp_path / "elsewhere"
    inside.mkdir()
    outside.mkdir()
    (outside / "kept").write_text("kept")
    code = f"""
        attempt("inside", lambda: Path("new").write_text("x"))
        attempt("null", lambda: Path(os.devnull).write_text("x"))
        attempt("outside", lambda: Path("{outside}/new").write_text("x"))
        attempt("changed", lambda: Path("{outside}/kept").write_text("x"))
        attempt("gone", lambda: Path("{outside}/kept").unlink())
        attempt("moved", lambda: Path("new").rename("{outside}/new"))
    """
    refused = ["outside 13", "changed 13", "gone 13"]
    said = confined(code, inside)
    assert said[:5] == ["inside done", "null done", *refused]
    assert said[5] in {"moved 13", f"moved {errno.EXDEV}"}
    assert [(one.name, one.read_text()) for one in outside.iterdir()] == [("kept", "kept")]


@needs_landlock
def test_confined_process_can_signal_none_that_is_not(tmp_path: Path) -> None:
    if landlock.version() < 6:
        pytest.skip("this kernel's Landlock knows nothing of signals")
    assert confined("attempt('kill', lambda: os.kill(os.getppid(), 0))", tmp_path) == ["kill 1"]


def test_wall_that_should_hold_and_does_not_is_an_error(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    def nowhere(*_: object) -> Iterator[None]:
        raise OSError(errno.ENOSYS, "none")

    monkeypatch.setattr(seccomp, "install", nowhere)
    with pytest.raises(OSError, match="none"):
        kernel.confine(Support(seccomp=True, landlock=False), proxy_port=1, directory=tmp_path)
    kernel.confine(Support(seccomp=False, landlock=False), proxy_port=1, directory=tmp_path)


@pytest.mark.parametrize("failing", [OSError(errno.EPERM, "no"), seccomp.UnknownMachine("riscv64")])
def test_missing_wall_is_found_out_by_trying_and_leaves_this_process_free(
    monkeypatch: pytest.MonkeyPatch, failing: Exception
) -> None:
    def refuse(*_: object) -> None:
        raise failing

    monkeypatch.setattr(seccomp, "install", refuse)
    monkeypatch.setattr(landlock, "version", lambda: 3)
    assert kernel.support.__wrapped__() == Support(seccomp=False, landlock=False)
    monkeypatch.setattr(seccomp, "install", lambda _: None)  # it says that it works
    assert not kernel.support.__wrapped__().seccomp


def test_finding_out_confines_nobody() -> None:
    kernel.support.__wrapped__()
    socket.socket(socket.AF_INET, socket.SOCK_DGRAM).close()
    assert "NoNewPrivs:\t0" in Path("/proc/self/status").read_text()
