"""A proxy of the operator's that a job's connections leave from, behind ours.

It is asked for tunnels only, for plain HTTP too, and to addresses that ours has judged: it looks up no name, so that
rebinding has no gap there either. Its own address is the operator's choice and may be anywhere.
"""

import base64
import dataclasses
import io
import socket
import ssl
import time
from typing import Self
from urllib.parse import unquote, urlsplit

from reelhaul.egress import framing, relay
from reelhaul.egress.framing import MAX_HEAD, HeadTooLarge, MalformedHead
from reelhaul.errors import SiteProxyFailed, SiteProxyRefused

_FORM = "A proxy is http://HOST:PORT or https://HOST:PORT, with USER:PASSWORD@ before the host if it asks for them"


class UpstreamFailed(Exception):
    """No tunnel. `code` is that of the `SourceError` that says why. `is_final`: no other address would fare better."""

    def __init__(self, code: str, *, is_final: bool) -> None:
        super().__init__(code)
        self.code = code
        self.is_final = is_final


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Upstream:
    """`authorization` is the value of Proxy-Authorization, None for none. `is_encrypted`: TLS leads to the proxy."""

    host: str
    port: int
    is_encrypted: bool
    authorization: str | None = dataclasses.field(default=None, repr=False)

    @classmethod
    def parse(cls, url: str) -> Self:
        """From a URL. Raises `ValueError` with a sentence that has nothing of the URL in it."""
        if url.lower().startswith("socks"):
            raise ValueError("SOCKS is not spoken here: a proxy has an http:// or https:// URL.")
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError:
            raise ValueError(f"{_FORM}.") from None  # the cause would have a part of the URL in it
        plain = url.isascii() and url.isprintable() and " " not in url
        if not plain or parts.scheme not in {"http", "https"} or not host or not port:
            raise ValueError(f"{_FORM}.")
        if parts.path not in {"", "/"} or parts.query or parts.fragment or "@" in host:
            raise ValueError(f"{_FORM}; what is special in them is percent-encoded.")
        return cls(host=host, port=port, is_encrypted=parts.scheme == "https", authorization=_basic(parts.netloc))

    def connect(self, address: str, port: int, *, within_s: float) -> socket.socket:
        """A connection to a numeric address, through the proxy. Raises `UpstreamFailed`."""
        until = time.monotonic() + within_s
        try:
            raw = socket.create_connection((self.host, self.port), within_s)
        except (OSError, UnicodeError) as error:
            raise UpstreamFailed(SiteProxyFailed.code, is_final=True) from error
        try:
            return self._tunnel(raw, address, port, until)
        except (OSError, MalformedHead) as error:
            raw.close()
            raise UpstreamFailed(SiteProxyFailed.code, is_final=False) from error
        except UpstreamFailed:
            raw.close()
            raise

    def _tunnel(self, raw: socket.socket, address: str, port: int, until: float) -> socket.socket:
        sock = self._encrypted(raw) if self.is_encrypted else raw
        try:
            target = f"[{address}]:{port}" if ":" in address else f"{address}:{port}"
            fields = [("Host", target)]
            if self.authorization is not None:
                fields.append(("Proxy-Authorization", self.authorization))
            sock.sendall(framing.write_head(f"CONNECT {target} HTTP/1.1", fields))
            _check(_status(sock, until))
        except BaseException:
            sock.close()
            raise
        return sock

    def _encrypted(self, raw: socket.socket) -> socket.socket:
        """An end without TLS's goodbye must be told from one with it: it may have cut something off."""
        tls = ssl.create_default_context()
        return tls.wrap_socket(raw, server_hostname=self.host, suppress_ragged_eofs=False)


def _basic(netloc: str) -> str | None:
    userinfo, at, _ = netloc.rpartition("@")
    if not at:
        return None
    user, _, password = userinfo.partition(":")
    return "Basic " + base64.b64encode(f"{unquote(user)}:{unquote(password)}".encode()).decode()


def _status(sock: socket.socket, until: float) -> int:
    """That of the answer, of which not a byte more is read: what follows is the source's."""
    data = bytearray()
    while not data.endswith(b"\r\n\r\n"):
        sock.settimeout(max(0.001, until - time.monotonic()))
        byte = sock.recv(1)
        if not byte:
            raise MalformedHead("the head breaks off")
        if len(data) >= MAX_HEAD:
            raise HeadTooLarge
        data += byte
    head = framing.read_head(io.BufferedReader(io.BytesIO(bytes(data))))
    if head is None:
        raise MalformedHead("no head")
    return relay.status_of(head)[0]


def _check(status: int) -> None:
    """A proxy that does not let us through may fail (5xx) or refuse (the rest), and the latter for good."""
    if 200 <= status < 300:
        return
    if status >= 500 or status in {408, 429}:
        raise UpstreamFailed(SiteProxyFailed.code, is_final=False)
    raise UpstreamFailed(SiteProxyRefused.code, is_final=True)
