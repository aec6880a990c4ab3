"""The second contract's `/api/info`: how it shows what was found at an address. Pure."""

from reelhaul.contracts.replies import Body
from reelhaul.findings import Entry, Format, Inspection


def inspected(found: Inspection) -> Body:
    """Units are those of the contract: seconds, bytes and pixels, and kbit/s for `tbr`."""
    return {
        "url": found.url,
        "webpage_url": found.webpage_url or found.url,
        "title": found.title,
        "uploader": found.uploader,
        "duration": found.duration_s,
        "thumbnail": found.thumbnail or "",
        "is_live": found.is_live,
        "formats": [_format(each) for each in found.formats],
        "subtitles": list(found.subtitles),
        "is_playlist": found.is_playlist,
        "playlist_count": found.entry_count,
        "entries": [_entry(each) for each in found.entries],
    }


def _format(each: Format) -> Body:
    return {
        "format_id": each.format_id,
        "ext": each.extension,
        "format_note": each.format_note,
        "height": each.height,
        "width": each.width,
        "fps": each.fps,
        "vcodec": each.video_codec,
        "acodec": each.audio_codec,
        "filesize": each.filesize,
        "tbr": each.bitrate,
        "has_video": each.has_video,
        "has_audio": each.has_audio,
    }


def _entry(each: Entry) -> Body:
    return {"title": each.title, "url": each.url}
