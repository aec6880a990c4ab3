"""A still picture of a medium: the source's own, else a frame of the video."""

from pathlib import Path
from typing import Any

from downloader.content_types import MAX_EXTRA_BYTES, THUMBNAIL
from downloader.fetcher import programs
from downloader.fetcher.extras import Extra, Session, if_possible
from downloader.fetcher.finishing import Output

FRAME_S = 9.0  # for taking a frame
_INTO_IT = 0.1  # where in the video; it often begins in black
_MOST_INTO_IT_S = 10.0
_SHORT_S = 3.0  # hardly has more than one key frame
_SMALL = "scale='min(640,iw)':-2:out_range=full"
_PICTURE = ["-map", "0:V:0", "-frames:v", "1", "-vf", _SMALL, "-c:v", "mjpeg", "-pix_fmt", "yuvj420p", "-q:v", "4"]


def fetch(info: dict[str, Any], output: Output, session: Session) -> list[Extra]:
    """A picture, if there is one to be had."""
    found = if_possible(lambda: _from_source(info, session), "thumbnail", seconds=session.seconds)
    if found or not output.has_video:
        return found
    return if_possible(lambda: _frame(output, session), "frame", seconds=session.seconds)


def image_extension(data: bytes) -> str | None:
    """What kind of picture it is, by its first bytes."""
    if data.startswith(b"\xff\xd8\xff"):
        return "jpg"
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    return None


def _from_source(info: dict[str, Any], session: Session) -> Extra | None:
    url = info.get("thumbnail")
    if not isinstance(url, str):
        return None
    data = session.page(url, info.get("http_headers") or {}, most=MAX_EXTRA_BYTES[THUMBNAIL])
    extension = image_extension(data)
    if extension is None:
        return None
    path = session.directory / f"thumbnail.{extension}"
    path.write_bytes(data)
    return Extra(kind=THUMBNAIL, path=path, extension=extension)


def _frame(output: Output, session: Session) -> Extra | None:
    """The next key frame, which alone is decoded; where none comes soon, just the frame that plays then."""
    path = session.directory / "thumbnail.jpg"
    within_s = _MOST_INTO_IT_S if output.reach_s is None else min(_MOST_INTO_IT_S, output.reach_s)
    at_s = min((output.duration_s or 0.0) * _INTO_IT, within_s)
    soon_s = _MOST_INTO_IT_S if output.reach_s is None else min(_MOST_INTO_IT_S, output.reach_s / 2)
    key_frame = ["-threads", "1", "-discard:v", "nokey", "-skip_frame", "nokey", "-t", f"{soon_s:.3f}"]
    every_frame = ["-threads", "2"]
    for how in (key_frame, every_frame) if (output.duration_s or 0.0) > _SHORT_S else (every_frame,):
        source = ["-nostdin", "-y", *how, "-ss", f"{at_s:.3f}", "-i", f"file:{output.path}"]
        done = programs.run("ffmpeg", *source, *_PICTURE, "-f", "mjpeg", f"file:{path}", timeout_s=FRAME_S)
        if done.returncode == 0 and _is_picture(path):
            return Extra(kind=THUMBNAIL, path=path, extension="jpg")
        path.unlink(missing_ok=True)
    return None


def _is_picture(path: Path) -> bool:
    return (
        path.is_file()
        and path.stat().st_size <= MAX_EXTRA_BYTES[THUMBNAIL]
        and image_extension(path.read_bytes()) == "jpg"
    )
