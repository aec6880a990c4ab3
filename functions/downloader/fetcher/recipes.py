"""What has to be done to a file so that it is what was asked for. Pure: from what it is to ffmpeg's arguments.

What the wanted container can hold and players play from there is copied. Else the sound is encoded, which is cheap (a
hundred times faster than it plays), and the picture only where the container cannot hold it at all: on two cores x264
("veryfast", CRF 20) and VP9 ("realtime", CRF 30) take 1080p about as fast as it plays, 2160p several times as long.
Sound in more than two channels is mixed down where it is encoded with a loss.

Rates: AAC and Opus with video 192 and 160 kbit/s. Audio alone: m4a AAC 192 kbit/s, mp3 VBR V0 (about 245 kbit/s), opus
160 kbit/s; flac and wav lose nothing, in 16 bits if the source has no more (or, compressed, none that mean anything).
"""

import dataclasses

from downloader.fetcher.probe import Probe
from reelhaul.options import Options

COPY = "copy"

# What players expect in an mp4. It may legally hold more (VP8, Opus, FLAC), which many do not play from there.
_HELD_VIDEO = {"mp4": {"h264", "hevc", "av1", "vp9", "mpeg4"}, "webm": {"vp8", "vp9", "av1"}}
_HELD_AUDIO = {"mp4": {"aac", "mp3", "ac3", "eac3", "alac"}, "webm": {"opus", "vorbis"}}
_VIDEO_ENCODERS = {"mp4": "h264", "webm": "vp9", "mkv": "h264"}
_AUDIO_ENCODERS = {"mp4": "aac", "webm": "opus", "mkv": "aac"}

_PCM = {"pcm_s16le": 16, "pcm_s24le": 24, "pcm_s32le": 32, "pcm_u8": 8, "pcm_f32le": 32}  # what a wav may hold, in bits
_LOSSLESS = {"flac", "alac", "wavpack", "tta", "ape"}
_AUDIO_EXTENSIONS = {
    "aac": "m4a", "alac": "m4a", "mp3": "mp3", "opus": "opus", "vorbis": "ogg", "flac": "flac",
    **dict.fromkeys(_PCM, "wav"),
}  # fmt: skip
_AUDIO_FORMATS = {
    "m4a": ({"aac", "alac"}, "aac"),
    "mp3": ({"mp3"}, "mp3"),
    "opus": ({"opus"}, "opus"),
    "flac": ({"flac"}, "flac"),
    "wav": (set(_PCM), "pcm_s16le"),
}

# The demuxer (as ffmpeg names it) that reads what an extension promises, and the muxer that writes it.
_DEMUXERS = {
    "mp4": "mov", "m4a": "mov", "webm": "webm", "mkv": "matroska", "mka": "matroska", "mp3": "mp3", "opus": "ogg",
    "ogg": "ogg", "flac": "flac", "wav": "wav",
}  # fmt: skip
_MUXERS = {"m4a": "ipod", "mkv": "matroska", "mka": "matroska", "opus": "ogg"}

# Two threads and little look-ahead: with these 2160p stays below 1 GiB of address space, and time is money.
_ARGUMENTS = {
    "h264": ["libx264", "-preset:v", "veryfast", "-crf:v", "20", "-x264-params", "rc-lookahead=5:sync-lookahead=0"],
    "vp9": ["libvpx-vp9", "-deadline:v", "realtime", "-cpu-used:v", "8", "-row-mt:v", "1", "-tile-columns:v", "2",
            "-lag-in-frames:v", "0", "-b:v", "0", "-crf:v", "30"],
    "aac": ["aac", "-b:a", "192k"],
    "opus": ["libopus", "-b:a", "160k"],
    "mp3": ["libmp3lame", "-q:a", "0"],
    "flac": ["flac"],
}  # fmt: skip
_PICTURE = ["-threads:v", "2", "-pix_fmt:v", "yuv420p", "-vf", "scale=trunc(iw/2)*2:trunc(ih/2)*2"]  # 4:2:0 is even
_FRONT = ["-movflags", "+faststart", "-movie_timescale", "90000"]  # what is shown can end at any frame
_STEREO = {"aac", "opus", "mp3"}


@dataclasses.dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """What becomes of each track: `COPY`, or the codec that it is encoded with. Without `video` there is none."""

    extension: str
    video: str | None
    audio: tuple[str, ...]

    @property
    def copies(self) -> bool:
        """Nothing is encoded."""
        return {self.video or COPY, *self.audio} <= {COPY}

    @property
    def copies_sound(self) -> bool:
        return set(self.audio) == {COPY}

    @property
    def muxer(self) -> list[str]:
        """For ffmpeg, just before the output. A wav above 4 GB has to say so (EBU Tech 3306)."""
        flags = {"mp4": _FRONT, "m4a": _FRONT, "wav": ["-rf64", "auto"]}.get(self.extension, [])
        return [*flags, "-f", _MUXERS.get(self.extension, self.extension)]

    @property
    def has_edit_lists(self) -> bool:
        """The container can hold more than is presented."""
        return self.extension in {"mp4", "m4a"}

    @property
    def before_input(self) -> list[str]:
        """For ffmpeg, just before the input: how it is decoded."""
        return [] if self.video in {None, COPY} else ["-threads", "2"]

    def arguments(self, found: Probe, *, sound_from: int = 0) -> list[str]:
        """For ffmpeg, between the inputs and the output: tracks and codecs. `sound_from`: the number of an input."""
        picture = [] if self.video is None else ["-map", "0:V:0", "-c:v", *_ARGUMENTS.get(self.video, [self.video])]
        if self.video not in {None, COPY}:
            picture += _PICTURE
        hevc = ["-tag:v", "hvc1"] if self.extension == "mp4" and "hevc" in found.video else []  # the tag Apple plays
        sounds = [part for index, codec in enumerate(self.audio) for part in _sound(index, codec, found, sound_from)]
        return [*picture, *hevc, *sounds, "-map_chapters", "-1"]


def recipe(found: Probe, options: Options) -> Recipe:
    """What is wanted of this file. A request for video gets the sound, as it is, of a file that has no picture."""
    if options.download_type == "video" and found.video:
        return _video(found, options.container)
    return _audio(found, options.audio_format if options.download_type == "audio" else "best")


def kept_video(options: Options) -> set[str] | None:
    """The codecs whose picture needs no encoding, `None` for all."""
    return _HELD_VIDEO.get(options.container)


def kept_audio(options: Options) -> set[str] | None:
    """The codecs whose sound needs no encoding, `None` for all."""
    if options.download_type == "video":
        return _HELD_AUDIO.get(options.container)
    return _AUDIO_FORMATS[options.audio_format][0] if options.audio_format != "best" else None


def is_already(wanted: Recipe, found: Probe) -> bool:
    """Whether the file can be handed over as it is."""
    if not wanted.copies or (wanted.video is None and found.video) or found.quicktime or found.fragmented:
        return False
    return found.is_read_by(_DEMUXERS[wanted.extension]) and found.webm == (wanted.extension == "webm")


def for_clip(wanted: Recipe, found: Probe, *, on_key_frame: bool) -> Recipe:
    """The same for a part of the file. `on_key_frame`: its first picture can be shown without those before it.

    Otherwise a video is encoded unless it is an mp4, which can hold pictures that are only decoded. FLAC and PCM are
    encoded again without loss, so as to be cut at the sample.
    """
    video = wanted.video
    if video == COPY and wanted.extension != "mp4" and not on_key_frame:
        video = _VIDEO_ENCODERS[wanted.extension]
    audio = wanted.audio
    if video is None and audio == (COPY,) and wanted.extension in {"flac", "wav"}:
        audio = (found.audio[0],)
    return dataclasses.replace(wanted, video=video, audio=audio)


def _video(found: Probe, container: str) -> Recipe:
    held_video, held_audio = _HELD_VIDEO.get(container), _HELD_AUDIO.get(container)
    kept = held_video is None or found.video[0] in held_video
    return Recipe(
        extension=container,
        video=COPY if kept else _VIDEO_ENCODERS[container],
        audio=tuple(
            COPY if held_audio is None or codec in held_audio else _AUDIO_ENCODERS[container] for codec in found.audio
        ),
    )


def _audio(found: Probe, wanted: str) -> Recipe:
    codec = found.audio[0]
    if wanted == "best":
        return Recipe(extension=_AUDIO_EXTENSIONS.get(codec, "mka"), video=None, audio=(COPY,))
    kept, encoder = _AUDIO_FORMATS[wanted]
    if codec not in kept and wanted == "wav" and _is_deep(found):
        encoder = "pcm_s24le"
    return Recipe(extension=wanted, video=None, audio=(COPY if codec in kept else encoder,))


def _is_deep(found: Probe) -> bool:
    """More than 16 bits that mean something."""
    return _is_lossless(found.audio[0]) and bool(found.bits) and found.bits[0] > 16


def _is_lossless(codec: str) -> bool:
    return codec in _LOSSLESS or codec.startswith("pcm_")


def _sound(index: int, codec: str, found: Probe, source: int) -> list[str]:
    this = f":a:{index}"
    encoder, *rest = _ARGUMENTS.get(codec, [codec])
    arguments = ["-map", f"{source}{this}", f"-c{this}", encoder]
    arguments += [f"{part}:{index}" if part.startswith("-") else part for part in rest]
    if codec in _STEREO and found.channels[index : index + 1] and found.channels[index] > 2:
        arguments += [f"-ac{this}", "2"]
    if codec == "flac" and not _is_lossless(found.audio[index]):
        arguments += [f"-sample_fmt{this}", "s16"]
    return arguments
