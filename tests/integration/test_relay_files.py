"""What has to lie in files until all of it is there, handed over from worker to worker: real fetchers, on moto."""

import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from reelhaul.jobs import Job, State
from reelhaul.options import Clip, Options
from tests.conftest import Cloud
from tests.integration.relaying import Rationed, ended, installed, invocation, stored
from tests.integration.streaming import make_large
from tests.jobs_in import queued

ENOUGH = 1000  # segments
Submit = Callable[..., Job]

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


@pytest.fixture(autouse=True)
def _installed(cloud: Cloud, source: Rationed, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with installed(source, tmp_path, monkeypatch):
        yield


@pytest.fixture
def submit(cloud: Cloud, source: Rationed) -> Submit:
    def submit(path: str, **options: Any) -> Job:
        job = queued(url=source.url(path), now=time.time(), options=Options(**options))
        cloud.store.create(job)
        cloud.queue.send(job)
        return job

    return submit


def at_once(cloud: Cloud, source: Rationed, job: Job) -> bytes:
    """What becomes of it in a single invocation, as a rule."""
    source.give(ENOUGH)
    return stored(cloud, ended(job, lambda one: invocation(cloud, one, remaining_ms=120_000)))


def in_several(cloud: Cloud, source: Rationed, job: Job, *, most_segments: int) -> tuple[Job, int]:
    """How the job ends, and after how many invocations."""
    for number in range(1, 13):
        source.give(most_segments)
        seen = invocation(cloud, job)
        if seen.state is not State.QUEUED:
            return seen, number
        assert seen.checkpoint is not None, seen
        assert (seen.attempts, seen.checkpoint.upload_id) == (0, None)
    return seen, number


def test_file_whose_index_is_at_its_end(cloud: Cloud, source: Rationed, submit: Submit) -> None:
    whole = (source.directory / "large" / "back.mp4").read_bytes()
    source.breath_bytes = len(whole) * 3 // 10

    done, invocations = in_several(cloud, source, submit("large/back.mp4"), most_segments=0)

    assert stored(cloud, done) == whole
    assert invocations >= 4
    assert (done.attempts, done.checkpoint, done.untidy) == (1, None, True)
    assert [first for first, count in source.asked if first + count == len(whole)][1:] == [
        source.breath_bytes * number for number in range(1, 4)
    ]  # each byte once


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
def test_fragments(cloud: Cloud, source: Rationed, submit: Submit, path: str, options: dict[str, Any]) -> None:
    expected = at_once(cloud, source, submit(path, **options))
    source.asked.clear()
    at_a_time = 26 if path.endswith("mpd") else 13  # of 80, or of 40

    done, invocations = in_several(cloud, source, submit(path, **options), most_segments=at_a_time)

    assert stored(cloud, done) == expected
    assert invocations >= 4
