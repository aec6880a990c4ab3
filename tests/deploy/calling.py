"""The deployed API as a client on the internet sees it: its own host name, HTTPS, and a key."""

import functools
import http.client
import json
import socket
import ssl
from collections.abc import Mapping
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from tests.authority import HOST
from tests.e2e.running import Client, Reply


class _Connection(http.client.HTTPSConnection):
    """Every host is this machine, as a name server of its own would have it. Who it claims to be is checked."""

    def __init__(self, host: str, *, roots: Path, timeout_s: float) -> None:
        self._context = _trusting(roots)
        super().__init__(host, timeout=timeout_s, context=self._context)

    def connect(self) -> None:
        plain = socket.create_connection((HOST, self.port), self.timeout)
        self.sock = self._context.wrap_socket(plain, server_hostname=self.host)


@functools.cache
def _trusting(roots: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=roots)
    context.verify_flags |= ssl.VERIFY_X509_STRICT  # the default from Python 3.13 on
    return context


def exchange(
    method: str,
    url: str,
    *,
    roots: Path,
    body: bytes | None = None,
    headers: Mapping[str, str] | None = None,
    timeout_s: float = 60,
) -> Reply:
    """One HTTPS exchange, whatever its status; redirects are not followed. Raises `ssl.SSLError`."""
    parts = urlsplit(url)
    connection = _Connection(parts.netloc, roots=roots, timeout_s=timeout_s)
    try:
        target = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, target, body, dict(headers or {}))
        reply = connection.getresponse()
        return Reply(reply.status, reply.headers, reply.read())
    finally:
        connection.close()


class DeployedClient(Client):
    """Calls the API at `url` with `key`; without one, with none."""

    def __init__(self, url: str, key: str | None, *, roots: Path) -> None:
        super().__init__(url, key)
        self._roots = roots

    def call(self, method: str, path: str, body: Any = None) -> Reply:
        return self.fetch(method, self.url + path, body, headers=self._headers)

    def fetch(self, method: str, url: str, body: Any = None, *, headers: Mapping[str, str] | None = None) -> Reply:
        """An exchange with any address of the installation, without the key unless `headers` has it."""
        sent = None if body is None else json.dumps(body).encode()
        return exchange(method, url, roots=self._roots, body=sent, headers=headers)
