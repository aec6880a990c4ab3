"""From what came to what is handed over: the same pictures and sounds, in a container that people can play.

Nothing is encoded again. Video becomes mp4 where its codecs belong there, else it stays webm or becomes mkv. Audio is
taken out of its container into the one that its codec calls for.
"""

import dataclasses
import shutil
import signal
from pathlib import Path

from downloader.content_types import CONTENT_TYPES
from downloader.fetcher import programs
from downloader.fetcher.probe import Probe, probe
from reelhaul.errors import SourceError, SourceNotMedia, SourceTooLarge, WorkerCrashed

REMUX_S = 600
_FULL_BYTES = 1024**2  # a disk with less than this is full

# What players expect in an mp4. It may legally hold more (VP9, Opus), which many do not play from there.
_MP4_VIDEO = {"h264", "hevc", "av1", "mpeg4"}
_MP4_AUDIO = {"aac", "mp3", "ac3", "eac3", "alac"}
_WEBM_VIDEO = {"vp8", "vp9", "av1"}
_WEBM_AUDIO = {"opus", "vorbis"}
_AUDIO_EXTENSIONS = {
    "aac": "m4a", "alac": "m4a", "mp3": "mp3", "opus": "opus", "vorbis": "ogg", "flac": "flac",
    "pcm_s16le": "wav", "pcm_s24le": "wav", "pcm_s32le": "wav", "pcm_u8": "wav", "pcm_f32le": "wav",
}  # fmt: skip
# The demuxer (as ffmpeg names it) that reads what an extension promises.
_DEMUXERS = {
    "mp4": "mov", "m4a": "mov", "webm": "matroska", "mkv": "matroska", "mka": "matroska", "mp3": "mp3", "opus": "ogg",
    "ogg": "ogg", "flac": "flac", "wav": "wav",
}  # fmt: skip
_MUXERS = {"m4a": "ipod", "mkv": "matroska", "mka": "matroska", "opus": "ogg"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    path: Path
    extension: str
    content_type: str
    duration_s: float | None
    format_note: str


def finish(path: Path, *, wants_audio: bool) -> Output:
    """Make the file at `path` what is handed over, in the same directory. Raises as `probe` does."""
    found = probe(path)
    as_audio = wants_audio or not found.video
    if as_audio and not found.audio:
        raise SourceNotMedia
    extension = audio_extension(found) if as_audio else video_extension(found)
    if not _is_already(extension, found, as_audio=as_audio):
        path = _remux(path, extension, found, as_audio=as_audio)
        found = probe(path)
    return Output(
        path=path,
        extension=extension,
        content_type=CONTENT_TYPES[extension],
        duration_s=found.duration_s,
        format_note=_note(found, as_audio=as_audio),
    )


def video_extension(found: Probe) -> str:
    video, audio = set(found.video), set(found.audio)
    if video <= _MP4_VIDEO and audio <= _MP4_AUDIO:
        return "mp4"
    if video <= _WEBM_VIDEO and audio <= _WEBM_AUDIO:
        return "webm"
    return "mkv"


def audio_extension(found: Probe) -> str:
    return _AUDIO_EXTENSIONS.get(found.audio[0], "mka")


def _is_already(extension: str, found: Probe, *, as_audio: bool) -> bool:
    if as_audio and found.video:
        return False
    return _DEMUXERS[extension] in found.demuxer.split(",") and not found.quicktime


def _remux(path: Path, extension: str, found: Probe, *, as_audio: bool) -> Path:
    target = path.with_name(f"finished.{extension}")
    streams = ["-map", "0:a:0"] if as_audio else ["-map", "0:V:0", "-map", "0:a?"]  # V: without cover pictures
    hevc = ["-tag:v", "hvc1"] if extension == "mp4" and "hevc" in found.video else []  # the tag that Apple plays
    front = ["-movflags", "+faststart"] if extension in {"mp4", "m4a"} else []
    muxer = ["-f", _MUXERS.get(extension, extension)]
    source = ["-nostdin", "-y", "-i", f"file:{path}", *streams, "-c", "copy", "-map_chapters", "-1"]
    done = programs.run("ffmpeg", *source, *hevc, *front, *muxer, f"file:{target}", timeout_s=REMUX_S)
    if done.returncode != 0:
        raise _why(done.returncode, target)(done.stderr.decode(errors="replace")[-300:])
    path.unlink()
    return target


def _why(returncode: int, target: Path) -> type[SourceError]:
    """What a failure of ffmpeg means: the limits of this place come before the faults of the file."""
    if returncode == -signal.SIGXFSZ or shutil.disk_usage(target.parent).free < _FULL_BYTES:
        return SourceTooLarge
    return WorkerCrashed if returncode < 0 else SourceNotMedia


def _note(found: Probe, *, as_audio: bool) -> str:
    if not as_audio:
        return f"{found.lines}p" if found.lines else ""
    return f"{round(found.bits_per_s / 1000)}k" if found.bits_per_s else ""
