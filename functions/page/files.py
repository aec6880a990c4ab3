"""The page's files, as `infra.page` puts them into the folder `files` beside this module, and the forms they are in."""

import dataclasses
import functools
import hashlib
import re
from pathlib import Path

_FOLDER = Path(__file__).with_name("files")
_TYPES = {
    ".css": "text/css; charset=utf-8",
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".png": "image/png",
    ".svg": "image/svg+xml",
    ".txt": "text/plain; charset=utf-8",
}
_ENCODINGS = {"br": ".br", "gzip": ".gz"}  # the best first; a file that none makes smaller lies there as it is alone
_REFUSED = re.compile(r"q=0(\.0{0,3})?", re.ASCII)  # RFC 9110, 12.4.2


@dataclasses.dataclass(frozen=True, slots=True)
class Form:
    """A file as it is sent. Its tag is its own: another encoding of the same file has another one."""

    body: bytes
    content_type: str
    encoding: str | None

    @property
    def etag(self) -> str:
        return f'"{hashlib.sha256(self.body).hexdigest()[:20]}"'


def form(name: str, *, accepted: str) -> Form | None:
    """The file in the best form that `accepted`, the header Accept-Encoding, has room for; `None` without such a file.

    Raises `FileNotFoundError` where no page was built at all.
    """
    if name not in _names():
        return None
    chosen = next((one for one in _ENCODINGS if one in _taken(accepted) and f"{name}{_ENCODINGS[one]}" in _all()), None)
    return _read(name, chosen)


def _taken(accepted: str) -> set[str]:
    parts = ([word.strip().lower() for word in part.split(";")] for part in accepted.split(","))
    return {name for name, *weights in parts if not any(_REFUSED.fullmatch(weight) for weight in weights)}


@functools.cache
def _read(name: str, encoding: str | None) -> Form:
    suffix = "" if encoding is None else _ENCODINGS[encoding]
    return Form((_FOLDER / f"{name}{suffix}").read_bytes(), _TYPES[Path(name).suffix], encoding)


@functools.cache
def _names() -> frozenset[str]:
    """What may be asked for: a name that is not among these is never looked for on disk."""
    return frozenset(name for name in _all() if Path(name).suffix in _TYPES)


@functools.cache
def _all() -> frozenset[str]:
    (_FOLDER / "index.html").stat()  # a folder that is missing would look like an empty one
    return frozenset(path.relative_to(_FOLDER).as_posix() for path in _FOLDER.rglob("*") if path.is_file())
