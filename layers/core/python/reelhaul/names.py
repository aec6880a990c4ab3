"""Names of files: what file systems take, and how HTTP carries them. Pure.

How clients read `Content-Disposition`, as tried out with curl 7.88 and wget 1.21 against a server on loopback:

- curl -J knows `filename` only, takes its bytes as they are, and decodes nothing.
- wget prefers `filename*`, reads no more than 511 bytes of the header, cuts names at 236 bytes without minding their
  extension, and decodes what looks like a percent escape once more than it should.
- Browsers prefer `filename*` (RFC 6266), and replace what their system refuses.

S3 stores and signs ASCII only, so an object's own header has an ASCII `filename`, and the exact name as `filename*`.
That leaves curl, for which `curl_disposition` has the exact name as it is.
"""

import re
import unicodedata
from urllib.parse import quote

from reelhaul.options import clean_text

MAX_BYTES = 255  # the longest file name that common file systems take, in UTF-8

_FALLBACK = "download"
_MAX_SENT_BYTES = 235  # see above: what wget leaves alone
_MAX_HEADER_CHARS = 511
_MAX_QUOTED_CHARS = 430  # leaves the ASCII name 36 characters and more of the header
_MAX_EXTENSION_CHARS = 10
_REFUSED = re.compile(r'[/\\:*?"<>|]|%(?=[0-9A-Fa-f]{2})')
_JOINERS = "\u200c\u200d"  # invisible, but Persian words and many emoji are others without them
_DEVICES = re.compile(r"(con|prn|aux|nul|com[0-9¹²³]|lpt[0-9¹²³]) *(\.|$)", re.IGNORECASE)


def clean_title(text: str) -> str:
    """`text` on one line, as people read it: without control and direction-changing characters."""
    return clean_text(text, keep=lambda char: char.isprintable() or char in _JOINERS).strip(_JOINERS + " ")


def safe_name(name: str, *, tail: str = "", max_bytes: int = MAX_BYTES) -> str:
    """A file name that every common system takes, of at most `max_bytes` bytes: `name` as far as it can be, and `tail`.

    Characters that some system refuses become underscores; a name that would hide the file, pass for an option of a
    command or be a device of Windows ("Naming Files, Paths, and Namespaces") does so no more. `tail` is kept whole, or
    else an extension.
    """
    text = _REFUSED.sub("_", clean_title(name)).strip(" ").lstrip(".").strip(" ") or _FALLBACK
    if text.startswith("-") or _DEVICES.match(text + tail):
        text = "_" + text.removeprefix("-")
    return _shortened(text, tail, max_bytes=max_bytes).rstrip(" .")


def content_disposition(filename: str) -> str:
    """`Content-Disposition: attachment` with `filename`, made safe, in ASCII: RFC 6266 with `filename*`."""
    name = _sent(filename)
    if name.isascii():
        return f'attachment; filename="{name}"'
    exact = f"filename*=UTF-8''{quote(name, safe='')}"
    room = _MAX_HEADER_CHARS - len(f'attachment; filename=""; {exact}')
    plain = safe_name(_in_ascii(name), max_bytes=room)
    return f'attachment; filename="{plain}"; {exact}'


def curl_disposition(filename: str) -> str | None:
    """The same for curl, `None` where that is no other: its `filename` is the exact name in UTF-8.

    As text it is Latin-1, one character for each byte: how HTTP libraries write headers, and all that S3 takes as
    `response-content-disposition` ("Header value cannot be represented using ISO-8859-1", it says of the rest).
    """
    name = _sent(filename)
    if name.isascii():
        return None
    return f"attachment; filename=\"{name}\"; filename*=UTF-8''{quote(name, safe='')}".encode().decode("latin-1")


def _sent(filename: str) -> str:
    """The name under which clients are to save a file. One that is not ASCII is the shorter, the longer its escapes."""
    max_bytes, name = _MAX_SENT_BYTES, safe_name(filename, max_bytes=_MAX_SENT_BYTES)
    while not name.isascii() and len(quote(name, safe="")) > _MAX_QUOTED_CHARS:
        max_bytes -= 1
        name = safe_name(filename, max_bytes=max_bytes)
    return name


def _in_ascii(name: str) -> str:
    """`name` without its accents, and with underscores for what is more than an accent away from ASCII."""
    plain = "".join(char for char in unicodedata.normalize("NFKD", name) if not unicodedata.combining(char))
    return plain.encode("ascii", "replace").decode().replace("?", "_")


def _shortened(name: str, tail: str, *, max_bytes: int) -> str:
    """`name` with `tail` in at most `max_bytes` bytes: the end of `name` goes, but for its extension."""
    if len((name + tail).encode()) <= max_bytes:
        return name + tail
    if not tail:
        name, tail = _split(name)
    room = max(0, max_bytes - len(tail.encode()))
    return name.encode()[:room].decode(errors="ignore").rstrip(" ." + _JOINERS) + tail


def _split(name: str) -> tuple[str, str]:
    stem, dot, extension = name.rpartition(".")
    if not stem or not extension.isalnum() or len(extension) > _MAX_EXTENSION_CHARS:
        return name, ""
    return stem, dot + extension
