"""HTTP/1.1 as far as a proxy needs it: message heads, and where a body ends (RFC 9112)."""

import dataclasses
import io
from enum import Enum
from typing import Any

MAX_LINE = 16 * 1024
MAX_HEAD = 64 * 1024
MAX_HEADERS = 100

# Meant for the next hop only (RFC 9110, 7.6.1). Transfer-Encoding stays: the body is passed on as it comes.
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "te", "upgrade", "expect"})
_PRIVATE_PREFIXES = ("proxy-", "x-egress-")  # ours alone: neither side may see or forge them


class MalformedHead(Exception):
    """Not HTTP, or ambiguous enough to be dangerous."""


class HeadBrokenOff(MalformedHead):
    """The connection has ended within it."""


class HeadTooLarge(MalformedHead):
    """More headers, or longer ones, than anybody sends in good faith."""


class Ends(Enum):
    """How a body ends where it has no length."""

    CHUNKED = "with a last chunk"
    AT_CLOSE = "when the connection is closed"


@dataclasses.dataclass(frozen=True, slots=True)
class Head:
    """A start line and header fields, names as they came."""

    start: str
    fields: list[tuple[str, str]]

    def all(self, name: str) -> list[str]:
        return [value for field, value in self.fields if field.lower() == name]

    @property
    def size(self) -> int:
        """Bytes it took, near enough."""
        return len(self.start) + 4 + sum(len(name) + len(value) + 4 for name, value in self.fields)

    def get(self, name: str) -> str | None:
        return next(iter(self.all(name)), None)

    def passed_on(self) -> list[tuple[str, str]]:
        """The fields that go to the other side: end to end, without what `Connection` names."""
        named = {token.strip().lower() for value in self.all("connection") for token in value.split(",")}
        dropped = _HOP_BY_HOP | (named - {"transfer-encoding", "content-length", "host"})
        return [
            (name, value)
            for name, value in self.fields
            if name.lower() not in dropped and not name.lower().startswith(_PRIVATE_PREFIXES)
        ]


def read_head(stream: "io.BufferedReader[Any]") -> Head | None:
    """The next head, or None where the connection ends before one. Raises `MalformedHead`."""
    start = _line(stream)
    if start is None:
        return None
    fields: list[tuple[str, str]] = []
    size = len(start)
    while line := _line(stream):
        size += len(line)
        if len(fields) >= MAX_HEADERS or size > MAX_HEAD:
            raise HeadTooLarge
        fields.append(_field(line))
    if line is None:
        raise HeadBrokenOff
    return Head(start, fields)


def _line(stream: "io.BufferedReader[Any]") -> str | None:
    line = stream.readline(MAX_LINE + 1)
    if len(line) > MAX_LINE:
        raise HeadTooLarge
    if not line:
        return None
    if not line.endswith(b"\n"):
        raise HeadBrokenOff
    return line.rstrip(b"\r\n").decode("latin-1")


def _field(line: str) -> tuple[str, str]:
    name, colon, value = line.partition(":")
    if not colon or not name or name != name.strip() or any(char in line for char in "\r\n\0"):
        raise MalformedHead("not a header field")
    return name, value.strip()


def write_head(start: str, fields: list[tuple[str, str]]) -> bytes:
    lines = [start, *(f"{name}: {value}" for name, value in fields), "", ""]
    return "\r\n".join(lines).encode("latin-1")


def request_length(head: Head) -> int:
    """Bytes of body after a request. Raises `MalformedHead` for a chunked one, which this proxy does not take."""
    if head.all("transfer-encoding"):
        raise MalformedHead("a chunked request")
    return _content_length(head) or 0


def response_length(head: Head, *, status: int, method: str) -> int | Ends:
    """Where the body of this response ends (RFC 9112, 6.3)."""
    if method == "HEAD" or status in {204, 304}:
        return 0
    encodings = ",".join(head.all("transfer-encoding")).lower()
    if encodings:
        return Ends.CHUNKED if encodings.rsplit(",", 1)[-1].strip() == "chunked" else Ends.AT_CLOSE
    length = _content_length(head)
    return Ends.AT_CLOSE if length is None else length


def _content_length(head: Head) -> int | None:
    values = {part.strip() for value in head.all("content-length") for part in value.split(",")}
    if not values:
        return None
    text = values.pop()
    if values or not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise MalformedHead("contradictory or malformed Content-Length")
    return int(text)
