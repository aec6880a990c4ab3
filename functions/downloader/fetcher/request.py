"""What the parent asks for."""

import dataclasses
import json
import time
import urllib.parse
from pathlib import Path
from typing import Any, Self

from downloader.answers import Resume
from downloader.events import Direct, Source
from downloader.kernel import Support
from reelhaul.options import Clip, Options
from reelhaul.sites.cookies import Cookie

MAX_REQUEST_BYTES = 1024**2  # cookies are most of it: 64 KiB as they are stored, several times that as JSON


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Request:
    """As `downloader.fetch.FetchRequest`, and where the way out and the working directory are.

    `seconds` is the time that was left for all of it when the request was read. `kernel` says which walls hold here,
    and so have to be put up.
    """

    url: str
    options: Options
    is_item: bool
    entry: int | None
    inspect: bool
    seconds: float
    proxy: str
    directory: Path
    max_bytes: int
    max_memory_bytes: int
    kernel: Support
    max_duration_s: int = 0
    max_total_s: int = 0
    connections: int = 4
    stream_above_bytes: int = 8 * 1024**2
    pauses: bool = False
    resume: Resume | None = None
    cookies: tuple[Cookie, ...] = dataclasses.field(default=(), repr=False)

    @classmethod
    def parse(cls, data: bytes) -> Self:
        fields = json.loads(data)
        cookies = tuple(Cookie.from_fields(one) for one in fields["cookies"])
        own = {"options": _options(fields["options"]), "directory": Path(fields["directory"]), "cookies": cookies}
        own["kernel"] = Support(**fields["kernel"])
        own["seconds"] = max(0.0, fields.pop("ends_at") - time.monotonic())
        own["resume"] = _resume(fields["resume"])
        return cls(**{**fields, **own})

    @property
    def proxy_address(self) -> tuple[str, int]:
        parts = urllib.parse.urlsplit(self.proxy)
        return str(parts.hostname), int(parts.port or 0)

    @property
    def secrets(self) -> tuple[str, ...]:
        """What must not appear in anything that is written."""
        password = urllib.parse.urlsplit(self.proxy).password or ""
        return (password, *(cookie.value for cookie in self.cookies))

    @property
    def max_height(self) -> int | None:
        """Lines of picture, None for the best there is."""
        return None if self.options.quality == "best" else int(self.options.quality.removesuffix("p"))

    @property
    def wants_one(self) -> bool:
        """A playlist is an error."""
        return self.is_item or self.entry is not None or self.options.playlist == "false"

    @property
    def prefers_lists(self) -> bool:
        """Whether a URL that names a medium in a playlist stands for the playlist.

        Not for an item with an address of its own; for one that is counted in a list, the list must not change.
        """
        return self.options.playlist == "true" and (self.entry is not None or not self.is_item)

    @property
    def most_entries(self) -> int:
        """How many entries of a playlist are of interest."""
        return 1 if self.wants_one else self.options.playlist_limit

    @property
    def goes_on_recording(self) -> bool:
        """What was begun with is a live stream: it is known how much is recorded, of a list without a length."""
        return self.resume is not None and any(
            track.fragments == 0 and track.digest is not None for track in self.resume.tracks
        )

    @property
    def wants_audio(self) -> bool:
        return self.options.download_type == "audio"


def _resume(fields: dict[str, Any] | None) -> Resume | None:
    if fields is None:
        return None
    tracks = tuple(Source(**one) for one in fields["tracks"])
    direct = Direct(**fields["direct"]) if fields["direct"] else None
    return Resume(**{**fields, "tracks": tracks, "files": tuple(fields["files"]), "direct": direct})


def _options(fields: dict[str, Any]) -> Options:
    clip = fields["clip"]
    return Options(
        **{**fields, "subtitles": tuple(fields["subtitles"]), "clip": None if clip is None else Clip(**clip)}
    )
