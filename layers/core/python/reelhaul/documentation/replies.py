"""What the two contracts answer: downloads, lists, and errors in their one shape. Pure."""

from reelhaul.documentation.requests import ID_PATTERN
from reelhaul.documentation.words import (
    Schema,
    always,
    choice,
    flag,
    many,
    number,
    or_null,
    record,
    ref,
    text,
    time,
    whole,
)
from reelhaul.errors import JobsPerDayReached
from reelhaul.items import STATUSES
from reelhaul.jobs import PLAYLIST_LIMIT, DeliveryState
from reelhaul.options import AUDIO_FORMATS, CONTAINERS, DOWNLOAD_TYPES, PLAYLIST_MODES, QUALITIES

_ID = text("The download's id. Ids sort by the time of creation.", pattern=ID_PATTERN)
_OUTPUT_URL = text("Where to wait for the end, with the key, for as long as its `status` is processing.", format="uri")
_STATUS = choice(sorted(set(STATUSES.values())), "error: it ended without a file, also by being cancelled or expiring.")
_DONE = always(value=True)
_OFFLINE_STATUSES = ("pending", "downloading", "processing", "completed", "error", "cancelled")
_ERROR = {
    "success": always(value=False),
    "message": text("A sentence for people."),
    "detail": text("The same sentence, for clients of the second contract."),
    "code": text("What is the matter, for programs. Stable.", pattern=r"^[a-z_]+(\.[a-z_]+)*$"),
    "field": text("The field, parameter or header that is to blame, where it is one of them."),
}

ERRORS: dict[str, Schema] = {
    "Error": record(_ERROR, optional=["field"], description="Why a request was not carried out."),
    "AsyncError": record(
        _ERROR
        | {"status": choice(["processing", "failed"], "processing: a trouble of ours that may pass, ask again.")},
        optional=["field"],
        description="The same, for clients that look at `status` alone.",
    ),
    "GatewayError": {
        "type": "object",
        "description": "API Gateway's own words, for what never reached this service's code.",
        "properties": {"message": {"type": ["string", "null"]}},
        "required": ["message"],
        "additionalProperties": False,
    },
}

# --- the first contract ----------------------------------------------------------------------------------------------

_CERTAIN = {
    "id": _ID,
    "name": text("What the file is called, with its extension once that is known."),
    "status": _STATUS,
    "created_at": time("When it was asked for."),
}
_USUAL = {
    "url": text("What was asked for."),
    "progress": number("Per cent; of a playlist, how many of its items have ended.", maximum=100),
    "downloaded_bytes": whole("How much has been fetched."),
    "filesize": or_null(whole("Bytes; an estimate until the download is done.")),
    "speed": or_null(number("Bytes a second.")),
    "eta": or_null(number("Seconds.")),
    "title": or_null(text("The media's own title.")),
    "thumbnail": or_null(text("The address of an image at the source.")),
    "duration": or_null(number("Seconds.")),
    "completed_at": or_null(time("When it ended.")),
    "attempts": whole("How often it has been tried."),
    "retention_days": whole("How many days its file is kept.", low=1),
    "quality": choice(QUALITIES, "As asked for."),
    "download_type": choice(DOWNLOAD_TYPES, "As asked for."),
}
_SPECIAL = {
    "audio_format": choice(AUDIO_FORMATS, "As asked for, where that is not the default; so are the next four."),
    "container": choice(CONTAINERS, "As asked for."),
    "clip": record({"start": number("Seconds."), "end": number("Seconds.")}, optional=["end"]),
    "playlist": choice(PLAYLIST_MODES, "As asked for."),
    "playlist_limit": whole("As asked for.", low=1),
}
_WHEN_DONE = {
    "download_url": text("A link to the file, good for 24 hours from now."),
    "expires_at": time("Until when `download_url` is good."),
    "thumbnail_url": text("A link to the stored image, as good, of a download that is shown alone and has one."),
    "file_expires_at": time("Until when there is a file."),
    "checksum_sha256": text("Of the file.", pattern="^[0-9a-f]{64}$"),
    "content_type": text("What the file is."),
}
_WHEN_ERROR = {
    "error": text("Why, as a sentence."),
    "error_code": text("Why, for programs."),
}
_WITH_SUBTITLES = {
    "subtitles": many(
        record(
            {
                "language": text("As it was asked for."),
                "format": text('As in "vtt".'),
                "content_type": text("What the file is."),
                "filesize": whole("Bytes."),
                "url": text("A link to the file, good for 24 hours from now."),
                "expires_at": time("Until when `url` is good."),
            }
        ),
        "What there is of what was asked for, once it is done.",
    ),
    "subtitles_missing": many(text("A language."), "What there is not."),
}
_ITEM = {
    "id": _ID,
    "playlist_index": whole("Its number in the playlist, from 1."),
    "name": text("What its file is called."),
    "status": _STATUS,
    "progress": number("Per cent.", maximum=100),
    **_WHEN_ERROR,
}
_OF_PLAYLIST = {
    "is_playlist": flag("True for a playlist, and for an item of one."),
    "playlist_id": text("Of an item: the playlist's id.", pattern=ID_PATTERN),
    "playlist_index": whole("Of an item: its number, from 1; 0 for the playlist."),
    "playlist_total": whole("How many items there are."),
    "truncated": flag("Of a playlist: whether the source has more items than were taken."),
    "truncated_by": choice([PLAYLIST_LIMIT, JobsPerDayReached.code], "What was in the way of the others."),
    "items_total": whole("Of a playlist: how many items became downloads."),
    "items_done": whole("How many of them are done."),
    "items_failed": whole("How many failed."),
    "items_cancelled": whole("How many were cancelled."),
    "items": many(ref("PlaylistItem"), "Of a playlist that is shown alone: its items, each of them a download."),
    "failed_items": many(ref("PlaylistItem"), "Those that failed, once all have ended."),
}
_WITH_CALLBACK = {
    "callback_url": text("What is told about the end."),
    "webhook": record(
        {
            "event_id": text("The same for every attempt to tell it."),
            "state": choice([state.value for state in DeliveryState], "failed: given up. stopped: it answered 410."),
            "attempts": whole("How often that has been tried."),
            "response_status": or_null(whole("The HTTP status of its last answer.")),
            "error": or_null(text("Why the last attempt failed.")),
            "last_attempt_at": or_null(time("When that was.")),
            "next_attempt_at": or_null(time("When it is tried next.")),
        },
        description="How far telling it has come, once the download has ended.",
    ),
}
_JOB = _CERTAIN | _USUAL | _SPECIAL | _WHEN_DONE | _WHEN_ERROR | _WITH_SUBTITLES | _OF_PLAYLIST | _WITH_CALLBACK


def _download(status: str, *also: str) -> Schema:
    """What is certain of a download with this status."""
    return {"properties": {"status": {"const": status}}, "required": [*also]}


FIRST: dict[str, Schema] = {
    "Download": record(
        _JOB, optional=[*(_JOB.keys() - _CERTAIN.keys())], description="A download as the first contract shows it."
    )
    | {
        "oneOf": [
            _download("processing") | {"not": {"anyOf": [{"required": ["download_url"]}, {"required": ["error"]}]}},
            _download("done") | {"not": {"required": ["error"]}},
            _download("error", "error", "error_code") | {"not": {"required": ["download_url"]}},
        ]
    },
    "PlaylistItem": record(_ITEM, optional=[*_WHEN_ERROR], description="An item as its playlist shows it."),
    "Accepted": record(
        {
            "success": _DONE,
            "status": always("processing"),
            "download_id": _ID,
            "data": record(
                {
                    "id": _ID,
                    "download_id": _ID,
                    "name": text("What the file will be called, as far as that is known."),
                    "status": always("processing"),
                    "output_url": _OUTPUT_URL,
                }
            ),
        }
    ),
    "Shown": record({"success": _DONE, "data": ref("Download")}) | {"not": {"required": ["status"]}},
    "Listing": record(
        {
            "success": _DONE,
            "data": record(
                {
                    "downloads": many(ref("Download"), "Newest first."),
                    "total": whole("How many there are with this `status`, on all pages."),
                    "next_token": or_null(text("Where the next page begins; null on the last.")),
                }
            ),
        }
    ),
    "Updates": record(
        {
            "success": _DONE,
            "data": record(
                {
                    "downloads": many(ref("Download"), "The newest 50, and up to 200 that are processing; no links."),
                    "total": whole("How many there are in all."),
                }
            ),
        }
    ),
    "AsyncResponse": {
        "oneOf": [
            record(
                {
                    "success": _DONE,
                    "status": always("processing"),
                    "data": record(
                        {"id": _ID, "output_url": _OUTPUT_URL, "percentage": whole("How far it is.", maximum=100)}
                    ),
                },
                description="It has not ended yet.",
            ),
            record(
                {"success": _DONE, "status": always("done"), "data": ref("Download")},
                description="It is done.",
            ),
            record(
                {name: schema for name, schema in _ERROR.items() if name != "field"} | {"status": always("failed")},
                description="It ended without a file.",
            ),
        ]
    },
    "Deleted": record({"success": _DONE, "message": text("A sentence for people.")}),
}

# --- the second contract ---------------------------------------------------------------------------------------------

SECOND: dict[str, Schema] = {
    "OfflineAccepted": record({"download_id": _ID, "id": _ID, "status": choice(_OFFLINE_STATUSES, "How it stands.")}),
    "OfflineDownload": record(
        {
            "id": _ID,
            "url": text("What was asked for."),
            "title": text("What it is called."),
            "thumbnail": text('The address of an image, at the source or here; "" for none.'),
            "status": choice(_OFFLINE_STATUSES, "How it stands."),
            "progress": number("Per cent.", maximum=100),
            "speed": text('As in "3.2 MB/s"; "" when idle.'),
            "eta": text('As in "120s"; "" when idle.'),
            "filesize": whole("Bytes; 0 while not known."),
            "downloaded_bytes": whole("Bytes."),
            "format_note": text('As in "1080p"; "" while not known.'),
            "is_playlist": flag("Whether it is an item of a playlist."),
            "playlist_index": whole("Which item, from 1; 0 for none."),
            "playlist_total": whole("Of how many items; 0 for none."),
            "filename": text('What the file is called; "" until it is there.'),
            "quality": choice(QUALITIES, "As asked for."),
            "download_type": choice(DOWNLOAD_TYPES, "As asked for."),
            "error_message": text('Why it ended without a file; "" otherwise.'),
            "created_at": time("When it was asked for."),
            "completed_at": or_null(time("When it was done; null until then.")),
        },
        description="A download as the second contract shows it.",
    ),
    "Said": record({"message": text("A sentence for people.")}),
    "Info": record(
        {
            "url": text("What was asked for."),
            "webpage_url": text("What the source itself calls the place."),
            "title": text("What it is called."),
            "uploader": text('Who put it there; "" where that is not told.'),
            "duration": or_null(number("Seconds.")),
            "thumbnail": text('The address of an image at the source; "" for none.'),
            "is_live": flag("Whether it is being broadcast now: then a download takes a clip with an end."),
            "formats": many(ref("Format"), "In which forms the source has it; none for a playlist."),
            "subtitles": many(text("A language."), "In which languages there are subtitles."),
            "is_playlist": flag("Whether it is several media."),
            "playlist_count": or_null(whole("How many, where that is known.")),
            "entries": many(
                record({"title": text("What it is called."), "url": text("Where it is.")}), "The first of them."
            ),
        },
        description="What a download would be of.",
    ),
    "Format": record(
        {
            "format_id": text("The source's name for it."),
            "ext": text('As in "mp4".'),
            "format_note": text('As in "1080p"; "" where that is not told.'),
            "height": or_null(whole("Pixels.")),
            "width": or_null(whole("Pixels.")),
            "fps": or_null(number("Pictures a second.")),
            "vcodec": or_null(text("How the picture is coded.")),
            "acodec": or_null(text("How the sound is coded.")),
            "filesize": or_null(whole("Bytes, perhaps an estimate.")),
            "tbr": or_null(number("kbit/s.")),
            "has_video": flag("Whether there is a picture."),
            "has_audio": flag("Whether there is sound."),
        },
        description="One form in which the source has it.",
    ),
}

ITSELF: dict[str, Schema] = {"Health": record({"status": always("ok")})}
ALL = ERRORS | FIRST | SECOND | ITSELF
