"""File names as HTTP carries them. Pure."""

from urllib.parse import quote

_FALLBACK = "download"
_MAX_BYTES = 255  # the longest file name that common file systems take, in UTF-8


def content_disposition(filename: str) -> str:
    """`Content-Disposition: attachment` with `filename`, for every client: RFC 6266, the exact name as `filename*`.

    Directory separators and other characters that file systems refuse become underscores. The result is ASCII.
    """
    safe = _shortened("".join("_" if char in '/\\:*?"<>|' else char for char in filename).strip(" .") or _FALLBACK)
    plain = safe.encode("ascii", "replace").decode().replace("?", "_")
    if plain == safe:
        return f'attachment; filename="{plain}"'
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(safe, safe='')}"


def _shortened(name: str) -> str:
    """`name` in at most `_MAX_BYTES` bytes, its extension kept."""
    if len(name.encode()) <= _MAX_BYTES:
        return name
    stem, dot, extension = name.rpartition(".")
    if not dot or len(extension) > 10:
        stem, dot, extension = name, "", ""
    room = _MAX_BYTES - len(f"{dot}{extension}".encode())
    return stem.encode()[:room].decode(errors="ignore").rstrip() + dot + extension
