"""A DNS server with names as an attacker would have them (RFC 1035)."""

import collections
import dataclasses
import ipaddress
import socket
import struct
import threading
from typing import Self

from tests.hostile.world import DNS, SOURCE, SOURCE_V6

_A, _CNAME, _AAAA = 1, 5, 28
_NO_ERROR, _SERVFAIL, _NXDOMAIN = 0, 2, 3


@dataclasses.dataclass(frozen=True)
class Name:
    """The addresses of each look-up in turn, the last ones for all that follow; `alias` is the name that has them.

    `is_silent`: no answer at all.
    """

    turns: tuple[tuple[str, ...], ...] = ((),)
    alias: str | None = None
    code: int = _NO_ERROR
    is_silent: bool = False


def _at(*addresses: str) -> Name:
    return Name((addresses,))


NAMES = {
    # sources
    "videos.example": _at(SOURCE),
    "www.videos.example": _at(SOURCE),
    "dual.example": _at(SOURCE, SOURCE_V6),
    "self-signed.example": _at(SOURCE),
    "expired.example": _at(SOURCE),
    "another.example": _at(SOURCE),  # the certificate there is for somebody else
    # names of the inside
    "loopback.example": _at("127.0.0.1"),
    "metadata.example": _at("169.254.169.254"),
    "private.example": _at("10.0.0.1"),
    "shared.example": _at("100.64.0.1"),
    "null.example": _at("0.0.0.0"),
    "loopback-v6.example": _at("::1"),
    "unique-local.example": _at("fd00:ec2::254"),
    "mapped.example": _at("::ffff:169.254.169.254"),
    "translated.example": _at("64:ff9b::a9fe:a9fe"),
    "169.254.169.254.nip.example": _at("169.254.169.254"),
    "alias.example": Name((("10.0.0.1",),), alias="private.example"),
    # names of both
    "mixed.example": _at(SOURCE, "10.0.0.1"),
    "mixed-first.example": _at("10.0.0.1", SOURCE),
    "mixed-v6.example": _at(SOURCE, "fd00:ec2::254"),
    "crowd.example": _at(SOURCE, *(f"93.184.216.{number}" for number in range(1, 28)), "192.168.0.1"),
    # names that change their mind
    "rebinding.example": Name(((SOURCE,), ("127.0.0.1",))),
    "rebinding-tls.example": Name(((SOURCE,), ("169.254.169.254",))),
    "rebinding-late.example": Name(((SOURCE,), (SOURCE,), ("10.0.0.1",))),
    "rebinding-v6.example": Name(((SOURCE_V6,), ("::1",))),
    # names that are none
    "nobody.example": _at("93.184.215.11"),
    "empty.example": _at(),
    "broken.example": Name(code=_SERVFAIL),
    "silent.example": Name(is_silent=True),
}


class NameServer:
    """A context manager. `asked` counts queries by name."""

    def __init__(self) -> None:
        self.asked: collections.Counter[str] = collections.Counter()
        self._turns: collections.Counter[tuple[str, int]] = collections.Counter()
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._thread = threading.Thread(target=self._serve, name="names", daemon=True)

    def __enter__(self) -> Self:
        self._socket.bind((DNS, 53))
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def forget(self) -> None:
        """Every name begins with its first turn."""
        self._turns.clear()
        self.asked.clear()

    def _serve(self) -> None:
        while True:
            try:
                query, client = self._socket.recvfrom(4096)
                reply = self._reply(query)
                if reply is not None:
                    self._socket.sendto(reply, client)
            except OSError:
                return

    def _reply(self, query: bytes) -> bytes | None:
        labels, offset = [], 12
        while length := query[offset]:
            labels.append(query[offset + 1 : offset + 1 + length].decode("latin-1"))
            offset += 1 + length
        (kind,) = struct.unpack_from(">H", query, offset + 1)
        question = query[12 : offset + 5]
        asked = ".".join(labels).lower()
        self.asked[asked] += 1
        name = NAMES.get(asked, Name(code=_NXDOMAIN))
        if name.is_silent:
            return None
        records = _records(name, self._addresses(asked, name, kind), kind)
        head = query[:2] + struct.pack(">HHHHH", 0x8180 | name.code, 1, len(records), 0, 0)
        return head + question + b"".join(records)

    def _addresses(self, asked: str, name: Name, kind: int) -> tuple[str, ...]:
        turn = self._turns[asked, kind]
        self._turns[asked, kind] += 1
        return name.turns[min(turn, len(name.turns) - 1)]


def _records(name: Name, addresses: tuple[str, ...], kind: int) -> list[bytes]:
    owner = b"\xc0\x0c"  # the name in the question
    records = []
    if name.alias is not None:
        data = b"".join(bytes([len(label)]) + label.encode() for label in name.alias.split(".")) + b"\0"
        records.append(_record(owner, _CNAME, data))
        owner = data
    numbers = [ipaddress.ip_address(address) for address in addresses]
    return records + [
        _record(owner, kind, one.packed) for one in numbers if kind == (_A if one.version == 4 else _AAAA)
    ]


def _record(owner: bytes, kind: int, data: bytes) -> bytes:
    return owner + struct.pack(">HHIH", kind, 1, 0, len(data)) + data  # good for no time at all
