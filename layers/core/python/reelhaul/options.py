"""What a user may ask for, as a checked request. Pure."""

import dataclasses
import re
from collections.abc import Callable
from urllib.parse import urlsplit

from reelhaul.errors import InvalidRequest
from reelhaul.sources import check_source

QUALITIES = ("best", "2160p", "1440p", "1080p", "720p", "480p", "360p", "240p", "144p")
DOWNLOAD_TYPES = ("video", "audio")
AUDIO_FORMATS = ("best", "m4a", "mp3", "opus", "flac", "wav")
CONTAINERS = ("mp4", "mkv", "webm")
PLAYLIST_MODES = ("auto", "true", "false")
MAX_NAME_CHARS = 300
MAX_SUBTITLES = 20
MAX_PLAYLIST_ITEMS = 1000
MAX_CLIP_S = 86_400.0  # where a clip may end: a day into the medium

# A language tag (RFC 5646) in outline; what a source calls its own tracks is compared with it, never used as a name.
_LANGUAGE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}", re.ASCII)


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Clip:
    """A part of the medium, in seconds from its beginning; without `end_s` up to its end."""

    start_s: float = 0.0
    end_s: float | None = None


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """How a medium is wanted. What these mean is told by the README, what they may be by the tuples above.

    `playlist` is "auto", "true" or "false"; `subtitles` are language codes; `audio_format` is for audio only.
    """

    quality: str = "best"
    download_type: str = "video"
    audio_format: str = "best"
    container: str = "mp4"
    subtitles: tuple[str, ...] = ()
    clip: Clip | None = None
    playlist: str = "auto"
    playlist_limit: int = MAX_PLAYLIST_ITEMS


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class DownloadRequest:
    """A request that can be carried out: the address is one we may go to, every option is one of the known.

    `retention_days` and `callback_url` are `None` where nothing was asked for.
    """

    url: str
    name: str | None = None
    options: Options = Options()
    retention_days: int | None = None
    callback_url: str | None = None

    def __post_init__(self) -> None:
        check_source(self.url)
        check_options(self.options)
        if self.callback_url is not None:
            check_callback(self.callback_url)


def check_options(options: Options) -> None:
    """Raises `InvalidRequest` naming the option that is not one of the known, or does not go with another."""
    _check_choice("quality", options.quality, QUALITIES)
    _check_choice("download_type", options.download_type, DOWNLOAD_TYPES)
    _check_choice("audio_format", options.audio_format, AUDIO_FORMATS)
    _check_choice("container", options.container, CONTAINERS)
    _check_choice("playlist", options.playlist, PLAYLIST_MODES)
    if options.download_type == "video" and options.audio_format != "best":
        raise InvalidRequest('audio_format asks for "download_type": "audio".', field="audio_format")
    if options.download_type == "audio" and options.container != "mp4":
        raise InvalidRequest("container is for video; audio_format says what audio comes in.", field="container")
    if not 1 <= options.playlist_limit <= MAX_PLAYLIST_ITEMS:
        known = f"a whole number from 1 to {MAX_PLAYLIST_ITEMS}"
        raise InvalidRequest(f"playlist_limit must be {known}.", field="playlist_limit")
    _check_languages(options.subtitles)
    if options.clip is not None:
        _check_clip(options.clip)


def check_callback(url: str) -> None:
    """Raises `InvalidRequest` unless `url` is one that a webhook may be sent to, as far as its text tells."""
    check_source(url, field="callback_url")
    if urlsplit(url).scheme.lower() != "https":
        raise InvalidRequest("callback_url must be an https URL.", field="callback_url")


def _check_choice(field: str, value: str, choices: tuple[str, ...]) -> None:
    if value not in choices:
        raise InvalidRequest(f"{field} must be one of {', '.join(choices)}.", field=field)


def _check_clip(clip: Clip) -> None:
    if not 0 <= clip.start_s < MAX_CLIP_S:
        raise InvalidRequest("clip.start must be from 0 to 86400 seconds.", field="clip")
    if clip.end_s is not None and not clip.start_s < clip.end_s <= MAX_CLIP_S:
        raise InvalidRequest("clip.end must lie after clip.start, and within 86400 seconds.", field="clip")


def _check_languages(languages: tuple[str, ...]) -> None:
    if len(languages) > MAX_SUBTITLES:
        raise InvalidRequest(f"subtitles names more than {MAX_SUBTITLES} languages.", field="subtitles")
    if not all(_LANGUAGE.fullmatch(language) for language in languages):
        raise InvalidRequest('subtitles must be language codes, such as "en" or "pt-BR".', field="subtitles")


def clean_text(text: str, *, keep: Callable[[str], bool] = str.isprintable) -> str:
    """`text` on one line, without control and direction-changing characters, so that it reads as what it is.

    `str.isprintable` is false for the Unicode categories Other and Separator but the plain space: that is every control
    character and every bidirectional control (UAX #9), which could make a name read backwards.
    """
    return " ".join("".join(char if keep(char) else " " for char in text).split())
