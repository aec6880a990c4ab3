"""Media that benchmarks are about: of a given size, and really as large, whatever handles them."""

from pathlib import Path

from infra.local.media import ffmpeg

SMALLER_MB = 50
_MPD = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT{seconds:.0f}S"
 profiles="urn:mpeg:dash:profile:isoff-on-demand:2011"><Period>
<AdaptationSet mimeType="video/mp4">
<Representation id="v" bandwidth="8000000" codecs="avc1.42c01e" width="640" height="360">
<BaseURL>video.mp4?rate={rate:.0f}</BaseURL></Representation></AdaptationSet>
<AdaptationSet mimeType="audio/mp4"><Representation id="a" bandwidth="128000" codecs="mp4a.40.2">
<BaseURL>audio.m4a?rate={rate:.0f}</BaseURL></Representation></AdaptationSet></Period></MPD>
"""


def parts_of(name: str) -> tuple[str, ...]:
    """The files that there is something of in the medium of this name."""
    return ("video.mp4", "audio.m4a") if name.endswith(".mpd") else (name,)


def make_media(folder: Path, size: float, *, rate: float) -> None:
    """small.mp4 (1 MB), smaller.mp4, large.mp4 (`size` bytes), and as two tracks of fragmented mp4 two.mpd.

    Noise that is encoded once and then repeated, so that it really is as large, and really has to be merged. The small
    one plays for ten seconds, as what is so small does.
    """
    _make_small(folder / "small.mp4")
    piece = folder.parent / "piece.mp4"
    picture = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=4,noise=alls=60:allf=t"]
    sound = ["-f", "lavfi", "-i", "anoisesrc=duration=4:amplitude=0.3"]
    coded = ["-c:v", "libx264", "-preset", "ultrafast", "-qp", "22", "-pix_fmt", "yuv420p", "-g", "25"]
    ffmpeg(*picture, *sound, *coded, "-c:a", "aac", "-b:a", "128k", str(piece))
    whole = ["-c", "copy", "-movflags", "+faststart"]
    for name, wanted in (("smaller.mp4", SMALLER_MB * 1e6), ("large.mp4", size)):
        _repeat(piece, folder / name, wanted, *whole)
    fragments = ["-c", "copy", "-movflags", "+frag_keyframe+empty_moov+default_base_moof"]
    times = _repeat(piece, folder / "video.mp4", size, *fragments, "-map", "0:v")
    _repeat(piece, folder / "audio.m4a", size, *fragments, "-map", "0:a", "-f", "mp4")
    (folder / "two.mpd").write_text(_MPD.format(seconds=4 * times, rate=rate))
    for path in folder.iterdir():
        path.chmod(0o644)


def _make_small(path: Path) -> None:
    picture = ["-f", "lavfi", "-i", "testsrc2=size=640x360:rate=25:duration=10,noise=alls=8:allf=t"]
    sound = ["-f", "lavfi", "-i", "anoisesrc=duration=10:amplitude=0.1"]
    coded = [
        "-c:v",
        "libx264",
        "-b:v",
        "690k",
        "-maxrate",
        "800k",
        "-bufsize",
        "800k",
        "-pix_fmt",
        "yuv420p",
        "-g",
        "50",
    ]
    ffmpeg(*picture, *sound, *coded, "-b:a", "128k", "-movflags", "+faststart", str(path))


def _repeat(piece: Path, path: Path, size: float, *how: str) -> int:
    """How often `piece` has to be there for `size` bytes; at least as many bytes as its part of that come of it."""
    times = max(1, round(size / piece.stat().st_size))
    cut = ["-t", f"{4 * size / piece.stat().st_size:.2f}"] if size < piece.stat().st_size else []
    ffmpeg("-stream_loop", str(times - 1), "-i", str(piece), *cut, *how, str(path))
    return times
