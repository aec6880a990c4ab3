"""Talking to an egress proxy, byte by byte, and sources that say exactly what they are told to."""

import base64
import contextlib
import datetime
import socket
import ssl
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from reelhaul.egress import EgressProxy, Upstream

MIB = 1024**2


@contextlib.contextmanager
def a_proxy(
    *allowed: str,
    denied: frozenset[str] = frozenset(),
    max_bytes: int = 100 * MIB,
    seconds: float = 20,
    resolve: Any = socket.getaddrinfo,
    upstream: Upstream | None = None,
) -> Iterator[EgressProxy]:
    deadline = time.monotonic() + seconds
    with EgressProxy(
        allowed_origins=frozenset(allowed),
        denied_sites=denied,
        max_bytes=max_bytes,
        deadline=deadline,
        resolve=resolve,
        upstream=upstream,
    ) as proxy:
        yield proxy


def password(proxy: EgressProxy) -> str:
    parts = urlsplit(proxy.url)
    return "Basic " + base64.b64encode(f"{parts.username}:{parts.password}".encode()).decode()


def ask(proxy: EgressProxy, request_line: str, *fields: str, auth: str | None = None) -> socket.socket:
    """Send a request as it is written here, and return the connection."""
    client = socket.create_connection(("127.0.0.1", proxy.port), 10)
    given = password(proxy) if auth is None else auth
    lines = [f"{request_line} HTTP/1.1", f"Proxy-Authorization: {given}", *fields, "", ""]
    client.sendall("\r\n".join(lines).encode("latin-1"))
    return client


def read_all(client: socket.socket) -> bytes:
    with client:
        return b"".join(iter(lambda: client.recv(65_536), b""))


def get(proxy: EgressProxy, url: str, *fields: str) -> bytes:
    return read_all(ask(proxy, f"GET {url}", *fields))


def status(answer: bytes) -> int:
    return int(answer.split(b" ", 2)[1])


@contextlib.contextmanager
def raw_source(answer: bytes) -> Iterator[tuple[str, list[bytes]]]:
    """A source that says exactly `answer` to every connection. Yields its origin and the requests it got."""
    requests: list[bytes] = []
    listener = socket.create_server(("127.0.0.1", 0))

    def serve() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError):
                requests.append(client.recv(65_536))
                client.sendall(answer)
                client.shutdown(socket.SHUT_WR)
                while client.recv(65_536):
                    pass

    thread = threading.Thread(target=serve)
    thread.start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}", requests
    finally:
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()


def certified(directory: Path) -> ssl.SSLContext:
    """A server's TLS context for 127.0.0.1 that nobody has a reason to trust."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    built = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number())
    certificate = (
        built.not_valid_before(now).not_valid_after(now + datetime.timedelta(hours=1)).sign(key, hashes.SHA256())
    )
    plain = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    both = key.private_bytes(serialization.Encoding.PEM, *plain) + certificate.public_bytes(serialization.Encoding.PEM)
    path = directory / "server.pem"
    path.write_bytes(both)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(path)
    return context
