"""What files are called here, whatever the service calls them: a name alone, that leads nowhere else. Pure."""

import dataclasses
import itertools
import re
import unicodedata
from collections.abc import Iterator
from pathlib import Path

from reelhaul.client.jobs import Job
from reelhaul.names import MAX_BYTES, safe_name

_ROOM_BYTES = 24  # for what part files and second ones have after the name
_NO_WORD = re.compile(r"[^0-9A-Za-z-]")
_MAX_WORD_CHARS = 35  # what RFC 5646 has implementations of language tags take


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Piece:
    """A file to be fetched. `size` (bytes) and `sha256` (hexadecimal) are what it has to be, where that is known."""

    url: str
    name: str
    size: int | None = None
    sha256: str | None = None


class Overwriting:
    """For files that may replace others, but not each other: of two that have one name the second gets a number."""

    def __init__(self) -> None:
        self._taken: dict[str, str] = {}

    def takes(self, path: Path, content: str) -> bool:
        """Whether `path` is for `content`, a checksum or what else tells it from others; at once, for threads, too."""
        return self._taken.setdefault(_alike(path), content) == content

    def is_free(self, path: Path) -> bool:
        return _alike(path) not in self._taken


def main_piece(job: Job) -> Piece | None:
    """The job's own file, under a name that every system takes. `None` where there is none."""
    if job.download_url is None:
        return None
    return Piece(url=job.download_url, name=_safe(job.name), size=job.size, sha256=job.checksum_sha256)


def subtitle_pieces(job: Job, beside: str) -> list[Piece]:
    """One for each language, called as the file `beside` which they are to lie."""
    stem = Path(beside).stem
    return [
        Piece(url=one.url, name=_safe(stem, tail=f".{_word(one.language)}.{_word(one.format)}"), size=one.size)
        for one in job.subtitles
    ]


def numbered(path: Path) -> Iterator[Path]:
    """`path`, and what a second, a third file of that name is called."""
    yield path
    for number in itertools.count(2):
        yield path.with_name(f"{path.stem} ({number}){path.suffix}")


def _alike(path: Path) -> str:
    """The same for all names that some file system (of macOS, say) takes for one."""
    return unicodedata.normalize("NFC", str(path.resolve()).casefold())


def _safe(name: str, *, tail: str = "") -> str:
    return safe_name(name, tail=tail, max_bytes=MAX_BYTES - _ROOM_BYTES)


def _word(text: str) -> str:
    """A language or format, which `safe_name` leaves as it is: whatever is in one must lead to no other directory."""
    return _NO_WORD.sub("_", text)[:_MAX_WORD_CHARS]
