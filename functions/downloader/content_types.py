"""Everything that a fetcher may hand over, by extension, and what it is served as. Nothing else leaves this service."""

CONTENT_TYPES = {
    "mp4": "video/mp4",
    "webm": "video/webm",
    "mkv": "video/x-matroska",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "opus": "audio/ogg",
    "ogg": "audio/ogg",
    "flac": "audio/flac",
    "wav": "audio/wav",
    "mka": "audio/x-matroska",
}

SUBTITLES, THUMBNAIL = "subtitles", "thumbnail"
# The same for what goes with a medium, by kind.
EXTRA_CONTENT_TYPES = {
    SUBTITLES: {"vtt": "text/vtt"},
    THUMBNAIL: {"jpg": "image/jpeg", "png": "image/png", "webp": "image/webp"},
}
MAX_EXTRA_BYTES = {SUBTITLES: 10 * 1024**2, THUMBNAIL: 5 * 1024**2}
