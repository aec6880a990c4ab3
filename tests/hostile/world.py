"""A network namespace with no way out: who lives at which address, which names there are, whom to trust."""

import ctypes
import errno
import os
import socket
import ssl
import subprocess
from pathlib import Path

import certifi

from tests.authority import Authority

VARIABLE = "REELHAUL_HOSTILE_WORLD"  # is set where test processes may leave the world that they were started in
MAX_DISK_BYTES = 512 * 1024**2  # of /tmp in that world

# Public addresses, and in this world ours: nothing leads out.
SOURCE, SOURCE_V6 = "93.184.215.10", "2606:2800:21f::10"
ELSEWHERE = "93.184.215.11"  # nobody's: the only public address that is asked for in vain
# What a stranger's URL must not reach. 127.0.0.0/8 and ::1 are there anyway.
INSIDE = (
    "169.254.169.254", "169.254.170.2", "10.0.0.1", "172.16.0.1", "172.31.255.254", "192.168.0.1", "100.64.0.1",
    "100.100.100.200", "192.0.0.1", "192.0.2.1", "192.88.99.1", "198.18.0.1", "198.51.100.1", "203.0.113.1",
    "fd00:ec2::254", "fc00::1", "fe80::1", "fec0::1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::1",
    "2001:0:4136:e378::1", "2001:db8::1", "3fff::1", "5f00::1",
)  # fmt: skip
DNS = "127.0.0.53"
CERTIFIED = (
    "videos.example",
    "www.videos.example",
    "rebinding-tls.example",
)  # names with a certificate that is in order

_NEW_MOUNTS, _NEW_NETWORK = 0x00020000, 0x40000000  # CLONE_NEWNS, CLONE_NEWNET

_RESOLV_CONF = f"nameserver {DNS}\noptions timeout:2 attempts:2\n"
_NSSWITCH_CONF = "hosts: files dns\n"  # and no other service, which might look elsewhere


def enter(directory: Path) -> None:
    """Put this thread, and all that it starts from here on, into a world of its own. There is no way back.

    `directory` is its own, and empty.
    """
    libc = ctypes.CDLL(None, use_errno=True)
    if libc.unshare(_NEW_NETWORK | _NEW_MOUNTS) != 0:
        raise OSError(ctypes.get_errno(), "unshare")
    _run("mount", "--make-rprivate", "/")
    _only_loopback()
    _run("mount", "-t", "tmpfs", "-o", f"size={2 * MAX_DISK_BYTES}", "hostile", str(directory))
    _run("ip", "link", "set", "lo", "up")
    for address in (SOURCE, SOURCE_V6, *INSIDE):
        _run("ip", "address", "add", f"{address}/{128 if ':' in address else 32}", "dev", "lo")
    authority = Authority(directory / "authority", *CERTIFIED)
    roots = Path(certifi.where())  # where yt-dlp looks, whatever the environment says
    _instead_of(roots, directory / "roots.pem", roots.read_text() + authority.roots.read_text())
    _instead_of(Path("/etc/resolv.conf"), directory / "resolv.conf", _RESOLV_CONF)
    _instead_of(Path("/etc/nsswitch.conf"), directory / "nsswitch.conf", _NSSWITCH_CONF)
    (directory / "work").mkdir()
    _run("mount", "-t", "tmpfs", "-o", f"size={MAX_DISK_BYTES}", "work", str(directory / "work"))
    check_no_way_out()


def check_no_way_out() -> None:
    """Raises `RuntimeError` if a packet could leave. It is tried only once there is but a loopback."""
    _only_loopback()
    with socket.socket() as probe:
        probe.settimeout(2)
        found = probe.connect_ex((ELSEWHERE, 80))
    if found != errno.ENETUNREACH:
        raise RuntimeError(f"connecting to nobody ended with {os.strerror(found)}")


def certificate(directory: Path) -> ssl.SSLContext:
    """Of a source that is in order. `directory` is what `enter` was given."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(directory / "authority" / "certificate.pem", directory / "authority" / "key.pem")
    return context


def _only_loopback() -> None:
    names = [name for _, name in socket.if_nameindex()]
    if names != ["lo"]:
        raise RuntimeError(f"not a world of its own: {names}")


def _instead_of(path: Path, other: Path, text: str) -> None:
    """Whoever opens `path` from here on gets `text`."""
    other.write_text(text)
    _run("mount", "--bind", str(other), str(path))


def _run(*command: str) -> None:
    subprocess.run(command, check=True)
