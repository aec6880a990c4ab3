"""What a user may ask for, as a checked request. Pure."""

import dataclasses
from collections.abc import Callable

from reelhaul.errors import InvalidRequest
from reelhaul.sources import check_source

QUALITIES = ("best", "2160p", "1440p", "1080p", "720p", "480p", "360p", "240p", "144p")
DOWNLOAD_TYPES = ("video", "audio")
MAX_NAME_CHARS = 300


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DownloadRequest:
    """A request that can be carried out: the address is one we may go to, every option is one of the known."""

    url: str
    name: str | None = None
    quality: str = "best"
    download_type: str = "video"

    def __post_init__(self) -> None:
        check_source(self.url)
        _check_choice("quality", self.quality, QUALITIES)
        _check_choice("download_type", self.download_type, DOWNLOAD_TYPES)


def _check_choice(field: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidRequest(f"{field} must be one of {', '.join(choices)}.", field=field)


def clean_text(text: str, *, keep: Callable[[str], bool] = str.isprintable) -> str:
    """`text` on one line, without control and direction-changing characters, so that it reads as what it is.

    `str.isprintable` is false for the Unicode categories Other and Separator but the plain space: that is every control
    character and every bidirectional control (UAX #9), which could make a name read backwards.
    """
    return " ".join("".join(char if keep(char) else " " for char in text).split())
