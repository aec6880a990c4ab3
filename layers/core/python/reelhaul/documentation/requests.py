"""What the two contracts accept: the bodies, and the parameters outside of them. Pure."""

from reelhaul.contracts import downloads, offline
from reelhaul.documentation.words import Schema, choice, closed, many, number, or_null, ref, text, whole
from reelhaul.items import STATUSES
from reelhaul.options import (
    AUDIO_FORMATS,
    CONTAINERS,
    DOWNLOAD_TYPES,
    MAX_CLIP_S,
    MAX_NAME_CHARS,
    MAX_PLAYLIST_ITEMS,
    MAX_SUBTITLES,
    PLAYLIST_MODES,
    QUALITIES,
)
from reelhaul.sources import MAX_URL_CHARS

ID_PATTERN = "^download-[0-9a-hjkmnp-tv-z]{26}$"
DOCS_FILES = ("start.js", "swagger-ui.css", "swagger-ui.js")
# Whether an address parses, and whether all of it can be printed, is more than a pattern can say.
_AFTER_SCHEME = r"://[^\s/?#@]+([/?#]\S*)?$"
_HTTP, _HTTPS = f"^[Hh][Tt][Tt][Pp][Ss]?{_AFTER_SCHEME}", f"^[Hh][Tt][Tt][Pp][Ss]{_AFTER_SCHEME}"
_LANGUAGE = "^[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,4}$"


def address(description: str, *, pattern: str = _HTTP) -> Schema:
    return text(description, pattern=pattern, maxLength=MAX_URL_CHARS)


# --- bodies ----------------------------------------------------------------------------------------------------------


_SOURCE = (
    "The address of the media, or of a page with media: http or https, without user name and password. This service "
    "does not connect to private addresses."
)


_PLAYLIST = {
    "type": ["string", "boolean", "null"],
    "enum": [*PLAYLIST_MODES, True, False, None],
    "description": '"auto": a URL that names one video is that video, one that names only a playlist is expanded into '
    "its items. true: expanded whenever there is a playlist. false: never.",
    "default": "auto",
}


def _options(default_quality: str, max_retention_days: int, max_playlist_items: int) -> dict[str, Schema]:
    fields = {
        "name": text("What the file will be called. Left out: the media's own title.", maxLength=MAX_NAME_CHARS),
        "quality": choice(
            QUALITIES,
            "The best that is not above it, by the number of lines; if everything is above it, the lowest there is.",
            default=default_quality,
        ),
        "download_type": choice(DOWNLOAD_TYPES, "Picture and sound, or sound alone.", default="video"),
        "audio_format": choice(
            AUDIO_FORMATS,
            'What sound alone is converted to; "best" keeps what the source has. Only with "download_type": "audio".',
            default="best",
        ),
        "container": choice(
            CONTAINERS, 'What kind of file a video comes in. Only with "download_type": "video".', default="mp4"
        ),
        "subtitles": many(
            text("A language tag (RFC 5646).", pattern=_LANGUAGE),
            "The languages whose subtitles are wanted, as files of their own, where the source has them.",
            maxItems=MAX_SUBTITLES,
        ),
        "clip": ref("Clip"),
        "playlist_limit": whole(
            "How many items of a playlist at most.", low=1, maximum=max_playlist_items, default=max_playlist_items
        ),
        "callback_url": address(
            "An https address that is told when the job has ended, by a POST signed after the Standard Webhooks "
            "specification.",
            pattern=_HTTPS,
        ),
        "retention_days": whole(
            "How many days the file is kept. What is usual and what is the most is for the operator to say.",
            low=1,
            maximum=max_retention_days,
        ),
    }
    return {name: or_null(schema) for name, schema in fields.items()} | {"playlist": _PLAYLIST}


def _only(**fields: list[str]) -> Schema:
    """These fields, where given, have one of these values."""
    return {"properties": {name: {"enum": [*values, None]} for name, values in fields.items()}}


_VIDEO_OR_AUDIO = {
    "anyOf": [
        _only(download_type=["video"], audio_format=["best"]),
        {
            "required": ["download_type"],
            "properties": {"download_type": {"const": "audio"}, "container": {"enum": ["mp4", None]}},
        },
    ]
}
_ONE_ADDRESS = {
    "oneOf": [
        {"required": ["stream_link"], "properties": {"stream_link": {"type": "string"}, "url": {"type": "null"}}},
        {"required": ["url"], "properties": {"url": {"type": "string"}, "stream_link": {"type": "null"}}},
    ]
}


def bodies(*, max_retention_days: int, max_playlist_items: int = MAX_PLAYLIST_ITEMS) -> dict[str, Schema]:
    """The schemas of all request bodies by name, for a service that keeps a file for so long at most."""
    most = (max_retention_days, max_playlist_items)
    return {
        "Clip": closed(
            {
                "start": or_null(number("Seconds from the beginning.", exclusiveMaximum=MAX_CLIP_S, default=0)),
                "end": or_null(
                    number("Seconds from the beginning, after `start`. Left out: the end.", maximum=MAX_CLIP_S)
                ),
            },
            description="A part of the media.",
        ),
        "DownloadRequest": closed(
            {
                "stream_link": or_null(address(_SOURCE)),
                "url": or_null(address("Another name of `stream_link`; one of them is required.")),
                **_options("best", *most),
            },
            description="What the first contract creates a download from. `null` is the same as leaving a field out.",
            allOf=[_ONE_ADDRESS, _VIDEO_OR_AUDIO],
        ),
        "OfflineRequest": closed(
            {"url": address(_SOURCE), **_options("720p", *most)},
            required=["url"],
            description="What the second contract creates a download from. `null` is the same as leaving a field out.",
            allOf=[_VIDEO_OR_AUDIO],
        ),
        "InfoRequest": closed(
            {"url": address(_SOURCE), "playlist": _PLAYLIST}, required=["url"], description="What is to be looked at."
        ),
        "RetryRequest": closed({}, description="Nothing: a retry takes the download's own parameters."),
        "DeletionRequest": closed(
            {"download_id": or_null(text("The download's id.", pattern=ID_PATTERN))},
            description="Which download, where the query does not say so: one of them has to.",
        ),
    }


# --- parameters ------------------------------------------------------------------------------------------------------


def _parameter(name: str, place: str, schema: Schema, *, required: bool = False) -> Schema:
    description = schema.pop("description")
    return {"name": name, "in": place, "description": description, "required": required, "schema": schema}


PARAMETERS: dict[str, Schema] = {
    "Id": _parameter(
        "id", "path", text("The download's id, as its creation told it.", pattern=ID_PATTERN), required=True
    ),
    "File": _parameter("file", "path", choice(DOCS_FILES, "A file that /docs loads."), required=True),
    "Asset": _parameter(
        "file",
        "path",
        text("A file that the page at `/` names. It has another name whenever it has changed.", pattern=r"^[\w.-]+$"),
        required=True,
    ),
    "IdempotencyKey": _parameter(
        "Idempotency-Key",
        "header",
        text(
            "Chosen by the client, one for each thing that is to happen once: the same key with the same request gives "
            "the same download, however often it is sent.",
            minLength=1,
            maxLength=255,
            pattern="^[!-~]([ -~]*[!-~])?$",
        ),
    ),
    "PageIndex": _parameter(
        "page_index",
        "query",
        whole("Which page, from 0. Costs more the deeper it goes.", maximum=10**9 - 1, default=0),
    ),
    "Count": _parameter(
        "count",
        "query",
        whole("How many downloads at most.", low=1, maximum=downloads.MAX_COUNT, default=downloads.DEFAULT_COUNT),
    ),
    "Status": _parameter("status", "query", choice(sorted(set(STATUSES.values())), "Only downloads with this status.")),
    "NextToken": _parameter(
        "next_token",
        "query",
        text("Where an earlier listing with the same `status` ended. Not together with `page_index`.", minLength=1),
    ),
    "Wait": _parameter(
        "wait",
        "query",
        whole("How many seconds to wait for news.", maximum=downloads.MAX_WAIT_S, default=downloads.MAX_WAIT_S),
    ),
    "IfNoneMatch": _parameter(
        "If-None-Match", "header", text("The `ETag` of the reply that is known. Without it nothing is waited for.")
    ),
    "Limit": _parameter(
        "limit",
        "query",
        whole("How many downloads at most.", low=1, maximum=offline.MAX_ROWS, default=offline.MAX_ROWS),
    ),
    "DownloadId": _parameter(
        "download_id", "query", text("The download's id. Required unless the body tells it.", pattern=ID_PATTERN)
    ),
}
