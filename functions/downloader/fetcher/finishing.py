"""From what came to what is handed over, in the container and with the tracks that were asked for.

What has to be done is told by `recipes`. A clip is cut out of the whole file: an mp4 (and m4a) without encoding
anything, since it can hold the pictures from the key frame before and still begin with the one that was asked for.
Elsewhere its video is encoded, unless it begins with a key frame.
"""

import dataclasses
import shutil
import signal
import subprocess
from pathlib import Path

from downloader import room
from downloader.content_types import CONTENT_TYPES
from downloader.fetcher import clips, editlists, programs, recipes
from downloader.fetcher.clips import Cut
from downloader.fetcher.probe import Probe, probe
from downloader.fetcher.recipes import COPY, Recipe
from downloader.fetcher.timing import Deadline
from reelhaul.errors import (
    SourceError,
    SourceNoAudio,
    SourceNotMedia,
    SourceTooLarge,
    SourceTooLong,
    SourceTooSlow,
    WorkerCrashed,
)
from reelhaul.options import Clip, Options

_FULL_BYTES = 1024**2  # a disk with less than this is full
# ffmpeg and its encoders have no status of their own for it.
_OUT_OF_MEMORY = ("Cannot allocate memory", "Memory allocation error", "malloc of size")
_INDEXED = ("mov", "matroska")  # demuxers that find the key frame before any time


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Output:
    """`source_start_s` is the time on the source's own clock at which what came began, where it has such a clock.

    `clip_start_s` is how much of it was cut off, `None` if it is no clip. What comes after `reach_s` may not be on the
    disk any more.
    """

    path: Path
    extension: str
    content_type: str
    duration_s: float | None
    format_note: str
    has_video: bool
    source_start_s: float | None
    clip_start_s: float | None
    reach_s: float | None = None


def finish(path: Path, options: Options, *, deadline: Deadline, max_duration_s: int = 0) -> Output:
    """Make the file at `path` what is handed over, in the same directory.

    Should it not come to its end, the file is there for another try, unless the disk has no room for that.
    Raises as `probe` does, `SourceNoAudio`, `SourceClipOutOfRange`, `SourceTooLong` for what came (a clip is not yet
    cut out of it) unless `max_duration_s` is 0, and `SourceTooSlow` at the deadline.
    """
    came_as, came = path, probe(path)
    found = came
    if max_duration_s and (found.duration_s or 0) > max_duration_s:
        raise SourceTooLong
    if options.download_type == "audio" and not found.audio:
        raise SourceNoAudio
    wanted = recipes.recipe(found, options)
    start_s = None
    if options.clip is not None and options.clip != Clip():
        path, start_s = _clip(path, found, wanted, options.clip, deadline=deadline)
    elif not recipes.is_already(wanted, found):
        path = _make(path, found, wanted, deadline=deadline)
    if path != came_as:
        found = probe(path)
        came_as.unlink(missing_ok=True)
    as_audio = wanted.video is None
    return Output(
        path=path,
        extension=wanted.extension,
        content_type=CONTENT_TYPES[wanted.extension],
        duration_s=found.duration_s,
        format_note=note(found, as_audio=as_audio),
        has_video=not as_audio,
        source_start_s=came.start_s if came.is_read_by("mpegts") else None,
        clip_start_s=start_s,
    )


def _clip(path: Path, found: Probe, wanted: Recipe, clip: Clip, *, deadline: Deadline) -> tuple[Path, float]:
    """The part of the file, and where it starts in the whole."""
    with_video = wanted.video is not None
    whole = path
    if with_video and (found.fragmented or not any(found.is_read_by(one) for one in _INDEXED)):
        path = _indexed(whole, found, deadline=deadline)
        found = probe(path)
        if not _is_room_for_another(path):
            whole.unlink()
    cut = clips.find(path, found, clip, with_video=with_video)
    wanted = recipes.for_clip(wanted, found, on_key_frame=cut.on_key_frame)
    made = _make(path, found, wanted, cut=cut, deadline=deadline)
    if wanted.has_edit_lists and cut.seconds is not None:
        editlists.end_at(made, cut.seconds)
    if path != whole:
        path.unlink()
    return made, cut.start_s


def _is_room_for_another(path: Path) -> bool:
    """Whether something as large as that file can lie beside all that is there. A clip may be nearly all of it."""
    held = sum(file.stat().st_blocks for file in path.parent.iterdir()) * 512
    size = path.stat().st_size
    return held + size <= room.most_bytes(path.parent) and size < shutil.disk_usage(path.parent).free


def _indexed(path: Path, found: Probe, *, deadline: Deadline) -> Path:
    """The same in a container that can be cut exactly: mov keeps times as they are, Matroska holds everything."""
    for extension in ("mov", "mkv"):
        whole = Recipe(extension=extension, video=COPY, audio=(COPY,) * len(found.audio))
        try:
            return _make(path, found, whole, deadline=deadline)
        except SourceNotMedia:
            if extension == "mkv":
                raise
    raise SourceNotMedia


def _make(path: Path, found: Probe, wanted: Recipe, *, deadline: Deadline, cut: Cut | None = None) -> Path:
    """The file made anew, beside the old one."""
    target = path.with_name(f"{'clip' if cut else 'finished'}.{wanted.extension}")
    before = [*wanted.before_input, *(cut.before_input if cut else [])]
    after = cut.after_input if cut else []
    if cut and not wanted.has_edit_lists:
        after += ["-copypriorss", "0"]  # of what is copied, nothing from before the start
    command = ["-nostdin", "-y", *before, "-i", f"file:{path}", *wanted.arguments(found), *after, *wanted.muxer]
    try:
        done = programs.run("ffmpeg", *command, f"file:{target}", timeout_s=deadline.left())
    except subprocess.TimeoutExpired as error:
        raise SourceTooSlow from error
    if done.returncode != 0:
        target.unlink(missing_ok=True)
        said = done.stderr.decode(errors="replace")
        raise why(done.returncode, said, target)(said[-300:])
    return target


def why(returncode: int, said: str, target: Path) -> type[SourceError]:
    """What a failure of ffmpeg means: the limits of this place come before the faults of the file."""
    if returncode == -signal.SIGXFSZ or shutil.disk_usage(target.parent).free < _FULL_BYTES:
        return SourceTooLarge
    if any(words in said for words in _OUT_OF_MEMORY):
        return SourceTooLarge
    return WorkerCrashed if returncode < 0 else SourceNotMedia


def note(found: Probe, *, as_audio: bool) -> str:
    if not as_audio:
        return f"{found.lines}p" if found.lines else ""
    return f"{round(found.bits_per_s / 1000)}k" if found.bits_per_s else ""
