"""What was found at an address before anything was downloaded. Pure."""

import dataclasses


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One medium of several.

    Without `entry`, `url` is its own address. With it, `url` is the one of the page or playlist that it was found in,
    and `entry` its number there, from 1.
    """

    url: str
    title: str
    entry: int | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Format:
    """One form in which the source offers a medium. What it does not tell is `None`, and "" for a text.

    `height` and `width` in pixels, `bitrate` in kbit/s. A `filesize` may be an estimate of the source's.
    """

    format_id: str
    extension: str
    format_note: str = ""
    height: int | None = None
    width: int | None = None
    fps: float | None = None
    video_codec: str | None = None
    audio_codec: str | None = None
    filesize: int | None = None
    bitrate: float | None = None
    has_video: bool = True
    has_audio: bool = True


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Inspection:
    """What a download of `url` would be of: one medium, or with `is_playlist` the `entries`, then without formats.

    `entry_count` tells how many there are, as far as the source says; `entries` are the first of them.
    `webpage_url` is what the source calls the place, `thumbnail` an address there. What it does not tell is `None`.
    """

    url: str
    title: str
    webpage_url: str | None = None
    uploader: str = ""
    duration_s: float | None = None
    thumbnail: str | None = None
    is_live: bool = False
    formats: tuple[Format, ...] = ()
    subtitles: tuple[str, ...] = ()
    is_playlist: bool = False
    entries: tuple[Entry, ...] = ()
    entry_count: int | None = None
