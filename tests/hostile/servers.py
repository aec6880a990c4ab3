"""Sources that send what a case wants them to, and canaries that count who comes. They differ in their address only."""

import dataclasses
import datetime
import errno
import socket
import ssl
import threading
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any, Self

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from tests.hostile import world

SECRET = "canary-7d1f0c93-secret"
WEB, TLS = 80, 443
# Lambda's runtime API, and what else answers on the inside of a network.
INNER_PORTS = (9001, 21, 22, 25, 554, 1935, 2375, 3128, 6379, 8080)
_PATIENCE_S = 20.0

_TYPES = {
    "mp4": "video/mp4", "ts": "video/mp2t", "m4s": "video/iso.segment", "vtt": "text/vtt", "jpg": "image/jpeg",
    "m3u8": "application/vnd.apple.mpegurl", "mpd": "application/dash+xml", "html": "text/html",
}  # fmt: skip


@dataclasses.dataclass(frozen=True)
class Request:
    """`path` with its query; `media` is where harmless media are, see `tests.media`."""

    path: str
    head: str
    media: Path


# All that is sent, bytes by bytes, after which the connection is closed: nobody makes it into HTTP.
Page = bytes | Callable[[Request], Iterator[bytes]]


def page(body: str | bytes, kind: str = "text/html", *fields: str, status: str = "200 OK") -> bytes:
    """A response in order. `kind` is a Content-Type or an ending that has one, `fields` are further header lines."""
    data = body.encode() if isinstance(body, str) else body
    lines = [f"HTTP/1.1 {status}", f"Content-Type: {_TYPES.get(kind, kind)}", f"Content-Length: {len(data)}", *fields]
    return "\r\n".join([*lines, "Connection: close", "", ""]).encode() + data


def redirect(to: str, status: str = "302 Found") -> bytes:
    return page("", "text/plain", f"Location: {to}", status=status)


@dataclasses.dataclass(frozen=True)
class Hit:
    """A connection to a canary."""

    address: str
    port: int
    said: str


class Servers:
    """Everything that listens in that world. A context manager.

    `pages` are what sources have, by path, beside the files of `media`; `hits` what canaries have counted. `visited`
    are the paths that sources were asked for.
    """

    def __init__(self, directory: Path, media: Path) -> None:
        self.pages: Mapping[str, Page] = {}
        self.hits: list[Hit] = []
        self.visited: list[str] = []
        self._media = media
        self._listeners: list[socket.socket] = []
        self._closing = threading.Event()
        self._tls = world.certificate(directory)
        self._tls.sni_callback = self._choose
        self._others = {
            "self-signed.example": own_certificate(directory, "self-signed.example", expired=False),
            "expired.example": own_certificate(directory, "expired.example", expired=True),
        }

    def __enter__(self) -> Self:
        for port in (WEB, TLS, *INNER_PORTS):
            for family, everywhere in ((socket.AF_INET, "0.0.0.0"), (socket.AF_INET6, "::")):
                listener = socket.create_server((everywhere, port), family=family, backlog=128)
                self._listeners.append(listener)
                threading.Thread(target=self._accept, args=(listener, port), name="hostile", daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self._closing.set()
        for listener in self._listeners:
            listener.close()

    def _choose(self, connection: ssl.SSLObject, name: str | None, _: ssl.SSLContext) -> None:
        if name in self._others:
            connection.context = self._others[name]

    def _accept(self, listener: socket.socket, port: int) -> None:
        while not self._closing.is_set():
            try:
                connection, _ = listener.accept()
            except OSError as error:
                if error.errno in {errno.EBADF, errno.EINVAL}:
                    return
                continue
            threading.Thread(target=self._serve, args=(connection, port), name="hostile", daemon=True).start()

    def _serve(self, connection: socket.socket, port: int) -> None:
        address = str(connection.getsockname()[0])
        is_source = address in {world.SOURCE, world.SOURCE_V6} and port in {WEB, TLS}
        hit = None if is_source else self._hit(address, port)
        connection.settimeout(_PATIENCE_S)
        try:
            with connection, self._secured(connection, port) as plain:
                request = self._read(plain)
                if hit is not None:
                    self.hits[hit] = Hit(address, port, request.head.partition("\r\n")[0])
                for data in self._canary(request) if hit is not None else self._source(request):
                    if self._closing.is_set():
                        return
                    plain.sendall(data)
                plain.settimeout(1)
                if isinstance(plain, ssl.SSLSocket):
                    plain.unwrap()
        except OSError:
            return

    def _hit(self, address: str, port: int) -> int:
        self.hits.append(Hit(address, port, ""))
        return len(self.hits) - 1

    def _secured(self, connection: socket.socket, port: int) -> socket.socket:
        return self._tls.wrap_socket(connection, server_side=True) if port == TLS else connection

    def _read(self, connection: socket.socket) -> Request:
        head = b""
        while b"\r\n\r\n" not in head:
            data = connection.recv(65_536)
            if not data:
                raise ConnectionError
            head += data
            if head.startswith(b"\x16"):  # TLS, of which this port knows nothing
                return Request("", "", self._media)
        text = head.decode("latin-1")
        return Request([*text.split(" "), "", ""][1], text, self._media)

    def _source(self, request: Request) -> Iterator[bytes]:
        path = request.path.partition("?")[0]
        self.visited.append(path)
        found = self.pages.get(request.path, self.pages.get(path))
        if found is None:
            yield self._file(path)
        elif isinstance(found, bytes):
            yield found
        else:
            yield from found(request)

    def _file(self, path: str) -> bytes:
        file = (self._media / path.lstrip("/")).resolve()
        if not file.is_relative_to(self._media) or not file.is_file():
            return page("", status="404 Not Found")
        return page(file.read_bytes(), file.suffix[1:])

    def _canary(self, request: Request) -> Iterator[bytes]:
        """What would be worth having: media that would be taken for such, with a secret in it."""
        path = request.path.partition("?")[0]
        ending = path.rpartition(".")[2]
        name = {"ts": "hls/180-0.ts", "m4s": "dash/init-stream0.m4s"}.get(ending, "clip.mp4")
        clip = (self._media / name).read_bytes()
        box = (8 + len(SECRET)).to_bytes(4, "big") + b"free" + SECRET.encode()
        known: dict[str, bytes] = {
            "mp4": clip + box, "ts": clip, "m4s": clip, "key": SECRET.encode()[:16],
            "vtt": f"WEBVTT\n\n00:00.000 --> 00:01.000\n{SECRET}\n".encode(),
        }  # fmt: skip
        yield page(known.get(ending, SECRET.encode()), ending if ending in _TYPES else "text/plain")


def own_certificate(directory: Path, name: str, *, expired: bool) -> ssl.SSLContext:
    """Signed by nobody but itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.UTC)
    day = datetime.timedelta(days=1)
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    ends = now - day if expired else now + day
    made = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number(), now - 3 * day, ends)
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .sign(key, hashes.SHA256())
    )
    file = directory / f"{name}.pem"
    pem: Any = serialization.Encoding.PEM
    private = key.private_bytes(pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    file.write_bytes(private + made.public_bytes(pem))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context
